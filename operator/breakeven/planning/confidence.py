"""How far a predicted speed-up can be trusted: an interval by kind of case, and what it allows to say.

The model was compared with published measurements, each predicted with constants fitted without its source. What
remained is the log of measured / predicted. Rows of one source share an error, so a source counts once: the spread of a
kind is the root of the mean over sources of the mean square, and the interval is Student's for one further source.
Where nothing like it was measured, the interval is wide and the answer is almost always "unsure".
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

COVERAGE = 0.8
"""Share of measurements that the interval is to contain; a tenth may lie on either side."""
RIGHT = 0.9
"""How often "likely" is right, at least, when the intervals are: a tenth lies beyond the bound that matters."""


class Kind(StrEnum):
    """What a case has in common with those the model was compared with."""

    DENSE = "dense on vLLM V1"
    """A dense target of 3B and more on Hopper or A100, drafted one token after the other, at a known batch."""
    ASYNC = "dense on vLLM V1, asynchronous"
    """The same where plain steps are scheduled asynchronously: no published row is of this kind."""
    SPARSE = "sparse on vLLM"
    """A mixture of experts on vLLM at a known batch."""
    OLD = "draft workers of V0 and SGLang 0.4"
    """Engines whose draft worker costs host time that was fitted on few rows."""
    OTHER = "unlike anything fitted"
    """Other engines, hybrids, tiny targets, 4-bit weights, other GPUs, loads that are no batch, drafters on a path that
    was never timed."""


SMALLEST_FITTED = 3e9
"""Parameters read per token below which the host dominates a step in ways that no row fitted here shows."""
LONGEST_FITTED = 16_000.0
"""Mean context in tokens up to which the cost of attention was compared."""
HYBRIDS = re.compile(
    r"qwen-?3(-next|\.[5-9])|nemotron-?(h|nano|3)|jamba|mamba|falcon-?h1|granite-?4|lfm|bamba|zamba|kimi-linear|"
    r"minimax-(text|m1)|ring-.*linear|recurrentgemma|plamo",
    re.IGNORECASE,
)
"""Names of models that mix attention with a recurrent state, which has to be rolled back with each rejected draft."""


class Verdict(StrEnum):
    """What a prediction allows to say."""

    PAYS = "likely pays"
    UNSURE = "unsure"
    DOES_NOT = "likely does not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far measurements lay from predictions."""

    sigma: float
    """Root mean square of the log of measured / predicted."""
    sources: int
    """Independent sources behind it."""

    def reach(self) -> float:
        """Half the interval for one further source, in logs; infinite with fewer than two sources."""
        if self.sources < 2:
            return math.inf
        quantile = _STUDENT_90[min(self.sources - 1, len(_STUDENT_90)) - 1]
        return quantile * self.sigma * math.sqrt(1.0 + 1.0 / self.sources)


_STUDENT_90 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372)
"""Quantiles at 0.9 of Student's t with 1 to 10 degrees of freedom; with more, that of 10."""
_NORMAL_90 = 1.282
TIMED_HERE = Spread(sigma=0.072, sources=2)
"""Dense targets under asynchronous scheduling, timed on two machines. The model alone misses the R of eight points on
H100 (EAGLE-3 and a 1B draft on Llama 8B, batch 1 to 192) by 0.046, and of the 36 on H200 at k = 3 by 0.091."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far predictions are trusted."""

    spreads: Mapping[Kind, Spread]
    assumed: float
    """Spread that assuming acceptance by method and kind of text adds for dense targets on V1; other kinds hold such
    rows already."""

    def interval(self, speedup: float, kind: Kind, *, assumed: bool) -> "Interval":
        """The interval of a predicted speed-up; `assumed` says that acceptance was."""
        reach = self.spreads.get(kind, _NOTHING).reach()
        if assumed and kind in (Kind.DENSE, Kind.ASYNC):
            reach = math.hypot(reach, _NORMAL_90 * self.assumed)
        factor = math.exp(reach)
        return Interval(low=speedup / factor, high=speedup * factor, kind=kind)


_NOTHING = Spread(sigma=0.0, sources=0)

PUBLISHED = Calibration(
    spreads=MappingProxyType(
        {
            Kind.DENSE: Spread(sigma=0.098, sources=4),
            Kind.ASYNC: TIMED_HERE,
            Kind.SPARSE: Spread(sigma=0.270, sources=2),
            Kind.OLD: Spread(sigma=0.241, sources=4),
            Kind.OTHER: Spread(sigma=0.526, sources=8),
        }
    ),
    assumed=0.123,
)
"""From the published rows of `benchmarks/data`: `benchmarks/cases.py` works it out anew, and a test compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Bounds of a speed-up."""

    low: float
    high: float
    kind: Kind

    @property
    def verdict(self) -> Verdict:
        """Likely where the whole interval lies beyond 1.

        Never "likely pays" where nothing like it was fitted: a cost that the model does not know, such as rolling back
        a recurrent state, can only make a speculating step longer.
        """
        if self.low > 1.0 and self.kind is not Kind.OTHER:
            return Verdict.PAYS
        return Verdict.DOES_NOT if self.high < 1.0 else Verdict.UNSURE


def spread_from(errors: Iterable[tuple[str, float]]) -> Spread:
    """The spread behind errors given with their sources: log of measured / predicted."""
    by_source: dict[str, list[float]] = {}
    for source, error in errors:
        by_source.setdefault(source, []).append(error)
    if not by_source:
        return Spread(sigma=0.0, sources=0)
    squares = [sum(e * e for e in found) / len(found) for found in by_source.values()]
    return Spread(sigma=math.sqrt(sum(squares) / len(squares)), sources=len(squares))

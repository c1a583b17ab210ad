"""Ratios of sums with honest bounds: batch means and Student's t.

Counters of an engine are over-dispersed: requests differ in acceptance and length, so a thousand drafted tokens can
carry as little information as fourteen independent ones, and binomial bounds raise dozens of false alarms a day. The
spread between ten batches of a window contains all of it; nothing has to be modelled (docs/decisions.md, "Why batch
means"). The speed-up itself is in `domain.speedup`.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from breakeven.domain.measures.student import upper_quantile

ONE_SIDED = 0.001
"""Error rate of one bound on one window."""
FEWEST_BATCHES = 5
"""Fewer batches than this say nothing about their own spread: the t quantile exceeds 7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """A positive ratio, its error on the log scale and the degrees of freedom of that error."""

    value: float
    error: float
    """Standard error of the logarithm: relative error."""
    freedom: float
    probability: float = ONE_SIDED
    """Error rate of each of its bounds."""

    def widened(self, factor: float) -> "LogRatio":
        """The same with an error that is so many times as large."""
        return replace(self, error=self.error * factor)

    def erring(self, probability: float) -> "LogRatio":
        """The same bounds, said by the error that has them at another error rate."""
        scale = quantile(self.freedom, self.probability) / quantile(self.freedom, probability)
        return replace(self, error=self.error * scale, probability=probability)

    def lower(self) -> float:
        """One-sided lower bound that a true value passes under with at most this probability."""
        return self.value * math.exp(-quantile(self.freedom, self.probability) * self.error)

    def upper(self) -> float:
        """One-sided upper bound."""
        exponent = quantile(self.freedom, self.probability) * self.error
        return self.value * math.exp(exponent) if exponent < 700 else math.inf


@lru_cache(maxsize=4096)
def quantile(freedom: float, probability: float) -> float:
    """Upper quantile of Student's t: the value exceeded with this probability."""
    return upper_quantile(freedom, probability)


@dataclass(frozen=True, slots=True)
class Ratios:
    """Numerators and denominators, batch by batch."""

    over: tuple[float, ...]
    under: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be paired."""
        if len(self.over) != len(self.under):
            raise ValueError("a ratio needs as many numerators as denominators")


def ratio(series: Ratios) -> LogRatio | None:
    """Sum over sum, its relative error from the residuals a_j - r n_j of the batches.

    None when there are too few batches, or a sum is not positive, so that the ratio says nothing.
    """
    scores = _scores(series)
    if scores is None:
        return None
    return LogRatio(
        value=math.fsum(series.over) / math.fsum(series.under),
        error=_error(scores),
        freedom=len(scores) - 1,
    )


def quotient_paired(first: Ratios, second: Ratios) -> LogRatio | None:
    """Ratio of two ratios measured in the same batches: what moves both arms (load, hour) cancels batch by batch.

    None when either says nothing or the batches do not pair.
    """
    if len(first.over) != len(second.over):
        return None
    ours, theirs = _scores(first), _scores(second)
    if ours is None or theirs is None:
        return None
    return LogRatio(
        value=_plain(first) / _plain(second),
        error=_error([a - b for a, b in zip(ours, theirs, strict=True)]),
        freedom=len(ours) - 1,
    )


def quotient_apart(first: LogRatio, second: LogRatio) -> LogRatio:
    """Ratio of two ratios measured at different times; freedom by Welch and Satterthwaite.

    One that is looked at again and again has bounds that err more rarely. The other is the same at every look and errs
    once, so its part of the bounds stays as wide as it is.
    """
    probability = max(first.probability, second.probability)
    first, second = first.erring(probability), second.erring(probability)
    a, b = first.error**2, second.error**2
    total = a + b
    freedom = min(first.freedom, second.freedom)
    if total > 0:
        freedom = total**2 / (a**2 / first.freedom + b**2 / second.freedom)
    return LogRatio(value=first.value / second.value, error=math.sqrt(total), freedom=freedom, probability=probability)


def grouped(series: Ratios, groups: int) -> Ratios:
    """The same sums in fewer, longer batches, the oldest ones merged first when they do not divide evenly."""
    count = len(series.over)
    if count <= groups:
        return series
    edges = [round(i * count / groups) for i in range(groups + 1)]
    spans = list(itertools.pairwise(edges))
    return Ratios(
        tuple(math.fsum(series.over[a:b]) for a, b in spans),
        tuple(math.fsum(series.under[a:b]) for a, b in spans),
    )


def _plain(series: Ratios) -> float:
    return math.fsum(series.over) / math.fsum(series.under)


def _scores(series: Ratios) -> list[float] | None:
    """Each batch's push on the logarithm of the ratio: (a_j - r n_j) / sum a."""
    if len(series.over) < FEWEST_BATCHES:
        return None
    over, under = math.fsum(series.over), math.fsum(series.under)
    if not (over > 0 and under > 0 and math.isfinite(over) and math.isfinite(under)):
        return None
    value = over / under
    if not (0 < value < math.inf):
        return None
    return [(a - value * n) / over for a, n in zip(series.over, series.under, strict=True)]


def _error(scores: Sequence[float]) -> float:
    """Standard error of the sum of the scores, with the small-sample correction n / (n - 1)."""
    count = len(scores)
    return math.sqrt(math.fsum(s * s for s in scores) * count / (count - 1))

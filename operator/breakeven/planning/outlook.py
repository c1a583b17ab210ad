"""Predicted R, S and break-even by batch, and where they come from: measured, scaled from measured, or modelled."""

from collections.abc import Callable
from dataclasses import dataclass

from breakeven.planning import breakeven as relation
from breakeven.planning.calibration import H200_FIT
from breakeven.planning.measured import Profile
from breakeven.planning.steptime import Chip, Constants, Host, Load, plain_step, speculating_step

DEFAULT_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LONGEST_DRAFT = 8
_LARGEST_BATCH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What speculation does at one batch."""

    batch: int
    k: int
    plain_ms: float
    inflation: float
    """R: step time with speculation / without."""
    break_even: float
    """Accepted / drafted at which S would be 1; above 1 it cannot pay."""
    break_even_alpha: float | None
    """The same as a constant conditional acceptance; None when it cannot pay."""
    tokens: float
    """E at the assumed acceptance."""
    speedup: float
    best_k: int
    """Length with the largest S at this batch; 0 is none."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Predictions for one GPU model."""

    gpu: str
    predictions: tuple[Prediction, ...]
    crossover: int | None
    """Smallest batch from which speculation is slower at the assumed acceptance; None when at none up to 1024."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the model needs to time a step."""

    chip: Chip
    gpus: int
    target: Load
    draft: Load | None
    context: float
    plain_host: Host
    host: Host
    block_draft: bool = False
    """Whether one pass drafts the whole block."""
    whole_vocabulary: bool = False
    """Whether each draft pass scores the whole vocabulary, as EAGLE and MTP heads do."""
    fit: Constants = H200_FIT

    def plain(self, batch: float) -> float:
        """Milliseconds of a plain step."""
        return plain_step(
            self.target,
            batch=batch,
            context=self.context,
            chip=self.chip,
            gpus=self.gpus,
            fit=self.fit,
            host=self.plain_host,
        )

    def inflation(self, batch: float, k: int) -> float:
        """Modelled R."""
        slow = speculating_step(
            self.target,
            k=k,
            batch=batch,
            context=self.context,
            chip=self.chip,
            gpus=self.gpus,
            fit=self.fit,
            host=self.host,
            draft=self.draft,
            passes=1 if self.block_draft else k,
            whole_vocabulary=self.whole_vocabulary,
        )
        return slow / self.plain(batch)


Inflation = Callable[[float, int], float]


def anchored(here: Situation, profile: Profile | None, there: Situation | None) -> Inflation:
    """R by batch and k: as measured where it was, else the model scaled by measured / modelled at the nearest length.

    Outside the measured batches the ratio at the nearest one is kept, so that the curve has no step there.
    `there` is the same pair on the GPU the profile was measured on; None means the profile is of this very situation.
    """

    def inflation(batch: float, k: int) -> float:
        modelled = here.inflation(batch, k)
        if profile is None:
            return modelled
        lengths = profile.lengths()
        nearest = min(lengths, key=lambda length: (abs(length - k), length))
        low, high = profile.span(nearest)
        edge = min(max(batch, low), high)
        measured = profile.inflation(edge, nearest)
        if measured is None:
            return modelled
        if there is None and nearest == k and edge == batch:
            return measured
        reference = (there or here).inflation(edge, nearest)
        return max(1e-6, modelled * measured / reference)

    return inflation


def outlook(
    gpu: str,
    here: Situation,
    inflation: Inflation,
    *,
    k: int,
    alpha: float,
    batches: tuple[int, ...],
    plain_ms: Callable[[float], float | None],
    source: str,
) -> Outlook:
    """Predictions at each batch, the batch where speculation stops paying, and the best length."""
    tokens = relation.expected_tokens(alpha, k)

    def at(batch: int) -> Prediction:
        ratio = inflation(batch, k)
        curve = tuple(inflation(batch, length) for length in range(1, LONGEST_DRAFT + 1))
        survival = tuple(alpha**length for length in range(1, LONGEST_DRAFT + 1))
        measured = plain_ms(batch)
        return Prediction(
            batch=batch,
            k=k,
            plain_ms=here.plain(batch) if measured is None else measured,
            inflation=ratio,
            break_even=relation.break_even_ratio(ratio, k),
            break_even_alpha=relation.alpha_for(ratio, k),
            tokens=tokens,
            speedup=relation.speedup(tokens, ratio),
            best_k=relation.best_length(survival, curve),
            source=source,
        )

    return Outlook(
        gpu=gpu,
        predictions=tuple(at(batch) for batch in batches),
        crossover=_crossover(lambda batch: tokens / inflation(batch, k)),
        source=source,
    )


def _crossover(speedup: Callable[[float], float]) -> int | None:
    """Smallest batch from which S stays below 1 up to the largest one looked at."""
    first: int | None = None
    batch = 1
    grid = []
    while batch <= _LARGEST_BATCH:
        grid.append(batch)
        batch = max(batch + 1, round(batch * 1.09))
    for candidate in reversed(grid):
        if speedup(candidate) >= 1.0:
            break
        first = candidate
    return first

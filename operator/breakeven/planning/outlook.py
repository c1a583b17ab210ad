"""Predicted R, S and break-even by batch, and where they come from: measured, scaled from measured, or modelled."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from breakeven.planning import breakeven as relation
from breakeven.planning.calibration import H200_FIT
from breakeven.planning.confidence import PUBLISHED, Interval, Kind
from breakeven.planning.measured import Profile
from breakeven.planning.steptime import Chip, Constants, Host, Load, plain_step, speculating_step

DEFAULT_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LONGEST_DRAFT = 8
_LARGEST_BATCH = 1024
_REMEMBERED = 512
"""Outlooks that are kept: a thousand resources have few pairs of models and GPUs between them, and each is asked at a
start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What speculation does at one batch."""

    batch: int
    k: int
    """Drafted tokens a step; 0 where the resource stops drafting at this batch."""
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
    interval: Interval
    """Bounds that are to contain the measured speed-up four times in five."""
    best_k: int
    """Length with the largest S at this batch; 0 is none."""
    fits: bool | None
    """Whether so many requests of this context have room in the KV cache; None when that is not known."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Predictions for one GPU model."""

    gpu: str
    predictions: tuple[Prediction, ...]
    crossover: int | None
    """Smallest batch from which speculation is slower at the assumed acceptance; None when at none up to 1024."""
    context: float
    """Mean context of a running request, in tokens."""
    drafting: float
    """Share of steps that draft."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInputs:
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
    engines: int = 1
    """Data-parallel engines that running requests spread over."""
    drafting: float = 1.0
    """Share of steps that draft: n-gram and suffix drafting only do where they find a match."""
    fit: Constants = H200_FIT

    def plain(self, batch: float) -> float:
        """Milliseconds of a plain step."""
        return plain_step(
            self.target,
            batch=max(1.0, batch / self.engines),
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
            batch=max(1.0, batch / self.engines),
            context=self.context,
            chip=self.chip,
            gpus=self.gpus,
            fit=self.fit,
            host=self.host,
            draft=self.draft,
            passes=1 if self.block_draft else k,
            drafted_share=self.drafting,
            whole_vocabulary=self.whole_vocabulary,
        )
        return slow / self.plain(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Step times of a situation: as measured where they were, else the model scaled by measured / modelled.

    Outside the measured batches and lengths the ratio at the nearest one is kept, so that the curve has no step there.
    """

    here: StepInputs
    profile: Profile | None = None
    there: StepInputs | None = None
    """The same pair on the GPU the profile was measured on. None: it was measured on this one."""

    def inflation(self, batch: float, k: int) -> float:
        """R."""
        modelled = self.here.inflation(batch, k)
        if self.profile is None:
            return modelled
        nearest = min(self.profile.lengths(), key=lambda length: (abs(length - k), length))
        low, high = self.profile.span(nearest)
        edge = min(max(batch, low), high)
        measured = self.profile.inflation(edge, nearest)
        if measured is None:
            return modelled
        return max(1e-6, _carried(measured, self._measured_in().inflation(edge, nearest), modelled))

    def plain(self, batch: float) -> float:
        """Milliseconds of a plain step."""
        modelled = self.here.plain(batch)
        measured = self.profile.plain_ms(batch) if self.profile is not None and self.there is None else None
        return modelled if measured is None else _carried(measured, self._measured_in().plain(batch), modelled)

    def _measured_in(self) -> StepInputs:
        """The situation that the profile was measured in: its context, and a draft in every step."""
        found = replace(self.there or self.here, drafting=1.0)
        context = None if self.profile is None else self.profile.context
        return found if context is None else replace(found, context=context)


def _carried(measured: float, modelled_there: float, modelled_here: float) -> float:
    """What was measured in one situation, carried to another by the ratio that the model gives."""
    return measured if modelled_here == modelled_there else measured * modelled_here / modelled_there


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a timing."""

    k: int
    alpha: float
    """Conditional acceptance per position, of the steps that draft."""
    batches: tuple[int, ...]
    kind: Kind
    assumed: bool
    """Whether the acceptance is assumed."""
    room: int | None
    """KV tokens that fit; None when not known."""
    guessed_drafting: bool = False
    """Whether the share of steps that draft is assumed: then it may as well be nothing."""
    stops_at: int | None = None
    """Running requests from which the engine drafts nothing; None: at none."""
    idle: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """R of a speculating engine that drafts nothing: smallest, usual and largest that was measured."""


@lru_cache(maxsize=_REMEMBERED)
def outlook(gpu: str, timing: Timing, asked: Asked, *, source: str) -> Outlook:
    """Predictions at each batch, the batch where speculation stops paying, and the best length."""
    here = timing.here
    tokens = 1.0 + here.drafting * (relation.expected_tokens(asked.alpha, asked.k) - 1.0)

    def speedup(batch: float) -> float:
        return relation.speedup(tokens, timing.inflation(batch, asked.k))

    return Outlook(
        gpu=gpu,
        predictions=tuple(_at(batch, timing, asked, tokens, source) for batch in asked.batches),
        crossover=_crossover(speedup),
        context=here.context,
        drafting=here.drafting,
        source=source,
    )


def _bounds(batch: int, timing: Timing, asked: Asked, speedup: float) -> Interval:
    found = PUBLISHED.interval(speedup, asked.kind, assumed=asked.assumed)
    if not asked.guessed_drafting:
        return found
    never = replace(timing, here=replace(timing.here, drafting=0.0))
    return replace(found, low=min(found.low, 1.0 / never.inflation(batch, asked.k)))


def _at(batch: int, timing: Timing, asked: Asked, tokens: float, source: str) -> Prediction:
    drafting, k = timing.here.drafting, asked.k
    ratio = timing.inflation(batch, k)
    curve = tuple(timing.inflation(batch, length) for length in range(1, LONGEST_DRAFT + 1))
    survival = tuple(drafting * asked.alpha**length for length in range(1, LONGEST_DRAFT + 1))
    off = asked.stops_at is not None and batch >= asked.stops_at
    least, usual, most = asked.idle
    found, step = (1.0, usual) if off else (tokens, ratio)
    faster = relation.speedup(found, step)
    idle = Interval(low=1.0 / most, high=1.0 / least, kind=asked.kind)
    return Prediction(
        batch=batch,
        k=0 if off else k,
        plain_ms=timing.plain(batch),
        inflation=step,
        break_even=relation.break_even_ratio(ratio, k) / max(drafting, 1e-9),
        break_even_alpha=relation.alpha_for(1.0 + (ratio - 1.0) / max(drafting, 1e-9), k),
        tokens=found,
        speedup=faster,
        interval=idle if off else _bounds(batch, timing, asked, faster),
        best_k=relation.best_length(survival, curve),
        fits=None if asked.room is None else batch * timing.here.context <= asked.room,
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

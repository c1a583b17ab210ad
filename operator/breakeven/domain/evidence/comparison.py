"""Which two variants are compared at this moment, and by which bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from breakeven.api.status import LoadBand, Source, State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action
from breakeven.domain import capacity
from breakeven.domain.evidence import calibration
from breakeven.domain.measures import verdict
from breakeven.domain.measures.points import Point
from breakeven.domain.measures.spread import Spread
from breakeven.domain.measures.verdict import Bounds
from breakeven.domain.situation import Situation


@dataclass(frozen=True, slots=True)
class Scatter:
    """What both arms did, batch by batch, over up to four hours, and how much that scatters."""

    points: Sequence[Point] = ()
    spread: Spread | None = None
    """None: there are too few."""


NO_SCATTER = Scatter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two variants to compare, and by which bounds."""

    off: Variant | None
    """The control; None: the stored profile."""
    on: Variant
    bounds: Bounds
    trial: bool
    correlation: float = 0.0
    """Of neighbouring batches."""
    decoding: Scatter = NO_SCATTER
    """Log ratios of the times per token."""
    to_last: Scatter = NO_SCATTER
    """Those of the times from request to last token; nothing without a live control."""
    cell: timedelta | None = None
    """Both alternate on the same pods, half of a cell each. None: each has pods of its own."""
    profile: Sequence[LoadBand] = field(default=())
    """What was measured live by load, and after it what the spec's calibration says: the first of a band counts."""
    not_calibrated: str = ""
    """Why the calibration says nothing, as a sentence. Empty: there is none, or it is used."""

    @property
    def source(self) -> Source:
        """What a verdict of a live comparison rests on."""
        return Source.MEASURED if self.cell is None else Source.ALTERNATING


def comparison(situation: Situation) -> Comparison | None:
    """What there is to compare at this moment; None when nothing speculates and nothing is on trial."""
    if situation.on_trial and situation.memory.canary is not None:
        canary, stable = situation.memory.canary, situation.stable
        bounds = trial_bounds(situation, canary)
        if capacity.one_after_the_other(situation):
            return _stored_comparison(situation, canary, bounds, trial=True)
        return _live_comparison(situation, stable, canary, bounds, trial=True)
    return serving_comparison(situation)


def tried_at(situation: Situation) -> float:
    """When the newest trial began, Unix seconds; 0.0 when none is remembered.

    S had another value before it, which is why there was one: a step is no scatter of what is measured since.
    """
    begun = (line.at for line in situation.memory.decisions if line.action == Action.START_TRIAL)
    return max((at.timestamp() for at in begun), default=0.0)


def serving_comparison(situation: Situation) -> Comparison | None:
    """What serves against its control, live or stored, whatever is on trial; None when it does not speculate."""
    if not situation.stable.speculates:
        return None
    bounds = verdict.keeping(situation.spec.thresholds.speedup)
    control = situation.stable.baseline
    fleet = situation.fleet(control)
    if situation.memory.holdback and fleet is not None and fleet.wanted > 0:
        return _live_comparison(situation, control, situation.stable, bounds, trial=False)
    return _stored_comparison(situation, situation.stable, bounds, trial=False)


def _live_comparison(situation: Situation, off: Variant, on: Variant, bounds: Bounds, *, trial: bool) -> Comparison:
    """Of two variants that serve at the same time: side by side, or in turns on the same pods."""
    cell = capacity.cell(situation) if situation.same_pods(off, on) else None
    return Comparison(off=off, on=on, bounds=bounds, trial=trial, cell=cell)


def _stored_comparison(situation: Situation, on: Variant, bounds: Bounds, *, trial: bool) -> Comparison:
    """Against what was measured live at some time, and where nothing was, against the spec's calibration."""
    live = situation.memory.profile
    calibrated, why = calibration.bands(situation.spec.calibration, on, live, situation.time)
    return Comparison(
        off=None,
        on=on,
        bounds=bounds.without_control(),
        trial=trial,
        profile=[*live, *calibrated],
        not_calibrated=why,
    )


def trial_bounds(situation: Situation, canary: Variant) -> Bounds:
    """Which bounds a trial is judged by: switching on, a change the user made, or one the operator thought of."""
    declared = situation.spec.thresholds.speedup
    stable = situation.stable
    if situation.memory.state == State.TUNING:
        return verdict.tuning()
    if canary.baseline == stable.baseline and not stable.speculates:
        return verdict.starting(declared)
    return verdict.changing(declared)

"""What the sequential alarm makes of a judgement: a large loss is judged by the newest minutes alone.

It needs neither a complete window nor a fleet at rest: a replica that comes, goes or warms up is left out of the
batches anyhow, so what was measured before a roll-out stays the reference of what comes up in it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from breakeven.api.status import LoadBand, Source
from breakeven.domain.counters.increments import spliced
from breakeven.domain.counters.observation import Arm, Batch
from breakeven.domain.counters.windows import Span, batch_length
from breakeven.domain.evidence import control_profile
from breakeven.domain.evidence.judge import arm_hold, comparison, in_words
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift, shift, slowed
from breakeven.domain.measures.acceptance import detailed
from breakeven.domain.measures.alarm import Alarm, raised, raised_alone, suspicious, suspicious_alone
from breakeven.domain.measures.figures import figures, sums
from breakeven.domain.measures.lengths import drift
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation

FRESH = 3
"""Batches that may lie between the newest point and now: an alarm is about the present."""


@dataclass(frozen=True, slots=True)
class _Arms:
    """What the alarm compares at this moment."""

    ours: Arm
    theirs: Arm | None
    """None: there is no control, or it is itself restarting; then the stored `inflation` stands for it."""
    inflation: float
    leave: float
    nodes: Shift = NO_SHIFT
    """Correction for the nodes of both arms; `leave` is the bound of the uncorrected S."""


def alarmed(situation: Situation, judgement: Judgement) -> Judgement:
    """The judgement, replaced when the newest points alone show a loss that need not wait for the window's end."""
    arms = _arms(situation)
    if arms is None or not _slow(arms):
        return judgement
    judgement = replace(judgement, suspects=True)
    if arms.theirs is None:
        return _without_control(situation, arms, judgement)
    off, on = spliced(arms.theirs.batches, arms.ours.batches, arms.theirs.newest, arms.ours.newest)
    on = _since(situation, on)
    alarm = raised(off, on, leave=arms.leave, min_requests=situation.evidence.min_requests)
    if alarm is None or not _counts(situation, alarm):
        return judgement
    span = Span(alarm.start, alarm.end, situation.evidence.leave_windows)
    control, run = span.of(off), span.of(on)
    control = tuple(slowed(control, arms.nodes.factor))
    alarm = replace(alarm, speedup=arms.nodes.of(alarm.speedup))
    return judgement if drift(control, run) else _hurts(judgement, alarm, span, Source.MEASURED, run, control)


def suspected(situation: Situation) -> bool:
    """Whether `alarmed` could find anything: whether the newest point is slow at all."""
    arms = _arms(situation)
    return arms is not None and _slow(arms)


@dataclass(frozen=True, slots=True)
class Lookout:
    """What the alarm compares until memory, spec or fleet change, by the names of variants."""

    on: str
    off: str | None
    """The control; None: none is declared."""
    late: float
    """Seconds that the control may be behind."""
    leave: float
    """The bound where the control is measured."""
    inflation: float | None
    """Stands for a control that is not. None: none is stored."""
    leave_alone: float
    """The bound then."""
    nodes: Shift = NO_SHIFT
    """Correction for the nodes of both arms; `leave` is the bound of the uncorrected S."""

    def sees(self, arms: Mapping[str, Arm]) -> bool:
        """Whether the newest point is slow at all: only then can `alarmed` find anything."""
        found = self.arms(arms)
        return found is not None and _slow(found)

    def arms(self, arms: Mapping[str, Arm]) -> _Arms | None:
        """What is compared at this moment."""
        ours = _seen(arms.get(self.on), "stable")
        theirs = _seen(arms.get(self.off), "control") if self.off is not None else None
        if ours is None:
            return None
        if theirs is not None and theirs.batches[-1].end >= ours.batches[-1].end - self.late:
            return _Arms(ours, theirs, 0.0, self.leave, self.nodes)
        return _Arms(ours, None, self.inflation, self.leave_alone) if self.inflation is not None else None


def lookout(situation: Situation) -> Lookout | None:
    """What the alarm compares; None when there is nothing to compare, or a trial is judged by its windows."""
    compared = comparison(situation)
    if compared is None or compared.trial:
        return None
    nodes = shift(situation, compared.off, compared.on) if compared.off is not None else NO_SHIFT
    return Lookout(
        on=compared.on.name,
        off=compared.off.name if compared.off is not None else None,
        late=FRESH * batch_length(situation.evidence).total_seconds(),
        leave=nodes.bound(compared.bounds.leave),
        nodes=nodes,
        inflation=stored_inflation(situation.memory.profile, compared.on.name, situation.time),
        leave_alone=(compared.bounds if compared.off is None else compared.bounds.without_control()).leave,
    )


def _arms(situation: Situation) -> _Arms | None:
    here = lookout(situation) if situation.observation.outage is None else None
    return here.arms(situation.observation.arms) if here is not None else None


def _slow(arms: _Arms) -> bool:
    on = arms.ours.newest or arms.ours.batches
    if arms.theirs is None:
        return suspicious_alone(on, inflation=arms.inflation, leave=arms.leave)
    return suspicious(arms.theirs.newest or arms.theirs.batches, on, leave=arms.leave)


def _without_control(situation: Situation, arms: _Arms, judgement: Judgement) -> Judgement:
    """The same from live tokens per step and the smallest step-time inflation that is stored for this variant."""
    _, on = spliced(arms.ours.batches, arms.ours.batches, arms.ours.newest, arms.ours.newest)
    on = _since(situation, on)
    alarm = raised_alone(on, inflation=arms.inflation, leave=arms.leave, min_requests=situation.evidence.min_requests)
    if alarm is None or not _counts(situation, alarm):
        return judgement
    span = Span(alarm.start, alarm.end, situation.evidence.leave_windows)
    return _hurts(judgement, alarm, span, Source.CALIBRATED, span.of(on))


def stored_inflation(profile: Sequence[LoadBand], variant: str, now: datetime) -> float | None:
    """The smallest R of a variant in any band of load that is young enough: the one that speaks most for it."""
    known = [
        float(band.inflation)
        for band in profile
        if band.variant == variant and band.inflation is not None and now - band.measured_at <= control_profile.VALID
    ]
    return min((r for r in known if r > 0), default=None)


def _seen(arm: Arm | None, name: str) -> Arm | None:
    """The arm, when enough of its ready replicas are scraped."""
    return arm if arm is not None and arm_hold(arm, name) is None and arm.ready > 0 else None


def _since(situation: Situation, batches: Sequence[Batch]) -> Sequence[Batch]:
    """What was counted since the last change of state and the last outage."""
    moments = (situation.memory.since, situation.memory.evidence_after)
    begin = max((moment.timestamp() for moment in moments if moment is not None), default=0.0)
    return batches[bisect_left(batches, begin, key=lambda batch: batch.start) :]


def _counts(situation: Situation, alarm: Alarm) -> bool:
    """Whether it is about the present, and has lasted as long as the user wants a loss to last."""
    fresh = situation.time.timestamp() - alarm.end <= FRESH * batch_length(situation.evidence).total_seconds()
    return fresh and alarm.end - alarm.start >= situation.evidence.alarm_after.total_seconds()


def _hurts(
    judgement: Judgement,
    alarm: Alarm,
    span: Span,
    source: Source,
    run: Sequence[Batch],
    control: Sequence[Batch] | None = None,
) -> Judged:
    measured, theirs = sums(run), sums(control) if control is not None else None
    words = f"{in_words(alarm.speedup, measured, theirs)}; {_long(alarm)} far below break-even"
    if source == Source.CALIBRATED:
        words += " by live tokens per step and the stored step times"
    report = figures(
        theirs, measured, alarm.speedup, source=source, verdict=Verdict.HURTS, until=alarm.end, message=words
    )
    return Judged(
        verdict=Verdict.HURTS,
        source=source,
        span=span,
        speedup=alarm.speedup,
        off=theirs,
        on=measured,
        off_batches=tuple(control or ()),
        on_batches=tuple(run),
        sudden=True,
        windows=judgement.windows,
        next_end=judgement.next_end,
        suspects=judgement.suspects,
        report=detailed(report, run, measured),
    )


def _long(alarm: Alarm) -> str:
    seconds = alarm.end - alarm.start
    return f"{seconds:.0f} s in a row" if seconds < 120 else f"{seconds / 60:.0f} min in a row"

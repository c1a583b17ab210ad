"""What the sequential alarm makes of a judgement: a large loss is judged by the newest minutes alone.

It needs neither a complete window nor a fleet at rest: a replica that comes, goes or warms up is left out of the
batches anyhow, so what was measured before a roll-out stays the reference of what comes up in it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from breakeven.api.status import LoadBand, Source
from breakeven.domain.counters.increments import REMEMBERED, spliced
from breakeven.domain.counters.observation import Arm, Batch
from breakeven.domain.counters.windows import Span, batch_length
from breakeven.domain.evidence import control_profile
from breakeven.domain.evidence.alternation import paired
from breakeven.domain.evidence.comparison import serving_comparison, tried_at
from breakeven.domain.evidence.figures_in_words import in_words
from breakeven.domain.evidence.judge import arm_hold, judged
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift, shift, slowed
from breakeven.domain.measures.acceptance import detailed
from breakeven.domain.measures.alarm import Alarm, raised, raised_alone, suspicious, suspicious_alone
from breakeven.domain.measures.as_configured import drafted
from breakeven.domain.measures.figures import figures, sums
from breakeven.domain.measures.lengths import drift
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation

NEWEST = 24
"""Batches in which the newest cells are looked for between two passes."""
BURST = timedelta(minutes=2)
"""Each burst doubles this time that a loss has to last; after `leaveWindows` windows those decide anyway."""
REMEMBERED_BURSTS = timedelta(days=7)
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
    source: Source = Source.MEASURED


def alarmed(situation: Situation, judgement: Judgement) -> Judgement:
    """The judgement, replaced when the newest points alone show a loss that need not wait for the window's end.

    During a trial they are about what serves beside it, and the judgement of the trial stays.
    """
    arms = _arms(situation)
    if arms is None or not _slow(arms) or (isinstance(judgement, Judged) and judgement.kept):
        return judgement
    judgement = replace(judgement, suspects=True)
    return judgement if situation.on_trial else _alarmed(situation, arms, judgement)


def beside_the_trial(situation: Situation) -> Judgement:
    """What the windows and the alarm say about what serves while something is on trial."""
    judgement, arms = judged(situation, serving_comparison(situation)), _arms(situation)
    return judgement if arms is None or not _slow(arms) else _alarmed(situation, arms, judgement)


def _alarmed(situation: Situation, arms: _Arms, judgement: Judgement) -> Judgement:
    if arms.theirs is None:
        return _without_control(situation, arms, judgement)
    off, on = spliced(arms.theirs.batches, arms.ours.batches, arms.theirs.newest, arms.ours.newest)
    on = _since(situation, on, same_pods=arms.source == Source.ALTERNATING)
    alarm = raised(off, on, leave=arms.leave, min_requests=situation.evidence.min_requests)
    if alarm is None or not _counts(situation, alarm):
        return replace(judgement, waited_out=alarm is not None)
    span = Span(alarm.start, alarm.end, situation.evidence.leave_windows)
    control, run = span.of(off), span.of(on)
    control = tuple(slowed(control, arms.nodes.factor))
    alarm = replace(alarm, speedup=arms.nodes.of(alarm.speedup))
    if drift(control, run) or drafted(control) or not _drafts(run):
        return judgement
    return _hurts(judgement, alarm, span, arms.source, run, control)


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
    cell: timedelta | None = None
    """Both arms alternate on the same pods. None: each has pods of its own."""

    def sees(self, arms: Mapping[str, Arm]) -> bool:
        """Whether the newest point is slow at all: only then can `alarmed` find anything."""
        found = self.arms(arms, cells_of=NEWEST)
        return found is not None and _slow(found)

    def arms(self, arms: Mapping[str, Arm], *, cells_of: int = REMEMBERED) -> _Arms | None:
        """What is compared at this moment; where the arms alternate, the cells of so many batches."""
        ours = _seen(arms.get(self.on), "stable")
        theirs = _seen(arms.get(self.off), "control") if self.off is not None else None
        if ours is None:
            return None
        if theirs is not None and theirs.batches[-1].end >= ours.batches[-1].end - self.late:
            if self.cell is None:
                return _Arms(ours, theirs, 0.0, self.leave, self.nodes)
            # A cell has both arms from the same pods and no part of it has, so there are no increments.
            off, on = paired(theirs.batches[-cells_of:], ours.batches[-cells_of:], self.cell)
            ours, theirs = replace(ours, batches=on, newest=()), replace(theirs, batches=off, newest=())
            return _Arms(ours, theirs, 0.0, self.leave, source=Source.ALTERNATING)
        return _Arms(ours, None, self.inflation, self.leave_alone) if self.inflation is not None else None


def lookout(situation: Situation) -> Lookout | None:
    """What the alarm compares; None when what serves does not speculate. A trial is judged by its windows."""
    compared = serving_comparison(situation)
    if compared is None:
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
        cell=compared.cell,
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
        return replace(judgement, waited_out=alarm is not None)
    span = Span(alarm.start, alarm.end, situation.evidence.leave_windows)
    run = span.of(on)
    return _hurts(judgement, alarm, span, Source.CALIBRATED, run) if _drafts(run) else judgement


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


def _since(situation: Situation, batches: Sequence[Batch], *, same_pods: bool = False) -> Sequence[Batch]:
    """What was counted since the last change of what serves and the last outage; a trial is none.

    Where both arms alternate on the same pods, a promotion changes nothing about them: then since the trial before it.
    """
    since = None if situation.on_trial or same_pods else situation.memory.since
    moments = (since, situation.memory.evidence_after)
    begin = max((moment.timestamp() for moment in moments if moment is not None), default=0.0)
    begin = max(begin, tried_at(situation)) if same_pods and not situation.on_trial else begin
    return batches[bisect_left(batches, begin, key=lambda batch: batch.start) :]


def _counts(situation: Situation, alarm: Alarm) -> bool:
    """Whether it is about the present, and has lasted as long as the user wants a loss to last."""
    fresh = situation.time.timestamp() - alarm.end <= FRESH * batch_length(situation.evidence).total_seconds()
    return fresh and alarm.end - alarm.start >= alarm_after(situation).total_seconds()


def alarm_after(situation: Situation) -> timedelta:
    """How long a loss must have lasted: what the user says, or longer where alarms were bursts.

    An alarm that is followed by a trial that pays was one. Each doubles the time from `BURST`; a week without any
    forgets them.
    """
    learned = BURST * 2 ** len(situation.memory.bursts) if _remembered(situation) else timedelta()
    longest = situation.evidence.window * situation.evidence.leave_windows
    return max(situation.evidence.alarm_after, min(learned, longest))


def _remembered(situation: Situation) -> bool:
    """Whether the newest burst, one that was waited out included, is young enough to be expected again."""
    return any(situation.time - moment < REMEMBERED_BURSTS for moment in situation.memory.bursts)


def _drafts(run: Sequence[Batch]) -> bool:
    """Whether what should draft does, as far as its counters say: where not, they say nothing about it."""
    return any(batch.totals.drafted is None or batch.totals.drafted > 0 for batch in run)


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

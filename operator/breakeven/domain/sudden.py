"""What the sequential alarm makes of a judgement: a large loss is judged by the newest minutes alone.

It needs neither a complete window nor a fleet at rest: a replica that comes, goes or warms up is left out of the
batches anyhow, so what was measured before a roll-out stays the reference of what comes up in it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from breakeven.api.status import Source
from breakeven.domain import control_profile
from breakeven.domain.acceptance import detailed
from breakeven.domain.alarm import Alarm, raised, raised_alone, suspicious, suspicious_alone
from breakeven.domain.evidence import Comparison, Judgement, arm_hold, comparison, in_words
from breakeven.domain.figures import figures, sums
from breakeven.domain.increments import spliced
from breakeven.domain.lengths import drift
from breakeven.domain.observation import Arm, Batch
from breakeven.domain.situation import Situation
from breakeven.domain.verdict import Verdict
from breakeven.domain.windows import Span, batch_length

FRESH = 3
"""Batches that may lie between the newest point and now: an alarm is about the present."""


def alarmed(now: Situation, found: Judgement) -> Judgement:
    """The judgement, replaced when the newest points alone show a loss that need not wait for the window's end."""
    compared = comparison(now)
    if now.observation.outage is not None or compared is None or compared.trial:
        return found
    ours = _seen(now.arm(compared.on), "stable")
    if ours is None:
        return found
    if compared.off is None:
        return _without_control(now, compared, found, ours)
    theirs = _seen(now.arm(compared.off), "control")
    if (
        theirs is None
        or theirs.batches[-1].end < ours.batches[-1].end - FRESH * batch_length(now.evidence).total_seconds()
    ):
        stored = replace(compared, off=None, bounds=compared.bounds.without_control(), profile=now.memory.profile)
        return _without_control(now, stored, found, ours)  # the control itself is restarting
    leave = compared.bounds.leave
    if not suspicious(theirs.newest or theirs.batches, ours.newest or ours.batches, leave=leave):
        return found
    off, on = spliced(theirs.batches, ours.batches, theirs.newest, ours.newest)
    on = _since(now, on)
    alarm = raised(off, on, leave=leave, min_requests=now.evidence.min_requests)
    if alarm is None or not _fresh(now, alarm):
        return found
    span = Span(alarm.start, alarm.end, now.evidence.leave_windows)
    control, run = span.of(off), span.of(on)
    return found if drift(control, run) else _hurts(found, alarm, span, Source.MEASURED, run, control)


def _without_control(now: Situation, compared: Comparison, found: Judgement, ours: Arm) -> Judgement:
    """The same from live tokens per step and the smallest step-time inflation that is stored for this variant."""
    inflation = stored_inflation(compared, now.now)
    leave = compared.bounds.leave
    if inflation is None or not suspicious_alone(ours.newest or ours.batches, inflation=inflation, leave=leave):
        return found
    _, on = spliced(ours.batches, ours.batches, ours.newest, ours.newest)
    on = _since(now, on)
    alarm = raised_alone(on, inflation=inflation, leave=leave, min_requests=now.evidence.min_requests)
    if alarm is None or not _fresh(now, alarm):
        return found
    span = Span(alarm.start, alarm.end, now.evidence.leave_windows)
    return _hurts(found, alarm, span, Source.CALIBRATED, span.of(on))


def stored_inflation(compared: Comparison, now: datetime) -> float | None:
    """The smallest R of this variant in any band of load that is young enough: the one that speaks most for it."""
    known = [
        float(band.inflation)
        for band in compared.profile
        if band.variant == compared.on.name
        and band.inflation is not None
        and now - band.measured_at <= control_profile.VALID
    ]
    return min(known, default=None)


def _seen(arm: Arm | None, name: str) -> Arm | None:
    """The arm, when enough of its ready replicas are scraped."""
    return arm if arm is not None and arm_hold(arm, name) is None and arm.ready > 0 else None


def _since(now: Situation, batches: Sequence[Batch]) -> Sequence[Batch]:
    """What was counted since the last change of state and the last outage."""
    moments = (now.memory.since, now.memory.evidence_after)
    begin = max((moment.timestamp() for moment in moments if moment is not None), default=0.0)
    return batches[bisect_left(batches, begin, key=lambda batch: batch.start) :]


def _fresh(now: Situation, alarm: Alarm) -> bool:
    return now.now.timestamp() - alarm.end <= FRESH * batch_length(now.evidence).total_seconds()


def _hurts(
    found: Judgement,
    alarm: Alarm,
    span: Span,
    source: Source,
    run: Sequence[Batch],
    control: Sequence[Batch] | None = None,
) -> Judgement:
    measured, theirs = sums(run), sums(control) if control is not None else None
    words = f"{in_words(alarm.speedup, measured, theirs)}; {_long(alarm)} far below break-even"
    if source == Source.CALIBRATED:
        words += " by live tokens per step and the stored step times"
    report = figures(
        theirs, measured, alarm.speedup, source=source, verdict=Verdict.HURTS, until=alarm.end, message=words
    )
    return replace(
        found,
        hold=None,
        verdict=Verdict.HURTS,
        source=source,
        span=span,
        speedup=alarm.speedup,
        off=theirs,
        on=measured,
        off_tpot=None,
        off_batches=tuple(control or ()),
        on_batches=tuple(run),
        live_control=False,
        sudden=True,
        report=detailed(report, run, measured),
    )


def _long(alarm: Alarm) -> str:
    seconds = alarm.end - alarm.start
    return f"{seconds:.0f} s in a row" if seconds < 120 else f"{seconds / 60:.0f} min in a row"

"""From an observation to a judgement: which arms, which windows, which verdict, or why there is none."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil, hypot

from breakeven.api.changes import revised
from breakeven.api.scalars import format_duration
from breakeven.api.status import LoadBand, Source, State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import HoldReason
from breakeven.domain import capacity
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Smoke
from breakeven.domain.counters.windows import BATCHES, HISTORY, LEVELS, Grid, Span, grid
from breakeven.domain.decision import Hold
from breakeven.domain.evidence import calibration, control_profile, node_speeds
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, Nothing, held, held_by
from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift
from breakeven.domain.measures import verdict
from breakeven.domain.measures.acceptance import detailed
from breakeven.domain.measures.correlation import widening
from breakeven.domain.measures.figures import Sums, figures, sums
from breakeven.domain.measures.lengths import SAID, drift
from breakeven.domain.measures.speedup import hanging_together, speedup, tpot
from breakeven.domain.measures.statistics import LogRatio, quotient_apart
from breakeven.domain.measures.verdict import Bounds, Verdict
from breakeven.domain.situation import Situation

SCRAPED_SHARE = 0.8
"""With fewer of its ready replicas scraped, an arm is not judged."""
READY_SHARE = 0.75
"""With fewer of its replicas ready while some come or go, an arm is not judged. Those that are not ready, or warm up,
are in no batch, so one of many that restarts changes nothing about the others."""
TOGETHER = 240
"""Newest batches that their correlation is taken from: four hours at the default window."""
STALE_WINDOWS = 2
"""An arm whose newest batch is older than so many windows is not judged."""


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
    profile: Sequence[LoadBand] = field(default=())
    """What was measured live by load, and after it what the spec's calibration says: the first of a band counts."""
    not_calibrated: str = ""
    """Why the calibration says nothing, as a sentence. Empty: there is none, or it is used."""


def comparison(situation: Situation) -> Comparison | None:
    """What there is to compare at this moment; None when nothing speculates and nothing is on trial."""
    speedup_spec = situation.spec.thresholds.speedup
    if situation.on_trial and situation.memory.canary is not None:
        canary, stable = situation.memory.canary, situation.stable
        bounds = trial_bounds(situation, canary)
        if capacity.one_after_the_other(situation):
            return _stored_comparison(situation, canary, bounds, trial=True)
        return Comparison(off=stable, on=canary, bounds=bounds, trial=True)
    if not situation.stable.speculates:
        return None
    bounds = verdict.keeping(speedup_spec)
    control = situation.stable.baseline
    fleet = situation.fleet(control)
    if situation.memory.holdback and fleet is not None and fleet.wanted > 0:
        return Comparison(off=control, on=situation.stable, bounds=bounds, trial=False)
    return _stored_comparison(situation, situation.stable, bounds, trial=False)


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


def judge(situation: Situation) -> Judgement:
    """Judge the newest complete windows."""
    outage = situation.observation.outage
    if outage is not None:
        return held_by(outage)
    compared = comparison(situation)
    if compared is None:
        return Nothing()
    hold = _not_comparable(situation, compared)
    if hold is not None:
        return Held(hold=hold)
    on = _counting(situation, compared.on)
    off = _counting(situation, compared.off) if compared.off is not None else None
    cut = grid(situation.evidence, _comparable_since(situation, compared))
    newest = min(arm[-1].end if arm else cut.anchor for arm in (on, off) if arm is not None)
    if newest < situation.time.timestamp() - STALE_WINDOWS * cut.window and newest > cut.anchor:
        return held(HoldReason.STALE, "the newest complete batch of an arm is older than two windows")
    compared = replace(compared, correlation=hanging_together(on[-TOGETHER:], off and off[-TOGETHER:]))
    best = replace(_best(situation, compared, cut, newest, off, on), next_end=cut.next_end(newest))
    if best.report is None or not best.on_batches:
        return best
    return replace(best, report=detailed(best.report, best.on_batches, best.on))


def _best(
    situation: Situation,
    compared: Comparison,
    cut: Grid,
    newest: float,
    off: Sequence[Batch] | None,
    on: Sequence[Batch],
) -> Judged | Held:
    """The first span that decides; else the shortest that could be judged; else why none could."""
    done = cut.complete(newest)
    shortest: Judged | None = None
    hold = held(
        HoldReason.FIRST_WINDOW, f"the first window of {format_duration(situation.evidence.window)} is not complete"
    )
    for level in levels(compared, done):
        span = cut.last(newest, level)
        if span is None:
            continue
        judgement = replace(_judge_span(situation, compared, span, off, on), windows=done)
        if isinstance(judgement, Held):
            hold = judgement
        elif judgement.verdict in (Verdict.PAYS, Verdict.HURTS):
            return judgement
        else:
            shortest = shortest or judgement
    return shortest or replace(hold, windows=done)


def levels(compared: Comparison, done: int) -> Sequence[int]:
    """Spans worth judging: in a trial everything since it began, otherwise the newest windows, short before long."""
    if compared.trial:
        return [min(done, LEVELS[-1])] if done else []
    return [level for level in LEVELS if level <= done]


def _judge_span(
    situation: Situation,
    compared: Comparison,
    span: Span,
    off: Sequence[Batch] | None,
    on: Sequence[Batch],
) -> Judged | Held:
    """One span, against the live control or the stored one."""
    ours, theirs = span.of(on), span.of(off) if off is not None else ()
    fewest = BATCHES * span.level / 2
    if len(ours) < fewest or (off is not None and len(theirs) < fewest):
        return held(HoldReason.MISSING_BATCHES, "more than half of the window was not scraped in one of the arms")
    measured = sums(ours)
    hold = _too_little(situation, compared.on, measured, "speculating" if compared.on.speculates else "new")
    if hold is not None:
        return _without_figures(hold, span, measured)
    if compared.off is None:
        return _against_profile(situation, compared, span, ours, measured)
    nodes = node_speeds.shift(situation, compared.off, compared.on)
    theirs = tuple(node_speeds.slowed(theirs, nodes.factor))
    control = sums(theirs)
    hold = _too_little(situation, compared.off, control, "control") or _other_traffic(theirs, ours)
    if hold is not None:
        return _without_figures(hold, span, measured, control)
    ratio = speedup(theirs, ours)
    if ratio is None:
        return held(HoldReason.COUNTER_ABSENT, "time per output token cannot be measured in one of the arms")
    ratio = ratio.widened(widening(compared.correlation, len(ours)))
    ratio = replace(ratio, error=hypot(ratio.error, nodes.error))
    words, unlike = in_words(ratio, measured, control, nodes), drift(theirs, ours, beyond=SAID)
    message, says = f"{words}; {unlike}" if unlike else words, compared.bounds.judge(ratio)
    report = figures(control, measured, ratio, source=Source.MEASURED, verdict=says, until=span.end, message=message)
    report = revised(report, nodes=node_speeds.reported(situation, compared.off, compared.on, nodes))
    return Judged(
        verdict=says,
        source=Source.MEASURED,
        span=span,
        speedup=ratio,
        off=control,
        on=measured,
        off_tpot=tpot(theirs),
        live_control=True,
        off_batches=theirs,
        on_batches=ours,
        report=report,
    )


def _without_figures(hold: Hold, span: Span, measured: Sums, control: Sums | None = None) -> Held:
    """What was measured where it is too little for a verdict."""
    report = figures(control, measured, None, source=None, verdict="", until=span.end, message=hold.message)
    return Held(hold=hold, span=span, on=measured, off=control, report=report)


def _against_profile(
    situation: Situation, compared: Comparison, span: Span, ours: tuple[Batch, ...], measured: Sums
) -> Judged | Held:
    """What one arm measures against the stored control at its load."""
    stored = control_profile.find(compared.profile, measured.load, situation.time)
    live = tpot(ours)
    if live is None:
        return held(HoldReason.COUNTER_ABSENT, "time per output token cannot be measured")
    live = live.widened(widening(compared.correlation, len(ours)))
    if stored is None:
        message = "no control was measured at the present load"
        message += f"; {compared.not_calibrated}" if compared.not_calibrated else ""
        hold = Hold(reason=HoldReason.LOAD_NOT_MEASURED, message=message)
        return replace(_without_figures(hold, span, measured), on_batches=ours)
    here = node_speeds.position(situation, compared.on)
    ratio = here.of(quotient_apart(control_profile.expected_tpot(stored), live))
    says = compared.bounds.judge(ratio)
    what = "calibration" if stored.variant == calibration.NAME else "control"
    age = _age(situation.time - stored.measured_at)
    words = f"{in_words(ratio, measured, None)}; {what} of {age} ago at this load"
    report = figures(None, measured, ratio, source=Source.CALIBRATED, verdict=says, until=span.end, message=words)
    return Judged(
        verdict=says,
        source=Source.CALIBRATED,
        span=span,
        speedup=ratio,
        on=measured,
        on_batches=ours,
        report=revised(report, tpot_off_ms=stored.off_tpot_ms, inflation=stored.inflation),
    )


def in_words(ratio: LogRatio, on: Sums, off: Sums | None, nodes: Shift = NO_SHIFT) -> str:
    """The figures of a verdict in one line."""
    parts = [f"S {ratio.value:.3f} [{ratio.lower():.3f}, {min(ratio.upper(), 999):.3f}]"]
    if nodes != NO_SHIFT:
        parts.append(f"corrected by x{nodes.factor:.3f} (error {nodes.error:.3f}) for the speed of the nodes")
    if on.tokens_per_step is not None:
        parts.append(f"E {on.tokens_per_step:.2f}")
    if off is not None and on.step_seconds and off.step_seconds:
        inflation = on.step_seconds / off.step_seconds
        parts.append(f"R {inflation:.2f}")
        if on.acceptance is not None and on.draft_length:
            parts.append(f"acceptance {on.acceptance:.3f} against break-even {(inflation - 1) / on.draft_length:.3f}")
    elif on.acceptance is not None:
        parts.append(f"acceptance {on.acceptance:.3f}")
    if on.finished is not None:
        requests = on.finished if off is None or off.finished is None else min(on.finished, off.finished)
        parts.append(f"{requests:.0f} requests an arm")
    return ", ".join(parts)


def _not_comparable(situation: Situation, compared: Comparison) -> Hold | None:
    """Why these arms cannot be judged at this moment."""
    for variant in (compared.off, compared.on):
        if variant is None:
            continue
        name = "control" if variant == compared.off else "canary" if compared.trial else "stable"
        fleet, arm = situation.fleet(variant), situation.arm(variant)
        hold = _fleet_hold(fleet, name) or arm_hold(arm, name)
        if hold is not None:
            return hold
    if compared.trial:
        fleet = situation.fleet(compared.on)
        if fleet is not None and fleet.smoke != Smoke.PASSED:
            return Hold(reason=HoldReason.SMOKE_TEST, message="the canary has not passed its smoke test yet")
    return None


def _fleet_hold(fleet: Fleet | None, name: str) -> Hold | None:
    if fleet is None or fleet.ready == 0:
        return Hold(reason=HoldReason.STARTING, message=f"no replica of the {name} is ready")
    if fleet.settled_since is None and fleet.ready < READY_SHARE * fleet.wanted:
        return Hold(reason=HoldReason.REPLICAS_CHANGING, message=f"replicas of the {name} are changing")
    return None


def arm_hold(arm: Arm | None, name: str) -> Hold | None:
    """Why an arm cannot be measured; None when it can."""
    if arm is None or not arm.batches:
        return Hold(reason=HoldReason.NO_DATA, message=f"no complete batch of the {name} yet")
    if arm.scraped < SCRAPED_SHARE * arm.ready:
        message = f"fewer than {SCRAPED_SHARE:.0%} of the ready replicas of the {name} are scraped"
        return Hold(reason=HoldReason.PARTIAL_DATA, message=message)
    return None


def _comparable_since(situation: Situation, compared: Comparison) -> float:
    """The first batch that every arm has since the last change of state and the last outage; Unix seconds.

    Batches that are kept for long enough are forgotten, and the first one moves; then whole windows are counted from
    the change of state, so that every pass cuts the same ones.
    """
    moments = (situation.memory.since, situation.memory.evidence_after)
    begin = max((moment.timestamp() for moment in moments if moment is not None), default=0.0)
    arms = [_counting(situation, variant) for variant in (compared.off, compared.on) if variant is not None]
    first = max((_first_since(arm, begin) for arm in arms), default=begin)
    window = situation.evidence.window.total_seconds()
    if any(arm and arm[-1].end - first >= (HISTORY - 1) * window for arm in arms):
        return begin + ceil((first - begin) / window) * window
    return first


def _first_since(batches: Sequence[Batch], begin: float) -> float:
    index = bisect_left(batches, begin, key=lambda batch: batch.start)
    return max(begin, batches[index].start) if index < len(batches) else begin


def _counting(situation: Situation, variant: Variant) -> Sequence[Batch]:
    arm = situation.arm(variant)
    return arm.batches if arm is not None else ()


def _too_little(situation: Situation, variant: Variant, arm: Sums, name: str) -> Hold | None:
    wanted = situation.evidence
    if arm.finished is None or arm.tokens is None or arm.seconds is None:
        return Hold(reason=HoldReason.COUNTER_ABSENT, message=f"a counter of the {name} arm is absent")
    if arm.finished < wanted.min_requests:
        message = f"fewer than {wanted.min_requests} requests finished in the {name} arm"
        return Hold(reason=HoldReason.TOO_FEW_REQUESTS, message=message)
    if not variant.speculates:
        return None
    if arm.drafted is None and arm.v0_emitted:
        return None  # S rests on time per output token alone; acceptance stays unknown
    if arm.drafted is None:
        return Hold(reason=HoldReason.COUNTER_ABSENT, message=f"the draft counters of the {name} arm are absent")
    if arm.drafted < wanted.min_draft_tokens:
        message = f"fewer than {wanted.min_draft_tokens} tokens drafted in the {name} arm"
        return Hold(reason=HoldReason.TOO_FEW_DRAFTS, message=message)
    return None


def _other_traffic(theirs: Sequence[Batch], ours: Sequence[Batch]) -> Hold | None:
    words = drift(theirs, ours)
    return Hold(reason=HoldReason.LENGTHS_DIFFER, message=words) if words else None


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def measured_alone(situation: Situation, variant: Variant) -> tuple[Sums, LogRatio] | None:
    """What one variant measures while it serves alone; None when there is no complete window or too little in it."""
    alone = Comparison(off=None, on=variant, bounds=Bounds(promote=1.0, leave=1.0), trial=False)
    if situation.observation.outage is not None or _not_comparable(situation, alone) is not None:
        return None
    batches = _counting(situation, variant)
    cut = grid(situation.evidence, _comparable_since(situation, alone))
    for level in LEVELS:
        span = cut.last(batches[-1].end, level) if batches else None
        inside = span.of(batches) if span is not None else ()
        total = sums(inside)
        per_token = tpot(inside)
        if per_token is not None and _too_little(situation, variant, total, "stable") is None:
            return total, per_token
    return None

"""From an observation to a judgement: which arms, which windows, which verdict, or why there is none."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from math import ceil, hypot

from breakeven.api.changes import revised
from breakeven.api.scalars import format_duration
from breakeven.api.status import Source
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import HoldReason
from breakeven.domain.counters.observation import Answers, Arm, Batch, Fleet, Smoke
from breakeven.domain.counters.windows import HISTORY, LEVELS, Grid, Span, grid
from breakeven.domain.decision import Hold
from breakeven.domain.evidence import alternation, calibration, control_profile, node_speeds, objective
from breakeven.domain.evidence.alternation import side_by_side
from breakeven.domain.evidence.comparison import Comparison, Scatter, comparison, tried_at
from breakeven.domain.evidence.figures_in_words import in_words
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, Nothing, held, held_by
from breakeven.domain.evidence.not_as_configured import not_as_configured
from breakeven.domain.measures import end_to_end
from breakeven.domain.measures.acceptance import detailed
from breakeven.domain.measures.as_configured import faithful
from breakeven.domain.measures.correlation import widening
from breakeven.domain.measures.figures import Sums, figures, sums
from breakeven.domain.measures.lengths import SAID, drift
from breakeven.domain.measures.points import paired, single
from breakeven.domain.measures.speedup import hanging_together, speedup, tpot
from breakeven.domain.measures.spread import spread
from breakeven.domain.measures.statistics import LogRatio, quotient_apart
from breakeven.domain.measures.verdict import Bounds, Verdict
from breakeven.domain.situation import Situation

SCRAPED_SHARE = 0.8
"""With fewer of its ready replicas scraped, an arm is not judged."""
READY_SHARE = 0.75
"""With fewer of its replicas ready while some come or go, an arm is not judged. Those that are not ready, or warm up,
are in no batch, so one of many that restarts changes nothing about the others."""
TOGETHER = 240
"""Newest batches, at most, that scatter and correlation are taken from: four hours at the default window."""
EVERY_LOOK = 1e-4
"""Error rate of a bound of S. It is looked at anew with each window, and over six lengths of the past, so one in a
thousand would be too often. One height for every look (Pocock's boundary) proved as narrow as a confidence sequence
(docs/adr/0025-evidence-that-adds-up.md)."""
FEWEST_STORED = 2
"""Windows that S against a stored control is judged over, at least: traffic and hour are not cancelled in it."""
OF_THE_PRESENT = (HoldReason.LOAD_NOT_MEASURED, HoldReason.LENGTHS_DIFFER)
"""What holds a span and every longer one: those are about another load, or other traffic, and what a shorter one said
stands."""
STALE_WINDOWS = 2
"""An arm whose newest batch is older than so many windows is not judged."""


def judge(situation: Situation) -> Judgement:
    """Judge the newest complete windows of what is on trial, else of what serves."""
    return judged(situation, comparison(situation))


def judged(situation: Situation, compared: Comparison | None) -> Judgement:
    """Judge the newest complete windows of these arms."""
    outage = situation.observation.outage
    if outage is not None:
        return held_by(outage)
    if compared is None:
        return Nothing()
    hold = _not_comparable(situation, compared)
    if hold is not None:
        return Held(hold=hold)
    on = _counting(situation, compared.on)
    off = _counting(situation, compared.off) if compared.off is not None else None
    cut = grid(situation.evidence, _comparable_since(situation, compared), step=compared.cell)
    newest = min(arm[-1].end if arm else cut.anchor for arm in (on, off) if arm is not None)
    if newest < situation.time.timestamp() - STALE_WINDOWS * cut.window and newest > cut.anchor:
        return held(HoldReason.STALE, "the newest complete batch of an arm is older than two windows")
    begun = tried_at(situation)
    theirs, ours = side_by_side(off and _scattering(off, begun), _scattering(on, begun), compared.cell)
    decoding = single(ours) if theirs is None else paired(theirs, ours)
    whole = end_to_end.points(theirs, ours) if theirs else []
    compared = replace(
        compared,
        correlation=hanging_together(ours, theirs),
        decoding=Scatter(decoding, spread(decoding)),
        to_last=Scatter(whole, spread(whole)),
    )
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
    """The first span that decides; else the shortest that could be judged; else why none could.

    Evidence adds up within a span: a loss that no window shows by itself is shown by many, and one that a single window
    shows waits for `leaveWindows`.
    """
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
            if judgement.hold.reason in OF_THE_PRESENT:
                return shortest or replace(judgement, windows=done)
            hold = judgement
        elif judgement.verdict == Verdict.PAYS or lasts(situation, judgement):
            return judgement
        else:
            shortest = shortest or judgement
    return shortest or replace(hold, windows=done)


def levels(compared: Comparison, done: int) -> Sequence[int]:
    """Spans worth judging: in a trial everything since it began, otherwise the newest windows, short before long."""
    if compared.trial:
        return [min(done, LEVELS[-1])] if done else []
    fewest = 1 if compared.off is not None else FEWEST_STORED
    return [level for level in LEVELS if fewest <= level <= done]


def lasts(situation: Situation, judgement: Judgement) -> bool:
    """Whether a loss is shown over as many windows as the user wants, or at once by the sequential alarm."""
    if not isinstance(judgement, Judged) or judgement.verdict != Verdict.HURTS:
        return False
    enough = min(situation.evidence.leave_windows, LEVELS[-1])
    shown = judgement.windows if judgement.source == Source.FIXED else judgement.span.level  # a floor is of each window
    return judgement.sudden or shown >= enough


def _judge_span(
    situation: Situation,
    compared: Comparison,
    span: Span,
    off: Sequence[Batch] | None,
    on: Sequence[Batch],
) -> Judged | Held:
    """One span, against the live control or the stored one."""
    seen, seen_off = span.of(on), span.of(off) if off is not None else None
    whole, whole_off = faithful(compared.on, seen), faithful(compared.off, seen_off)
    hold = not_as_configured((seen, whole), (seen_off, whole_off))
    if hold is not None:
        return Held(hold=hold, span=span)
    theirs, ours, enough = alternation.in_span(whole_off, whole, compared.cell, situation.evidence, span)
    if not enough:
        return held(HoldReason.MISSING_BATCHES, "more than half of the window was not scraped in one of the arms")
    measured = sums(ours)
    hold = _too_little(situation, compared.on, measured, "speculating" if compared.on.speculates else "new")
    if hold is not None:
        return _without_figures(hold, span, measured)
    if compared.off is None or theirs is None:
        return _against_profile(situation, compared, span, whole, measured)
    nodes = node_speeds.shift(situation, compared.off, compared.on)
    theirs = tuple(node_speeds.slowed(theirs, nodes.factor))
    control = sums(theirs)
    hold = _too_little(situation, compared.off, control, "control") or _other_traffic(theirs, ours)
    if hold is not None:
        return _without_figures(hold, span, measured, control)
    ratio = speedup(theirs, ours)
    if ratio is None:
        return held(HoldReason.COUNTER_ABSENT, "time per output token cannot be measured in one of the arms")
    ratio = _known_from_all(ratio, compared.decoding, span, widening(compared.correlation, len(ours)))
    ratio = replace(ratio, error=hypot(ratio.error, nodes.error))
    wide = widening(compared.correlation, len(ours))
    to_last = end_to_end.end_to_end(theirs, ours)
    both = objective.Compared(
        off=theirs,
        on=ours,
        speedup=ratio,
        to_last=_known_from_all(to_last, compared.to_last, span, wide) if to_last is not None else None,
        bounds=compared.bounds,
        widened=wide,
        nodes=nodes.error,
    )
    said = objective.says(situation.spec.objective, both)
    words = in_words(ratio, measured, control, nodes)
    message = "; ".join(part for part in (words, said.words, drift(theirs, ours, beyond=SAID)) if part)
    says, shift = said.verdict, node_speeds.reported(situation, compared.off, compared.on, nodes)
    report = figures(control, measured, ratio, source=compared.source, verdict=says, until=span.end, message=message)
    report = revised(report, nodes=shift, objective=said.status)
    return Judged(
        verdict=says,
        source=compared.source,
        span=span,
        speedup=ratio,
        off=control,
        on=measured,
        off_tpot=tpot(theirs),
        live_control=True,
        off_batches=theirs if compared.cell is None else tuple(whole_off or ()),
        on_batches=whole,
        report=report if compared.cell is None else alternation.of_the_fleet(report, whole, ratio),
        decisive=said.decisive,
        kept=said.kept,
        unread=said.unread,
    )


def _known_from_all(ratio: LogRatio, scatter: Scatter, span: Span, widened: float) -> LogRatio:
    """The ratio of a span with the error that the points of four hours say; its own ten groups' where those are few."""
    inside = [point for point in scatter.points if span.start <= (point.start + point.end) / 2 < span.end]
    if scatter.spread is None or not inside:
        return replace(ratio.widened(widened), probability=EVERY_LOOK)
    error = scatter.spread.error(inside, [point.tokens for point in inside])
    return LogRatio(value=ratio.value, error=error, freedom=scatter.spread.freedom, probability=EVERY_LOOK)


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
    live = _known_from_all(live, compared.decoding, span, widening(compared.correlation, len(ours)))
    if stored is None:
        message = "no control was measured at the present load"
        message += f"; {compared.not_calibrated}" if compared.not_calibrated else ""
        hold = Hold(reason=HoldReason.LOAD_NOT_MEASURED, message=message)
        return replace(_without_figures(hold, span, measured), on_batches=ours)
    here = node_speeds.position(situation, compared.on)
    ratio = here.of(quotient_apart(control_profile.expected_tpot(stored), live))
    wide = widening(compared.correlation, len(ours))
    said = objective.says_alone(situation.spec.objective, ours, compared.bounds.judge(ratio), wide)
    what = "calibration" if stored.variant == calibration.NAME else "control"
    age = _age(situation.time - stored.measured_at)
    words = "; ".join(part for part in (in_words(ratio, measured, None), said.words) if part)
    words = f"{words}; {what} of {age} ago at this load"
    report = figures(
        None, measured, ratio, source=Source.CALIBRATED, verdict=said.verdict, until=span.end, message=words
    )
    return Judged(
        verdict=said.verdict,
        source=Source.CALIBRATED,
        span=span,
        speedup=ratio,
        on=measured,
        on_batches=ours,
        report=revised(report, tpot_off_ms=stored.off_tpot_ms, inflation=stored.inflation, objective=said.status),
        kept=said.kept,
        unread=said.unread,
    )


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
        if fleet is not None and fleet.answers == Answers.PENDING:
            return Hold(reason=HoldReason.SMOKE_TEST, message="the canary's answers are still being compared")
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


def _scattering(batches: Sequence[Batch], begun: float) -> Sequence[Batch]:
    """The batches that scatter and correlation are taken from: four hours, or since the newest trial began."""
    return batches[max(len(batches) - TOGETHER, bisect_left(batches, begun, key=lambda batch: batch.start)) :]


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
        inside = faithful(variant, span.of(batches) if span is not None else ())
        total = sums(inside)
        per_token = tpot(inside)
        if per_token is not None and _too_little(situation, variant, total, "stable") is None:
            return total, per_token
    return None

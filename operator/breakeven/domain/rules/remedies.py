"""What is done while speculation serves, before it is switched off: a limit by batch size, a longer draft, a restart.

Each is one change, in the order of `onBelowBreakEven`, and is remembered, so that what did not help is not repeated.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from breakeven.api.spec import DraftSpec, LadderStep, Mode
from breakeven.api.status import Remedy, Source, State
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain import capacity
from breakeven.domain.answer import Transition, transition
from breakeven.domain.evidence import control_profile
from breakeven.domain.evidence.judgement import Judged, Judgement, verdict_of
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, schedules
from breakeven.domain.rules.ladder import longer_length, tuned_length
from breakeven.domain.rules.transitions import disable, drafting, fail_trial, start_trial
from breakeven.domain.situation import Situation

SCHEDULE = "Schedule"
SCHEDULE_AGAIN = timedelta(days=7)
"""A limit by batch size that did not help is tried again when the stored control has been measured anew."""
RESTART = "Restart"
RESTART_AGAIN = timedelta(days=1)
"""Speculation that decays again within a day is switched off instead."""
LONGER = "Longer"
LONGER_AGAIN = timedelta(days=1)
SETTLED_WINDOWS = 6
"""Complete windows with a control before a longer draft is thought of: an hour at the default window."""
KEPT = 16
WORST = 0.80
"""Below this S requests suffer too much to wait for another trial: speculation is switched off at once."""


def before_off(situation: Situation, judgement: Judged) -> Transition | None:
    """What the user's list puts before `Disable` and the evidence supports; None: switch off."""
    live = judgement.source in (Source.MEASURED, Source.ALTERNATING) and judgement.off is not None
    if situation.policy.mode != Mode.AUTO or situation.memory.state != State.SPECULATING or not live:
        return None
    for step in situation.policy.on_below_break_even:
        if step == LadderStep.DISABLE:
            return None
        rule = RULES.get(step)
        remedy = rule(situation, judgement) if rule is not None else None
        if remedy is not None:
            return remedy
    return None


def limit_batches(situation: Situation, judgement: Judged) -> Transition | None:
    """A canary of the same draft that stops drafting above the measured crossover.

    Only where the loss is moderate, the engine obeys the limit, the user has not set one, and the stored profile shows
    that the same variant pays at smaller batches.
    """
    stable = situation.stable
    draft = stable.draft
    if draft is None or draft.disable_above_batch_size is not None or not schedules.obeys(stable):
        return None
    if situation.wished.draft is not None and situation.wished.draft.disable_above_batch_size is not None:
        return None
    present = _present(judgement)
    if present is None or present.speedup < WORST:
        return None
    if not _may_try(situation) or done(situation, SCHEDULE, situation.wished.name, SCHEDULE_AGAIN):
        return None
    limit = schedules.crossover(situation.memory.profile, variant=stable.name, present=present, now=situation.time)
    if limit is None:
        return None
    message = f"{drafting(stable)} without drafting from {limit} running requests on, because it pays below that"
    message += f"; {judgement.report.message}"
    limited = draft.model_copy(update={"disable_above_batch_size": limit})
    begun = _tried(situation, SCHEDULE, situation.wished.name, limited, Reason.LOAD_CROSSES_BREAK_EVEN, message)
    length = tuned_length(judgement.on_batches, judgement.off, judgement.on)
    return begun.also(tuned_length=length) if begun is not None else None


def restart(situation: Situation, judgement: Judged) -> Transition | None:
    """Replace the replicas that speculate, where acceptance decays with their uptime; they are then judged anew."""
    cause = situation.memory.diagnosis
    if cause is None or cause.reason != Reason.DEGRADED_UNTIL_RESTART or not situation.stable.speculates:
        return None
    if situation.memory.canary is not None or not (capacity.can_switch(situation) and _may_load(situation)):
        return None
    if done(situation, RESTART, situation.wished.name, RESTART_AGAIN):
        return None
    return transition(
        Action.RESTART,
        Reason.DEGRADED_UNTIL_RESTART,
        f"{judgement.report.message}; {cause.message}",
        stable=situation.stable.restarted(),
        since=situation.time,
        remedies=remembered(situation, RESTART, situation.wished.name),
    )


RULES: Mapping[LadderStep, Callable[[Situation, Judged], Transition | None]] = {
    LadderStep.TUNE: limit_batches,
    LadderStep.RESTART: restart,
}
"""What each step of `onBelowBreakEven` does while speculation still serves."""


def _present(judgement: Judged) -> schedules.AtLoad | None:
    """Batch size, S and R of the window that shows the loss."""
    batch, on, off = schedules.running(judgement.on_batches), judgement.on, judgement.off
    if batch is None or off is None or not on.step_seconds or not off.step_seconds:
        return None
    if not on.tpot or not off.tpot or not on.load:
        return None
    # the alarm may come from too few batches for bounds; the plain quotient is enough to aim a trial
    return schedules.AtLoad(
        running=batch, speedup=off.tpot / on.tpot, inflation=on.step_seconds / off.step_seconds, load=on.load
    )


def lengthen(situation: Situation, judgement: Judgement) -> Transition | None:
    """A canary with a longer draft while speculation pays, where the last drafted position still survives well."""
    memory, draft = situation.memory, situation.stable.draft
    if not isinstance(judgement, Judged) or memory.state != State.SPECULATING:
        return None
    pays = judgement.verdict == Verdict.PAYS and judgement.live_control
    if not pays or draft is None or situation.policy.mode != Mode.AUTO or judgement.windows < SETTLED_WINDOWS:
        return None
    if (
        LadderStep.TUNE not in situation.policy.on_below_break_even
        or situation.stable.baseline != situation.wished.baseline
    ):
        return None
    length = longer_length(draft, judgement.on_batches, judgement.off, judgement.on)
    if length is None or not _may_try(situation) or done(situation, LONGER, situation.stable.name, LONGER_AGAIN):
        return None
    if memory.cooldown_until is not None and situation.time < memory.cooldown_until:
        return None
    message = f"{length} drafted tokens in place of {draft.num_speculative_tokens}, because the last one survives well"
    message += f"; {judgement.report.message}"
    longer = draft.model_copy(update={"num_speculative_tokens": length})
    return _tried(situation, LONGER, situation.stable.name, longer, Reason.LONGER_DRAFT, message)


def end_rescue(situation: Situation, judgement: Judgement, reason: Reason, message: str) -> Transition:
    """End a trial of the operator's own idea that did not help; what serves goes off if it is still at a loss.

    The trial compared two variants that speculate, so the loss is read off the stored control at the present load.
    """
    off = judgement.off
    stored = control_profile.find(situation.memory.profile, off.load if off is not None else None, situation.time)
    loses = False
    if situation.stable.speculates and off is not None and off.tpot and stored is not None:
        speedup = float(stored.off_tpot_ms) / 1000 / off.tpot
        loses = speedup < float(situation.spec.thresholds.speedup.disable)
        message = f"{message}; what serves has S {speedup:.3f} against the stored control"
    allowed = LadderStep.DISABLE in situation.policy.on_below_break_even and cooldown.may_switch(
        situation.policy, situation.memory, situation.time
    )
    if loses and allowed and capacity.can_switch(situation):
        return disable(situation, Reason.BELOW_BREAK_EVEN, message)
    return fail_trial(situation, reason, message)


def rescuing(situation: Situation) -> bool:
    """Whether the trial under way was begun while what serves was at a loss."""
    tried = situation.memory.remedies
    newest = tried[-1] if tried else None
    began = situation.memory.since
    return (
        situation.memory.state == State.TUNING
        and newest is not None
        and newest.action == SCHEDULE
        and began is not None
        and newest.at == began
    )


def out_of_patience(situation: Situation, judgement: Judgement) -> bool:
    """Whether such a trial had a window more than a verdict takes: what serves loses meanwhile."""
    return (
        rescuing(situation)
        and judgement.windows > situation.evidence.promote_windows
        and verdict_of(judgement) != Verdict.PAYS
    )


def done(situation: Situation, action: str, variant: str, within: timedelta) -> bool:
    """Whether this was tried with this variant so recently."""
    return any(
        r.action == action and r.variant == variant and situation.time - r.at < within
        for r in situation.memory.remedies
    )


def remembered(situation: Situation, action: str, variant: str) -> list[Remedy]:
    """What was tried, with one more."""
    return [*situation.memory.remedies, Remedy(action=action, variant=variant, at=situation.time)][-KEPT:]


def _may_try(situation: Situation) -> bool:
    """Whether a canary can run beside what serves, with room in the day for its promotion and for switching off."""
    beside = capacity.can_try(situation) and not capacity.one_after_the_other(situation) and _may_load(situation)
    return (
        beside
        and situation.memory.canary is None
        and cooldown.may_switch_on(situation.policy, situation.memory, situation.time)
    )


def _may_load(situation: Situation) -> bool:
    """Whether what is not there yet can be loaded."""
    return not situation.warm or capacity.can_load(situation)


def _tried(
    situation: Situation, remedy: str, of: str, draft: DraftSpec, reason: Reason, message: str
) -> Transition | None:
    """A trial of this draft, remembered as a remedy of that variant; None when it failed before."""
    candidate = situation.stable.with_draft(draft)
    if candidate.name in situation.memory.tried:
        return None
    return start_trial(situation, candidate, reason, message).also(remedies=remembered(situation, remedy, of))

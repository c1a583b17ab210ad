"""The rules of a trial: when it begins, and how it ends."""

from pydantic.alias_generators import to_camel

from breakeven.api.scalars import format_duration
from breakeven.api.status import State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason, StayReason
from breakeven.domain import capacity
from breakeven.domain.answer import Answer, Stay, Transition
from breakeven.domain.diagnosis.diagnosis import cause_in_words
from breakeven.domain.evidence import node_speeds
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, figures_of
from breakeven.domain.evidence.objective import loss_reason
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, crossing, economics, hours, remedies
from breakeven.domain.rules.ladder import next_candidate, tuned_length
from breakeven.domain.rules.transitions import abandon_trial, drafting, fail_trial, present_load, promote, start_trial
from breakeven.domain.situation import Situation

LOAD_FELL = 2.0
"""A load this many times lower than at the last failure is another question."""
RESTING = (State.BASELINE, State.COOLDOWN, State.FROZEN, State.SPECULATING)


def wants_trial(situation: Situation) -> bool:
    """Whether anything should be tried: another engine, another draft, or speculation where none serves."""
    stable, wished = situation.stable, situation.wished
    if wished.baseline != stable.baseline:
        return True
    return wished.speculates and (not stable.speculates or _unverified(situation))


def candidate(situation: Situation) -> Variant:
    """What should be tried next, where something should."""
    stable, wished = situation.stable, situation.wished
    if wished.baseline != stable.baseline:
        return _changed(situation)
    return wished if stable.speculates else next_candidate(situation)


def _changed(situation: Situation) -> Variant:
    """The declared engine: with its draft, or without when that alone already failed or nothing speculates yet."""
    wished = situation.wished
    if not situation.stable.speculates or wished.name in situation.memory.tried:
        return wished.baseline
    return wished


def _unverified(situation: Situation) -> bool:
    """Whether the user declared another draft than the one that serves, and the latter was not chosen in its place."""
    return situation.wished.draft != situation.stable.draft and situation.memory.answers != situation.wished.name


def begin_trial(situation: Situation) -> Answer:
    """Start a trial when there is something to try, it may be tried, and what serves is settled and seen."""
    memory = situation.memory
    if memory.state not in RESTING or memory.canary is not None or situation.spec.replicas == 0:
        return None
    if not wants_trial(situation):
        return None
    stay = _cooling_down(situation) or _not_yet(situation) or _not_possible(situation)
    if stay is not None:
        return stay
    wanted = candidate(situation)
    message = f"{drafting(wanted)} against {drafting(situation.stable)}"
    if wanted.baseline != situation.stable.baseline:
        message += f": {changes(situation.stable, wanted)}"
    if capacity.one_after_the_other(situation):
        message += "; one replica, so one after the other, with wider bounds"
    known = economics.loading(situation)
    if not situation.moves_pods:
        message += "; in turns on the same replicas"
    elif known is not None:
        message += f"; each replica of the canary loads {known[0]:.1f} min ({known[1]})"
    return start_trial(situation, wanted, _why(situation), message).also(nodes=node_speeds.learned(situation))


def _cooling_down(situation: Situation) -> Stay | None:
    """A failure is waited out, unless the load is another one."""
    until = situation.memory.cooldown_until
    if until is None or situation.time >= until or _load_fell(situation) or _another_hour(situation):
        return None
    message = "the next trial waits for status.cooldownUntil (spec.policy.cooldown, longer after each failure)"
    return Stay(reason=StayReason.COOLING_DOWN, message=message)


def _not_yet(situation: Situation) -> Stay | None:
    """Something has to happen first."""
    if situation.memory.unverified_since is not None:
        message = "no trial begins before what was rolled back to was measured again"
        return Stay(reason=StayReason.ROLLBACK_UNVERIFIED, message=message)
    if crossing.waits(situation):
        message = "speculation failed for the load; a trial waits until the load has fallen, a day at most"
        return Stay(reason=StayReason.LOAD_HAS_NOT_FALLEN, message=message)
    if hours.waits(situation):
        message = "speculation lost in this hour of the day; a trial waits for one in which it paid, 15 hours at most"
        return Stay(reason=StayReason.HOUR_LOST, message=message)
    if capacity.can_try(situation) and not _serving(situation):
        message = "no trial begins before what serves is ready and at rest"
        return Stay(reason=StayReason.NOT_SETTLED, message=message)
    if node_speeds.unmeasured(situation):
        message = "no trial begins before it is known how much the nodes differ in speed, six windows at most"
        return Stay(reason=StayReason.NODES_NOT_MEASURED, message=message)
    return None


def _not_possible(situation: Situation) -> Stay | None:
    """Replicas, metrics, the day's changes, or a first measurement are missing."""
    if not capacity.can_try(situation):
        return Stay(reason=StayReason.LAST_REPLICA, message=capacity.needs(situation))
    if situation.observation.outage is not None:
        return Stay(reason=StayReason.NO_METRICS, message="no trial begins while the metrics are away")
    if not _within_budget(situation):
        message = "the changes of 24 h leave no room for a trial (spec.policy.maxTransitionsPerDay)"
        return Stay(reason=StayReason.DAY_USED_UP, message=message)
    if capacity.one_after_the_other(situation) and not situation.memory.profile:
        message = "with one replica, the variant without speculation is measured before a trial"
        return Stay(reason=StayReason.CONTROL_NOT_MEASURED, message=message)
    return None


def changes(old: Variant, new: Variant) -> str:
    """Which fields differ besides the draft, in words; plain values with both."""
    parts = []
    for part in ("engine", "target", "hardware"):
        before, after = getattr(old, part), getattr(new, part)
        for name, value in after:
            if getattr(before, name) == value:
                continue
            said = f" is {value} instead of {getattr(before, name)}" if isinstance(value, str) else " changed"
            parts.append(f"spec.{part}.{to_camel(name)}{said}")
    if old.pod_template != new.pod_template:
        parts.append("spec.podTemplate changed")
    return ", ".join(parts)[:400]


def end_trial(situation: Situation, judgement: Judgement) -> Answer:
    """Promote, fail or give up; a trial that does none of these goes on."""
    memory = situation.memory
    if not situation.on_trial or memory.canary is None or memory.since is None:
        return None
    if not capacity.can_try(situation):
        return abandon_trial(situation, Reason.NO_CAPACITY, capacity.needs(situation))
    answer = _hurt(situation, judgement) or _paid(situation, judgement, memory.canary)
    if answer is not None and answer is not SWITCH_DOES_NOT_PAY:
        return answer
    if remedies.out_of_patience(situation, judgement):
        message = f"not shown to be better: {figures_of(judgement)}"
        return remedies.end_rescue(situation, judgement, Reason.NOT_BETTER, message)
    began = max(moment for moment in (memory.since, memory.evidence_after) if moment is not None)
    if situation.time - began >= situation.evidence.trial_timeout:
        return _out_of_time(situation, judgement)
    return answer or TRIAL_GOES_ON


TRIAL_GOES_ON = Stay(
    reason=StayReason.TRIAL_GOES_ON,
    message="a canary is measured until there is a verdict, or until spec.evidence.trialTimeout",
)
SWITCH_DOES_NOT_PAY = Stay(
    reason=StayReason.SWITCH_DOES_NOT_PAY,
    message="the trial pays, but the switch would lose more than it gains; condition CapacityAvailable has the figures",
)


def _hurt(situation: Situation, judgement: Judgement) -> Transition | None:
    """A canary that is shown to be worse."""
    enough = min(situation.evidence.leave_windows, situation.evidence.promote_windows)
    if not isinstance(judgement, Judged) or judgement.verdict != Verdict.HURTS or judgement.windows < enough:
        return None
    words = "; ".join(part for part in (figures_of(judgement), cause_in_words(situation)) if part)
    if situation.memory.state == State.TUNING:
        return remedies.end_rescue(situation, judgement, Reason.NOT_BETTER, words)
    length = tuned_length(judgement.on_batches, judgement.off, judgement.on)
    return fail_trial(situation, loss_reason(judgement), words).also(tuned_length=length, alarmed_at=None)


def _paid(situation: Situation, judgement: Judgement, canary: Variant) -> Answer:
    """A canary that is shown to be good enough."""
    if not isinstance(judgement, Judged) or judgement.verdict != Verdict.PAYS:
        return None
    if judgement.windows < situation.evidence.promote_windows:
        return None
    if judgement.objection:
        message = f"{figures_of(judgement)}; {judgement.objection.message}"
        return fail_trial(situation, judgement.objection.reason, message)
    if judgement.awaits:
        message = f"the trial pays; {judgement.awaits}, which come before spec.evidence.trialTimeout"
        return Stay(reason=StayReason.TAILS_AWAITED, message=message)
    if not cooldown.may_switch(situation.policy, situation.memory, situation.time):
        message = "the trial pays, and the changes of 24 h are used up (spec.policy.maxTransitionsPerDay)"
        return Stay(reason=StayReason.DAY_USED_UP, message=message)
    if economics.not_worth(situation, judgement) is not None:
        return SWITCH_DOES_NOT_PAY
    words = f"{figures_of(judgement)}{economics.in_words(economics.promotion(situation, judgement))}"
    return promote(situation, canary, Reason.PAYS, words, judgement.report)


def _out_of_time(situation: Situation, judgement: Judgement) -> Transition:
    limit = format_duration(situation.evidence.trial_timeout)
    balance = economics.not_worth(situation, judgement)
    if balance is not None:
        words = f"{figures_of(judgement)}; {balance}, and that did not change within {limit}"
        return fail_trial(situation, Reason.SWITCH_DOES_NOT_PAY, words)
    figures = figures_of(judgement) or (
        judgement.hold.message if isinstance(judgement, Held) else "nothing could be measured"
    )
    message = f"no verdict within {limit} (spec.evidence.trialTimeout): {figures}"
    return fail_trial(situation, Reason.UNDECIDED, message)


def _load_fell(situation: Situation) -> bool:
    """Whether the load is far below that of the last failure, and the shortest cooldown is over.

    Break-even moves with load more than with anything else, so a failure at the peak says little about the night.
    """
    memory = situation.memory
    if (
        memory.failed_at_load is None
        or memory.since is None
        or situation.time - memory.since < situation.policy.cooldown
    ):
        return False
    load, factor = present_load(situation), crossing.LOAD_WAS_WHY if crossing.explained(situation) else LOAD_FELL
    return load is not None and 0 < load * factor < float(memory.failed_at_load)


def _another_hour(situation: Situation) -> bool:
    """Whether the hour of the day speaks for a trial, and the shortest cooldown is over."""
    since = situation.memory.since
    return since is not None and situation.time - since >= situation.policy.cooldown and hours.another(situation)


def _serving(situation: Situation) -> bool:
    fleet = situation.fleet(situation.stable)
    return fleet is not None and fleet.ready > 0 and fleet.settled_since is not None


def _within_budget(situation: Situation) -> bool:
    return cooldown.may_switch_on(situation.policy, situation.memory, situation.time)


def _why(situation: Situation) -> Reason:
    if situation.wished.baseline != situation.stable.baseline or situation.stable.speculates:
        return Reason.SPEC_CHANGED
    return Reason.REARM if situation.memory.state in (State.COOLDOWN, State.FROZEN) else Reason.NOT_YET_PROVEN

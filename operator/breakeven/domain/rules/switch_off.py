"""The rule that switches speculation off, and why it did not fire.

A loss has to be shown over `spec.evidence.leaveWindows` windows taken together, or by the sequential alarm. Then the
gates are asked in order: the first that answers decides, and what passes all of them is switched off.
"""

from collections.abc import Callable

from breakeven.api.spec import LadderStep
from breakeven.api.status import Source, State
from breakeven.api.vocabulary import Action, Reason, StayReason
from breakeven.domain import capacity
from breakeven.domain.answer import Answer, Stay, Transition, transition
from breakeven.domain.diagnosis.diagnosis import cause_in_words
from breakeven.domain.evidence.judge import lasts
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.evidence.objective import loss_reason
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, economics, live_control, remedies
from breakeven.domain.rules.ladder import tuned_length
from breakeven.domain.rules.transitions import disable
from breakeven.domain.situation import Situation

MORE_WINDOWS = "a loss is shown; speculation is switched off when spec.evidence.leaveWindows windows together show it"


def leave(situation: Situation, judgement: Judgement) -> Answer:
    """Switch speculation off when enough windows together show that it hurts."""
    serving = situation.memory.state in (State.SPECULATING, State.FROZEN) and situation.stable.speculates
    if not serving or not isinstance(judgement, Judged):
        return None
    if judgement.objection is not None:
        return _act(situation, judgement)  # a clause is asked about many windows at once, and says so surely
    if judgement.verdict != Verdict.HURTS:
        return None
    if not lasts(situation, judgement):
        return Stay(reason=StayReason.MORE_WINDOWS, message=MORE_WINDOWS)
    return _act(situation, judgement)


def _act(situation: Situation, judgement: Judged) -> Transition | Stay:
    """The answer of the first gate that has one; else the end of speculation."""
    for gate in GATES:
        answer = gate(situation, judgement)
        if answer is not None:
            return answer
    return _switch_off(situation, judgement)


def _doubtful(situation: Situation, judgement: Judged) -> Transition | None:
    """BuyControl: a loss that only the stored control shows, and not by far, is measured live first."""
    if judgement.source != Source.CALIBRATED or not live_control.may_buy(situation) or decisive(situation, judgement):
        return None
    return live_control.contradicted(situation, judgement)


def decisive(situation: Situation, judgement: Judged) -> bool:
    """Whether a stored control is enough: the bounds of a comparison without control are passed, not just touched."""
    leave_below = float(situation.spec.thresholds.speedup.disable) - 0.06
    return judgement.speedup is not None and judgement.speedup.upper() < leave_below


def _remediable(situation: Situation, judgement: Judged) -> Transition | None:
    """Remedy: what the user's list puts before `Disable`, unless a rollback is what loses, or a clause objects."""
    if judgement.objection is not None:
        return None
    return None if _rolled_back(situation) else remedies.before_off(situation, judgement)


def _not_listed(situation: Situation, judgement: Judged) -> Stay | None:
    """Stay: the user's list has no `Disable`."""
    del judgement
    if LadderStep.DISABLE in situation.policy.on_below_break_even:
        return None
    message = "speculation loses, and spec.policy.onBelowBreakEven does not list Disable"
    return Stay(reason=StayReason.DISABLE_NOT_LISTED, message=message)


def _last_replica(situation: Situation, judgement: Judged) -> Stay | None:
    """Stay: it would stop the last serving replica."""
    del judgement
    if capacity.can_switch(situation):
        return None
    return Stay(reason=StayReason.LAST_REPLICA, message=f"speculation loses, and {capacity.needs(situation)}")


def _costs_more(situation: Situation, judgement: Judged) -> Stay | None:
    """Stay: the switch loses more than it gains. A rollback is not weighed."""
    if _rolled_back(situation) or economics.not_worth(situation, judgement) is None:
        return None
    message = "speculation loses, and the switch would lose more; condition CapacityAvailable has the figures"
    return Stay(reason=StayReason.SWITCH_DOES_NOT_PAY, message=message)


def _day_used_up(situation: Situation, judgement: Judged) -> Transition | Stay | None:
    """Freeze, once: the day's changes are used up."""
    if cooldown.may_switch(situation.policy, situation.memory, situation.time):
        return None
    if situation.memory.state == State.FROZEN:
        message = "speculation loses, and the changes of 24 h are used up (spec.policy.maxTransitionsPerDay)"
        return Stay(reason=StayReason.DAY_USED_UP, message=message)
    limit = situation.policy.max_transitions_per_day
    message = (
        f"{judgement.report.message}; {limit} changes in 24 h are used up (spec.policy.maxTransitionsPerDay), so it"
    )
    message += " stays as it is"
    return transition(Action.FREEZE, Reason.TOO_MANY_TRANSITIONS, message, state=State.FROZEN, since=situation.time)


GATES: tuple[Callable[[Situation, Judged], Transition | Stay | None], ...] = (
    _doubtful,
    _remediable,
    _not_listed,
    _last_replica,
    _costs_more,
    _day_used_up,
)
"""What stands between a row of windows that show a loss and the end of speculation, in the order asked."""


def _switch_off(situation: Situation, judgement: Judged) -> Transition:
    reason, words = loss_reason(judgement), judgement.report.message
    if judgement.objection is not None:
        reason = judgement.objection.reason
    elif judgement.source == Source.FIXED:
        reason = Reason.BELOW_ACCEPTANCE_FLOOR
    if _rolled_back(situation):
        reason, words = Reason.ROLLBACK_REGRESSED, f"what was rolled back to is below break-even as well: {words}"
    cause = cause_in_words(situation)
    words = f"{words}; {cause}" if cause else words
    if judgement.objection is None:
        words += economics.in_words(economics.disabling(situation, judgement))
    length = tuned_length(judgement.on_batches, judgement.off, judgement.on)
    return disable(situation, reason, words).also(
        tuned_length=length, alarmed_at=situation.time if judgement.sudden else None
    )


def _rolled_back(situation: Situation) -> bool:
    """Whether what serves was rolled back to and was not measured since."""
    return situation.memory.unverified_since is not None

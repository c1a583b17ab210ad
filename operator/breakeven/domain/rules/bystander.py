"""What serves is watched while something is on trial: a loss does not wait for the end of an experiment."""

from breakeven.api.spec import LadderStep
from breakeven.api.status import Source
from breakeven.api.vocabulary import Reason
from breakeven.domain import capacity
from breakeven.domain.answer import Transition
from breakeven.domain.evidence.judge import lasts
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.evidence.loss_alarm import beside_the_trial
from breakeven.domain.rules import cooldown, remedies, switch_off
from breakeven.domain.rules.transitions import abandon_trial, disable, drafting
from breakeven.domain.situation import Situation


def lost(situation: Situation, judgement: Judgement) -> Transition | None:
    """End a trial when what serves beside it is shown to lose: against its control, or the stored one.

    Not a trial that was begun for that very loss.
    """
    del judgement
    if not situation.on_trial or not situation.stable.speculates or remedies.rescuing(situation):
        return None
    found = beside_the_trial(situation)
    if not isinstance(found, Judged) or not lasts(situation, found):
        return None
    message = f"{found.report.message}; seen in {drafting(situation.stable)}, which serves, during a trial"
    if found.source == Source.CALIBRATED and not found.sudden and not switch_off.decisive(situation, found):
        return abandon_trial(situation, Reason.CONTRADICTION, message)
    listed = LadderStep.DISABLE in situation.policy.on_below_break_even
    allowed = cooldown.may_switch(situation.policy, situation.memory, situation.time)
    if not (listed and allowed and capacity.can_switch(situation)):
        return None
    return disable(situation, Reason.BELOW_BREAK_EVEN, message)

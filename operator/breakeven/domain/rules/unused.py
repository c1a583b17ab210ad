"""A trial of a draft that is not in use ends: it would measure the plain engine against itself."""

from breakeven.api.vocabulary import Reason
from breakeven.domain.answer import Transition
from breakeven.domain.diagnosis.not_as_configured import not_as_configured
from breakeven.domain.rules.transitions import fail_trial
from breakeven.domain.situation import Situation


def guard_unused(situation: Situation) -> Transition | None:
    """End a trial whose canary should draft and drafts nothing."""
    if not situation.on_trial:
        return None
    cause = not_as_configured(situation)
    if cause is None or cause.reason is not Reason.NOT_DRAFTING:
        return None
    return fail_trial(situation, Reason.NOT_DRAFTING, cause.message)

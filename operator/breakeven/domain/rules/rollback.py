"""A rollback is not done before what serves again was measured again."""

from breakeven.api.status import LastGood
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain.answer import Transition, transition
from breakeven.domain.evidence.judgement import Held, Judged, Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules.ledger import LONGEST
from breakeven.domain.rules.transitions import drafting, wants_control
from breakeven.domain.situation import Situation


def verify(situation: Situation, judgement: Judgement) -> Transition | None:
    """Record that what was rolled back to does what it did, or that this cannot be determined.

    When it is shown to hurt, `switch_off.leave` switches speculation off, which is the floor.
    """
    since, fleet = situation.memory.unverified_since, situation.fleet(situation.stable)
    if since is None or situation.on_trial or situation.observation.outage is not None:
        return None
    if fleet is None or fleet.ready == 0 or fleet.settled_since is None:
        return None
    serves = f"{drafting(situation.stable)} serves again"
    if not situation.stable.speculates:
        return _closed(Reason.NOT_MEASURED, f"{serves}; there is nothing to measure it against")
    if isinstance(judgement, Judged) and judgement.verdict != Verdict.HURTS:
        needed = (
            situation.evidence.leave_windows
            if judgement.verdict == Verdict.PAYS
            else situation.evidence.promote_windows
        )
        if judgement.windows >= needed:
            message = f"{serves} and was measured again: {judgement.report.message}"
            good = LastGood(variant=situation.stable, verified_at=situation.time, reason=message[:LONGEST])
            closed = _closed(Reason.ROLLBACK_VERIFIED, message)
            return closed.also(last_good=good, holdback=wants_control(situation))
    if not isinstance(judgement, Judged) and situation.time - since >= situation.evidence.trial_timeout:
        why = judgement.hold.message if isinstance(judgement, Held) else "there is no control"
        return _closed(Reason.NOT_MEASURED, f"{serves} and could not be measured: {why}")
    return None


def _closed(reason: Reason, message: str) -> Transition:
    return transition(Action.VERIFY_ROLLBACK, reason, message, unverified_since=None)

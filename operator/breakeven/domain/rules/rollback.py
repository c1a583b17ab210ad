"""A rollback is not done before what serves again was measured again."""

from breakeven.api.status import LastGood, Memory
from breakeven.domain.evidence.judge import Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules.ledger import LONGEST, noted
from breakeven.domain.rules.transitions import describe, wants_control
from breakeven.domain.situation import Situation

VERIFY = "VerifyRollback"


def verify(situation: Situation, judgement: Judgement) -> Memory | None:
    """Record that what was rolled back to does what it did, or that this cannot be told.

    When it is shown to hurt, `keeping.leave` switches speculation off, which is the floor.
    """
    since, fleet = situation.memory.unverified_since, situation.fleet(situation.stable)
    if since is None or situation.on_trial or situation.observation.outage is not None:
        return None
    if fleet is None or fleet.ready == 0 or fleet.settled_since is None:
        return None
    if not situation.stable.speculates:
        return _closed(
            situation,
            "NotMeasured",
            f"{describe(situation.stable)} serves again; there is nothing to measure it against",
        )
    if judgement.verdict is not None and judgement.verdict != Verdict.HURTS:
        needed = (
            situation.evidence.leave_windows
            if judgement.verdict == Verdict.PAYS
            else situation.evidence.promote_windows
        )
        if judgement.windows >= needed:
            words = judgement.report.message if judgement.report is not None else ""
            message = f"{describe(situation.stable)} serves again and was measured again: {words}"
            good = LastGood(variant=situation.stable, verified_at=situation.time, reason=message[:LONGEST])
            closed = _closed(situation, "RollbackVerified", message)
            return closed.model_copy(update={"last_good": good, "holdback": wants_control(situation)})
    if judgement.verdict is None and situation.time - since >= situation.evidence.trial_timeout:
        why = judgement.hold.message if judgement.hold is not None else "there is no control"
        return _closed(
            situation, "NotMeasured", f"{describe(situation.stable)} serves again and could not be measured: {why}"
        )
    return None


def _closed(situation: Situation, reason: str, message: str) -> Memory:
    return noted(situation, VERIFY, reason, message, unverified_since=None)

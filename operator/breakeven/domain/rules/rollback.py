"""A rollback is not done before what serves again was measured again."""

from breakeven.api.status import LastGood, Memory
from breakeven.domain.evidence.judge import Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules.ledger import LONGEST, noted
from breakeven.domain.rules.transitions import describe, wants_control
from breakeven.domain.situation import Situation

VERIFY = "VerifyRollback"


def verify(now: Situation, found: Judgement) -> Memory | None:
    """Record that what was rolled back to does what it did, or that this cannot be told.

    When it is shown to hurt, `keeping.leave` switches speculation off, which is the floor.
    """
    since, fleet = now.memory.unverified_since, now.fleet(now.stable)
    if since is None or now.on_trial or now.observation.outage is not None:
        return None
    if fleet is None or fleet.ready == 0 or fleet.settled_since is None:
        return None
    if not now.stable.speculates:
        return _closed(
            now, "NotMeasured", f"{describe(now.stable)} serves again; there is nothing to measure it against"
        )
    if found.verdict is not None and found.verdict != Verdict.HURTS:
        needed = now.evidence.leave_windows if found.verdict == Verdict.PAYS else now.evidence.promote_windows
        if found.windows >= needed:
            words = found.report.message if found.report is not None else ""
            message = f"{describe(now.stable)} serves again and was measured again: {words}"
            good = LastGood(variant=now.stable, verified_at=now.now, reason=message[:LONGEST])
            closed = _closed(now, "RollbackVerified", message)
            return closed.model_copy(update={"last_good": good, "holdback": wants_control(now)})
    if found.verdict is None and now.now - since >= now.evidence.trial_timeout:
        why = found.hold.message if found.hold is not None else "there is no control"
        return _closed(now, "NotMeasured", f"{describe(now.stable)} serves again and could not be measured: {why}")
    return None


def _closed(now: Situation, reason: str, message: str) -> Memory:
    return noted(now, VERIFY, reason, message, unverified_since=None)

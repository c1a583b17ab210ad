"""Every transition is written down with its reason and figures."""

from typing import Any

from breakeven.api.status import DecisionRecord, Memory
from breakeven.domain.situation import Situation

KEPT = 20
"""Lines of the ledger kept in status."""
LONGEST = 1024


def noted(now: Situation, action: str, reason: str, message: str, **changes: Any) -> Memory:
    """The memory with these fields changed and a line added that says why."""
    record = DecisionRecord(
        at=now.now,
        action=action,
        reason=reason,
        message=message[:LONGEST],
        generation=now.declared.generation,
    )
    return now.memory.model_copy(update={**changes, "decisions": [record, *now.memory.decisions][:KEPT]})


def written_since(before: Memory, after: Memory) -> tuple[DecisionRecord, ...]:
    """The lines that `after` has and `before` had not, oldest first."""
    known = {id(record) for record in before.decisions}
    return tuple(reversed([record for record in after.decisions if id(record) not in known]))

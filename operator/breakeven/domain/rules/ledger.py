"""Every transition is written down with its reason and figures."""

from typing import Any

from breakeven.api.status import DecisionRecord, Memory
from breakeven.domain.situation import Situation

KEPT = 20
"""Lines of the ledger kept in status."""
LONGEST = 1024


def noted(situation: Situation, action: str, reason: str, message: str, **changes: Any) -> Memory:
    """The memory with these fields changed and a line added that says why."""
    record = DecisionRecord(
        at=situation.time,
        action=action,
        reason=reason,
        message=message[:LONGEST],
        generation=situation.declared.generation,
    )
    return situation.memory.model_copy(update={**changes, "decisions": [record, *situation.memory.decisions][:KEPT]})


def written_since(before: Memory, after: Memory) -> tuple[DecisionRecord, ...]:
    """The lines that `after` has and `before` had not, oldest first."""
    known = {id(record) for record in before.decisions}
    return tuple(reversed([record for record in after.decisions if id(record) not in known]))

"""The one place where answers of rules change the memory, and where every transition is written down."""

from breakeven.api.changes import changed
from breakeven.api.status import DecisionRecord, Memory
from breakeven.domain.answer import Note, Transition
from breakeven.domain.situation import Situation

KEPT = 20
"""Lines of the ledger kept in status."""
LONGEST = 1024
"""Characters of a message that the status takes."""


def record_of(situation: Situation, decided: Transition, *, advised: bool = False) -> DecisionRecord:
    """The line in the ledger; what is only advised has `Would` before its action."""
    return DecisionRecord(
        at=situation.time,
        action=f"Would{decided.action}" if advised else decided.action,
        reason=decided.reason,
        message=decided.message[:LONGEST],
        generation=situation.declared.generation,
    )


def with_record(memory: Memory, record: DecisionRecord) -> Memory:
    """The memory with a line added, newest first."""
    return changed(memory, decisions=[record, *memory.decisions][:KEPT])


def apply(situation: Situation, answer: Transition | Note) -> tuple[Situation, tuple[DecisionRecord, ...]]:
    """The situation with what the answer changes in its memory, and the line that was written, if any."""
    memory = changed(situation.memory, **answer.changes)
    if not isinstance(answer, Transition):
        return situation.with_memory(memory), ()
    record = record_of(situation, answer)
    return situation.with_memory(with_record(memory, record)), (record,)

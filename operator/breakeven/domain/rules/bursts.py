"""What is remembered of bursts: losses that ended by themselves, for which speculation was left in vain or not left."""

from datetime import datetime, timedelta

from breakeven.api.status import Memory
from breakeven.domain.answer import Note, note
from breakeven.domain.evidence.judgement import Judgement
from breakeven.domain.situation import Situation

KEPT = 16
RENEWED = timedelta(hours=1)
"""A burst that was waited out less long ago is not written down again."""


def waited_out(situation: Situation, judgement: Judgement) -> Note | None:
    """Remember that a burst came again, so that what was learned of the first ones is not forgotten while they come."""
    known = situation.memory.bursts
    if not judgement.waited_out or not known or situation.time - known[-1] < RENEWED:
        return None
    return note(bursts=[*known[:-1], situation.time])


def after_promotion(memory: Memory, now: datetime) -> list[datetime]:
    """What an alarm found was a burst when the next trial that came to an end pays."""
    return memory.bursts if memory.alarmed_at is None else [*memory.bursts, now][-KEPT:]

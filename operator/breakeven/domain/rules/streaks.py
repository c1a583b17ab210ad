"""Windows in a row: one window may err, so a change waits until several that do not overlap agree."""

from datetime import UTC, datetime
from typing import TypedDict

from breakeven.api.changes import MemoryChange
from breakeven.domain.counters.windows import Span
from breakeven.domain.situation import Situation


class Calm(TypedDict):
    """No windows in a row."""

    streak: int
    streak_verdict: str
    last_window_end: None


CALM: Calm = {"streak": 0, "streak_verdict": "", "last_window_end": None}
"""What every change of state forgets: windows of another configuration do not count."""


def counted(situation: Situation, verdict: str, span: Span) -> MemoryChange:
    """Changes of memory after a span that says so; one that overlaps the last counted one adds nothing to it.

    A long span already contains its windows in a row, and counts for as many.
    """
    memory = situation.memory
    last = memory.last_window_end
    if memory.streak_verdict == verdict and last is not None and span.start < last.timestamp() - 0.001:
        if span.level <= memory.streak:
            return {}
        return {"streak": min(100, span.level), "last_window_end": datetime.fromtimestamp(span.end, UTC)}
    same = memory.streak if memory.streak_verdict == verdict else 0
    return {
        "streak": min(100, same + span.level),
        "streak_verdict": verdict,
        "last_window_end": datetime.fromtimestamp(span.end, UTC),
    }


PATIENCE = 3
"""Windows without an answer that a row outlives."""


def recently_counted(situation: Situation, span: Span) -> bool:
    """Whether the last window that counted is so recent that one without an answer leaves the row as it is."""
    last = situation.memory.last_window_end
    limit = PATIENCE * situation.evidence.window.total_seconds()
    return last is not None and span.end - last.timestamp() <= limit + 0.001


def broken(situation: Situation, span: Span) -> MemoryChange:
    """Changes of memory after a span that says otherwise; nothing when there was no streak, so nothing is written."""
    last = situation.memory.last_window_end
    if situation.memory.streak == 0 or (last is not None and span.end <= last.timestamp() + 0.001):
        return {}
    return {"streak": 0, "streak_verdict": "", "last_window_end": None}

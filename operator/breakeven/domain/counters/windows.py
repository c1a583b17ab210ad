"""Which batches count, and the windows they are judged in.

Windows lie on a grid that begins where the arms became comparable: settled, warmed up, after the last outage. So every
pass and every restart of the operator cuts the same windows from the same past, and nothing has to be remembered
between two windows without news.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from breakeven.api.spec import EvidenceSpec
from breakeven.domain.counters.observation import Batch

BATCHES = 10
"""Batches in one window."""
LEVELS = (1, 2, 3, 6, 12, 24)
"""Windows that are taken together when one alone holds too few requests, or when the effect is too small for one."""
HISTORY = LEVELS[-1] + 2
"""Windows of the past that deciding can use."""


def batch_length(evidence: EvidenceSpec) -> timedelta:
    """Length of one batch: a tenth of the window."""
    return evidence.window / BATCHES


def history(evidence: EvidenceSpec) -> timedelta:
    """How far back batches are worth reading."""
    return evidence.window * HISTORY


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which both arms are compared; Unix seconds."""

    start: float
    end: float
    level: int
    """How many windows it is long."""

    def of(self, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """The batches whose middle lies in it."""
        first = bisect_left(batches, self.start, key=_middle)
        return tuple(batches[first : bisect_left(batches, self.end, lo=first, key=_middle)])


def _middle(batch: Batch) -> float:
    return (batch.start + batch.end) / 2


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows from one beginning on."""

    anchor: float
    """Where the first window begins, on a multiple of the batch; Unix seconds."""
    window: float
    """Seconds."""

    def complete(self, newest: float) -> int:
        """Windows that are over when the newest batch ends then."""
        slack = self.window / BATCHES / 2
        return max(0, math.floor((newest - self.anchor + slack) / self.window))

    def next_end(self, newest: float) -> float:
        """When the next window is over; Unix seconds."""
        return self.anchor + (self.complete(newest) + 1) * self.window

    def last(self, newest: float, level: int) -> Span | None:
        """The newest span of so many complete windows; None when there are not that many yet."""
        done = self.complete(newest)
        if done < level:
            return None
        end = self.anchor + done * self.window
        return Span(end - level * self.window, end, level)


def grid(evidence: EvidenceSpec, comparable_since: float, *, step: timedelta | None = None) -> Grid:
    """The grid for arms that are comparable since then (Unix seconds); it begins with a batch, or such a step."""
    each = (step or batch_length(evidence)).total_seconds()
    return Grid(math.ceil(comparable_since / each - 1e-9) * each, evidence.window.total_seconds())

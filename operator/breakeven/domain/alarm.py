"""A sequential test between two windows: a large loss need not wait for whole windows.

Page's cumulative sum on the log ratio of the two arms, batch by batch: it adds up how much better "S is well below the
bound for leaving" explains each batch than "S is at the bound", forgets what speaks for speculation, and fires at a
height that chance reaches once in a month of one-minute batches *at the bound*, where leaving is no mistake, and far
more rarely where speculation pays. The spread comes from the batches before
the run that is under suspicion, so the change itself does not hide in it. Nothing is remembered between passes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from breakeven.domain.observation import Batch
from breakeven.domain.speedup import decode_tokens

SHIFT = math.log(0.98 / 0.90)
"""The loss that is found fastest, relative to the bound for leaving."""
HEIGHT = math.log(5e4)
"""By Wald's inequality the mean time between false alarms exceeds exp(HEIGHT) batches at the bound itself."""
REFERENCE = 20
"""Batches before the run from which the spread is taken."""
SMALLEST_SPREAD = 0.03
"""Relative spread below which no batch is believed: hours differ by more than their requests show."""
BLOCK = 5
"""Neighbouring batches share long requests; the spread of means of so many shows it."""
FEWEST = 3
"""Batches in a run that may raise the alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One batch of both arms."""

    start: float
    end: float
    log_ratio: float
    """Logarithm of time per token with speculation over that without."""
    weight: float
    """Requests, harmonic mean of the arms."""
    requests: float
    """With speculation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The run of batches that raised it."""

    start: float
    end: float
    batches: int


def raised(off: Sequence[Batch], on: Sequence[Batch], *, leave: float, min_requests: float) -> Alarm | None:
    """Whether the newest batches show a loss beyond the bound. None: they do not, or too little is known."""
    bound = math.log(1 / leave)
    newest = paired(off[-FEWEST:], on[-FEWEST:])
    if not newest or newest[-1].log_ratio <= bound + SHIFT / 2:
        return None  # only a batch that is itself slow raises the sum, so this saves the rest on nearly every pass
    points = paired(off, on)
    if len(points) < REFERENCE + FEWEST:
        return None
    first = run_start(points, bound)
    run = points[first:]
    before = points[:first]
    if len(run) < FEWEST or len(before) < REFERENCE or sum(p.requests for p in run) < min_requests:
        return None
    variance = spread(before)
    height = 0.0
    for point in run:
        height += point.weight / variance * SHIFT * (point.log_ratio - bound - SHIFT / 2)
    if height < HEIGHT:
        return None
    return Alarm(start=run[0].start, end=run[-1].end, batches=len(run))


def paired(off: Sequence[Batch], on: Sequence[Batch]) -> list[Point]:
    """The batches that both arms have, with traffic in both."""
    theirs = {batch.start: batch for batch in off}
    found = []
    for ours in on:
        control = theirs.get(ours.start)
        if control is None:
            continue
        a, b = _tpot(ours), _tpot(control)
        n, m = ours.totals.first_tokens or 0.0, control.totals.first_tokens or 0.0
        if a is None or b is None or n <= 0 or m <= 0:
            continue
        weight = 2 * n * m / (n + m)
        found.append(Point(start=ours.start, end=ours.end, log_ratio=math.log(a / b), weight=weight, requests=n))
    return found


def run_start(points: Sequence[Point], bound: float) -> int:
    """Where the cumulative sum last left zero: with weights alone, so that the spread need not be known yet."""
    total, start = 0.0, len(points)
    for index, point in enumerate(points):
        if total == 0.0:
            start = index
        total = max(0.0, total + point.weight * (point.log_ratio - bound - SHIFT / 2))
    return start if total > 0 else len(points)


def spread(points: Sequence[Point]) -> float:
    """Variance of a log ratio of weight 1: from single batches, or from blocks when neighbours hang together."""
    mean = math.fsum(p.weight * p.log_ratio for p in points) / math.fsum(p.weight for p in points)
    single = math.fsum(p.weight * (p.log_ratio - mean) ** 2 for p in points) / (len(points) - 1)
    edges = range(0, len(points) + 1, BLOCK)
    blocks = [points[a:b] for a, b in pairwise(edges)]
    together = math.fsum(
        math.fsum(p.weight * (p.log_ratio - mean) for p in block) ** 2 / math.fsum(p.weight for p in block)
        for block in blocks
    ) / max(1, len(blocks) - 1)
    smallest = SMALLEST_SPREAD**2 * math.fsum(p.weight for p in points) / len(points)
    return max(single, together, smallest)


def _tpot(batch: Batch) -> float | None:
    tokens, seconds = decode_tokens(batch.totals), batch.totals.step_seconds
    return seconds / tokens if tokens and seconds and tokens > 0 and seconds > 0 else None

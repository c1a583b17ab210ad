"""Points: what both arms did over the shortest time in which both did something, as a log ratio of times per token.

Windows take their error from them and the sequential alarm its runs, so both know the same scatter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.domain.counters.observation import Batch

PATIENCE = 40
"""Batches or increments after which half a point is begun anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One log ratio, and how much stands behind it."""

    start: float
    end: float
    log_ratio: float
    """Logarithm of time per token with speculation over that without; of one arm alone, of its time per token."""
    weight: float
    """Requests, harmonic mean of the arms."""
    tokens: float
    """Decoded tokens, harmonic mean of the arms: what it weighs in a ratio of sums."""
    requests: float
    """With speculation."""
    control: float = math.inf
    """Requests without; infinite where a stored figure stands for them."""


def paired(off: Sequence[Batch], on: Sequence[Batch]) -> list[Point]:
    """What both arms did at the same time: neighbours are taken together until there is traffic in both."""
    theirs = {batch.start: batch for batch in off}
    found: list[Point] = []
    begun, ours, other = None, NOTHING, NOTHING
    for batch in on:
        control = theirs.get(batch.start)
        a, b = traffic(batch), traffic(control) if control is not None else None
        if a is None or b is None:
            continue
        if begun is None or batch.start - begun > PATIENCE * (batch.end - batch.start):
            begun, ours, other = batch.start, NOTHING, NOTHING
        ours, other = plus(ours, a), plus(other, b)
        made = point(begun, batch.end, ours, other)
        if made is not None:
            found.append(made)
            begun = None
    return found


def single(on: Sequence[Batch]) -> list[Point]:
    """The same of one arm by itself."""
    found = []
    for batch in on:
        counted = traffic(batch)
        made = point(batch.start, batch.end, counted, (*counted[:2], counted[1])) if counted is not None else None
        if made is not None:
            found.append(made)
    return found


Traffic = tuple[float, float, float]
"""Requests, decoded tokens, and seconds they took."""
NOTHING: Traffic = (0.0, 0.0, 0.0)


def traffic(batch: Batch) -> Traffic | None:
    """What an arm did in a batch; None when a counter is absent."""
    totals = batch.totals
    tokens, seconds, requests = totals.decode_tokens, totals.decode_seconds, totals.first_tokens
    if tokens is None or seconds is None or requests is None:
        return None
    return requests, tokens, seconds


def plus(a: Traffic, b: Traffic) -> Traffic:
    """Both together."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def point(start: float, end: float, ours: Traffic, other: Traffic) -> Point | None:
    """What two arms did between two moments; None while one of them did nothing."""
    if min(*ours, *other) <= 0 or not math.isfinite(math.fsum((*ours, *other))):
        return None
    slower = ours[2] / ours[1] / (other[2] / other[1])
    weight, tokens = (harmonic(a, b) for a, b in zip(ours[:2], other[:2], strict=True))
    if not 0 < slower < math.inf or not 0 < weight < math.inf or not 0 < tokens < math.inf:
        return None
    return Point(
        start=start,
        end=end,
        log_ratio=math.log(slower),
        weight=weight,
        tokens=tokens,
        requests=ours[0],
        control=other[0],
    )


def harmonic(a: float, b: float) -> float:
    """Harmonic mean of two positive numbers, infinite or nothing where they are too far apart."""
    return 2 / (1 / a + 1 / b) if 1 / a + 1 / b > 0 else math.inf

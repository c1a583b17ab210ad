"""Share of the requests within a bound of latency, in two arms, with bounds of its own from the spread of batches.

It is counted and not interpolated: only a bound that the histogram has is read. What a quantile asks for is that this
share is at least that large, so a percentile is judged without reading one.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from breakeven.domain.counters.observation import Batch, Buckets, Totals
from breakeven.domain.measures.speedup import GROUPS
from breakeven.domain.measures.statistics import FEWEST_BATCHES, ONE_SIDED, Ratios, grouped, quantile

SAME = 1e-9
"""Relative difference below which a bound is the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share, or a difference of shares, and its standard error."""

    value: float
    error: float
    freedom: float

    def widened(self, factor: float) -> "Estimate":
        """The same with an error that is so many times as large."""
        return Estimate(self.value, self.error * factor, self.freedom)

    @property
    def lower(self) -> float:
        """One-sided lower bound at the probability of a verdict."""
        return self.value - quantile(self.freedom, ONE_SIDED) * self.error

    @property
    def upper(self) -> float:
        """One-sided upper bound."""
        return self.value + quantile(self.freedom, ONE_SIDED) * self.error


@dataclass(frozen=True, slots=True)
class Attained:
    """How two arms keep one bound."""

    off: Estimate
    on: Estimate
    gain: Estimate
    """Share with speculation less the share without."""

    def widened(self, factor: float) -> "Attained":
        """The same with errors that are so many times as large."""
        return Attained(self.off.widened(factor), self.on.widened(factor), self.gain.widened(factor))


@dataclass(frozen=True, slots=True)
class Unread:
    """A bound that the histogram does not have."""

    below: float | None
    """The next bound below it, in seconds. None: there is none."""
    above: float | None


def attained(
    off: Sequence[Batch], on: Sequence[Batch], seconds: float, buckets: Callable[[Totals], Buckets]
) -> Attained | Unread | None:
    """Shares of both arms and their difference, batch by batch; None: no histogram, or too little in it."""
    theirs = {batch.start: row for batch in off if (row := buckets(batch.totals))}
    both = [(theirs[batch.start], row) for batch in on if batch.start in theirs and (row := buckets(batch.totals))]
    if 2 * len(both) < max(len(off), len(on)):
        return None
    first, second = (_scored([pair[side] for pair in both], seconds) for side in (0, 1))
    if not (isinstance(first, _Scored) and isinstance(second, _Scored)):
        return first if isinstance(first, Unread) else second if isinstance(second, Unread) else None
    gain = Estimate(
        second.share.value - first.share.value,
        _error([b - a for a, b in zip(first.pushes, second.pushes, strict=True)]),
        second.share.freedom,
    )
    return Attained(first.share, second.share, gain)


def share(on: Sequence[Batch], seconds: float, buckets: Callable[[Totals], Buckets]) -> Estimate | Unread | None:
    """The same of one arm alone."""
    rows = [row for batch in on if (row := buckets(batch.totals))]
    if 2 * len(rows) < len(on):
        return None
    scored = _scored(rows, seconds)
    return scored.share if isinstance(scored, _Scored) else scored


def quantile_between(on: Sequence[Batch], q: float, buckets: Callable[[Totals], Buckets]) -> tuple[float, float] | None:
    """Two bounds of the histogram between which a quantile surely lies, 0 and infinity at the ends.

    It says little and assumes nothing: what can be read where buckets are too wide for more. None: no histogram.
    """
    rows = [row for batch in on if (row := buckets(batch.totals))]
    if not rows:
        return None
    low, high = 0.0, math.inf
    for bound, _ in rows[-1][:-1]:
        found = _scored(rows, bound)
        if not isinstance(found, _Scored):
            return None
        if found.share.upper < q:
            low = bound
        if found.share.lower >= q:
            return low, bound
    return low, high


@dataclass(frozen=True, slots=True)
class _Scored:
    share: Estimate
    pushes: Sequence[float]
    """What each group of batches adds to the share's deviation."""


def _scored(rows: Sequence[Buckets], seconds: float) -> _Scored | Unread | None:
    """Requests within the bound over all of them, in groups of batches."""
    if not rows:
        return None
    bounds = [bound for bound, _ in rows[-1]]
    if any([bound for bound, _ in row] != bounds for row in rows):
        return None
    at = bisect_left(bounds, seconds * (1 - SAME))
    if bounds[at] > seconds * (1 + SAME):
        return Unread(bounds[at - 1] if at else None, bounds[at] if math.isfinite(bounds[at]) else None)
    counts = grouped(Ratios(tuple(row[at][1] for row in rows), tuple(row[-1][1] for row in rows)), GROUPS)
    total = math.fsum(counts.under)
    if len(counts.over) < FEWEST_BATCHES or total <= 0:
        return None
    value = math.fsum(counts.over) / total
    pushes = [(k - value * n) / total for k, n in zip(counts.over, counts.under, strict=True)]
    return _Scored(Estimate(value, _error(pushes), len(pushes) - 1), pushes)


def _error(pushes: Sequence[float]) -> float:
    return math.sqrt(math.fsum(push * push for push in pushes) * len(pushes) / (len(pushes) - 1))

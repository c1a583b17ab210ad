"""Latency of two arms: the ratio of a quantile, with bounds from resampling batches.

Batches are resampled and not requests, because requests of one minute share its load. A quantile is only read where its
bucket is narrow: vLLM's default buckets cannot see the effect (22 ms and 14 ms read 19.4 and 19.3), so without fine
buckets the clause is skipped and says so.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from breakeven.domain.counters.observation import Batch, Buckets, Totals
from breakeven.domain.measures.statistics import ONE_SIDED, quantile

RESAMPLES = 400
SEED = 20260105
"""Fixed, so that the same evidence gives the same bounds."""
RESOLUTION = 0.30
"""Widest bucket, as a share of the value read from it."""
BEYOND = 5
"""Requests of an arm that must lie beyond a quantile; how sure it is then, the bounds say."""
FEWEST = 200
"""Finished requests an arm needs for any quantile."""
NARROW = 1.31
"""Bounds of a histogram that follow each other by this factor at most are narrow enough to read most quantiles."""


def fewest(q: float) -> int:
    """Finished requests an arm needs for this quantile: 500 for P99."""
    return max(FEWEST, math.ceil(BEYOND / (1 - q) - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRatio:
    """With speculation over without."""

    off: float
    on: float
    lower: float
    """5 % of the resamples lie below."""
    upper: float
    error: float = 0.0
    """Standard deviation of the resampled logarithms."""
    freedom: int = 1
    """One less than the batches of the arm with fewer of them."""

    @property
    def value(self) -> float:
        """The ratio itself."""
        return self.on / self.off

    @property
    def surely_longer(self) -> bool:
        """Whether it is above 1 at the bound that verdicts use (one-sided p = 0.001)."""
        return self.longer_beyond(ONE_SIDED)

    def longer_beyond(self, probability: float) -> bool:
        """Whether chance makes it as large as it is from 1 with this probability at most."""
        return math.log(self.value) > quantile(self.freedom, probability) * self.error

    @property
    def surely_shorter(self) -> bool:
        """The same below 1."""
        return -math.log(self.value) > quantile(self.freedom, ONE_SIDED) * self.error

    def in_words(self) -> str:
        """The ratio with its bounds."""
        return f"x{self.value:.2f} [{self.lower:.2f}, {self.upper:.2f}]"


def tpot_buckets(totals: Totals) -> Buckets:
    """Time per output token of finished requests."""
    return totals.tpot_buckets


def ttft_buckets(totals: Totals) -> Buckets:
    """Time to first token."""
    return totals.ttft_buckets


def tail_ratio(
    off: Sequence[Batch], on: Sequence[Batch], q: float, buckets: Callable[[Totals], Buckets]
) -> TailRatio | str:
    """The ratio of a quantile, or why it cannot be determined, in words."""
    read = _read(off, on, q, buckets)
    if isinstance(read, str):
        return read
    bounds, a, b, theirs, ours = read
    rng = np.random.default_rng(SEED)
    ratios = _resampled(rng, bounds, b, q) / _resampled(rng, bounds, a, q)
    known = ratios[np.isfinite(ratios)]
    if known.size < RESAMPLES / 2:
        return _TOO_WIDE
    lower, upper = np.quantile(known, [0.05, 0.95])
    return TailRatio(
        off=theirs,
        on=ours,
        lower=float(lower),
        upper=float(upper),
        error=float(np.std(np.log(known))),
        freedom=max(1, min(len(a), len(b)) - 1),
    )


def plain_ratio(
    off: Sequence[Batch], on: Sequence[Batch], q: float, buckets: Callable[[Totals], Buckets]
) -> float | None:
    """The same without its bounds, which cost most of the work; None when it cannot be determined."""
    read = _read(off, on, q, buckets)
    return None if isinstance(read, str) else read[4] / read[3]


_TOO_WIDE = "the quantile lies in a bucket too wide to read it"
_Counts = NDArray[np.float64]


def _read(
    off: Sequence[Batch], on: Sequence[Batch], q: float, buckets: Callable[[Totals], Buckets]
) -> tuple[_Counts, _Counts, _Counts, float, float] | str:
    """Bounds, the counts of both arms by batch, and their quantiles; or why there are none, in words."""
    a, b = _matrix(off, buckets), _matrix(on, buckets)
    if a is None or b is None:
        return "there is no histogram in one of the arms"
    if a[0] != b[0]:
        return "the arms have different buckets"
    bounds = np.array(a[0])
    if min(a[1].sum(), b[1].sum()) < fewest(q):
        return f"fewer than {fewest(q)} requests in one of the arms"
    theirs, ours = (float(_quantiles(bounds, each.sum(axis=0)[None, :], q)[0]) for each in (a[1], b[1]))
    if not (np.isfinite(theirs) and np.isfinite(ours)) or theirs <= 0 or ours <= 0:
        return _TOO_WIDE
    return bounds, a[1], b[1], theirs, ours


def counted(off: Sequence[Batch], on: Sequence[Batch], buckets: Callable[[Totals], Buckets]) -> float:
    """Requests in the histogram of the arm with fewer."""
    return min(sum(row[-1][1] for b in arm if (row := buckets(b.totals))) for arm in (off, on))


def coarse(batches: Sequence[Batch], buckets: Callable[[Totals], Buckets]) -> bool | None:
    """Whether a histogram has bounds too wide for most quantiles, like vLLM's own; None: there is none."""
    row = next((row for batch in reversed(batches) if (row := buckets(batch.totals))), ())
    bounds = [bound for bound, _ in row if 0 < bound < math.inf]
    if len(bounds) < 2:
        return None
    return 2 * sum(b <= NARROW * a for a, b in pairwise(bounds)) < len(bounds) - 1


def _matrix(
    batches: Sequence[Batch], buckets: Callable[[Totals], Buckets]
) -> tuple[tuple[float, ...], NDArray[np.float64]] | None:
    """Observations by batch and bucket, not cumulative."""
    rows = [buckets(batch.totals) for batch in batches]
    rows = [row for row in rows if row]
    if not rows or len({tuple(bound for bound, _ in row) for row in rows}) != 1:
        return None
    counts = np.array([[count for _, count in row] for row in rows])
    return tuple(bound for bound, _ in rows[0]), np.maximum(0.0, np.diff(counts, axis=1, prepend=0.0))


def _resampled(
    rng: np.random.Generator, bounds: NDArray[np.float64], counts: NDArray[np.float64], q: float
) -> NDArray[np.float64]:
    size = counts.shape[0]
    weights = rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).astype(np.float64)
    return _quantiles(bounds, weights @ counts, q)


def _quantiles(bounds: NDArray[np.float64], counts: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """One quantile for each row of counts; NaN where its bucket is too wide or open."""
    cumulative = np.cumsum(counts, axis=1)
    rank = q * cumulative[:, -1:]
    index = np.argmax(cumulative >= rank, axis=1)
    rows = np.arange(len(index))
    low = np.where(index > 0, bounds[np.maximum(index - 1, 0)], 0.0)
    high = bounds[index]
    below = np.where(index > 0, cumulative[rows, np.maximum(index - 1, 0)], 0.0)
    inside = np.maximum(counts[rows, index], 1e-12)
    open_end = ~np.isfinite(high)
    width = np.where(open_end, 0.0, high - low)
    value = low + width * (rank[:, 0] - below) / inside
    unreadable = open_end | (width > RESOLUTION * np.maximum(value, 1e-12))
    return np.asarray(np.where(unreadable, np.nan, value), dtype=np.float64)


def quantile_of(buckets: Buckets, q: float) -> tuple[float | None, str]:
    """A quantile by linear interpolation in its bucket, and why there is none.

    There is none when the bucket is wider than `RESOLUTION` of the value, or when it is the last, open one.
    """
    if not buckets:
        return None, "the histogram is not there"
    count = buckets[-1][1]
    if count <= 0:
        return None, "nothing was observed"
    rank = q * count
    low, below = 0.0, 0.0
    for bound, cumulative in buckets:
        if cumulative >= rank and cumulative > below:
            break
        low, below = bound, cumulative
    if bound == float("inf"):
        return None, f"it lies above the last bound, {low:g} s"
    value = low + (bound - low) * (rank - below) / (cumulative - below)
    if bound - low > RESOLUTION * value:
        return None, f"its bucket reaches from {low:g} to {bound:g} s, too wide to read {value:.4g} s from it"
    return value, ""

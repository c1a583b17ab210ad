"""How much batches hang together, and what that does to the error of a window.

Long requests last over several batches and share their luck, so neighbouring batches say less than as many independent
ones. The spread between the ten groups of a window then understates the error of their mean: at a correlation of 0.7
an upper bound of p = 0.001 is wrong 75 times as often as it says.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import median

LAG = 10
"""Batches after which hardly anything is shared: a window."""
FEWEST = 20
"""Batches that tell a correlation."""
GROUPS = 10
MOST = 0.95
DIGITS = 2
ROUNDING = 1e-12
"""Mean square below which series do not differ but for rounding."""


def correlation(series: Sequence[float]) -> float:
    """Correlation of a batch with the next, 0 to 0.95, as of a first-order autoregression.

    From the median squares of differences over one batch and over ten, (1 - r) / (1 - r^10): what moves slowly, like
    the load of the day, is in neither, nor is a burst, or the moment in which S changed. 0 below 20 batches.
    """
    if len(series) < FEWEST:
        return 0.0
    near, far = (median([(b - a) ** 2 for a, b in zip(series, series[lag:], strict=False)]) for lag in (1, LAG))
    if not (ROUNDING < far < math.inf and math.isfinite(near)):
        return 0.0
    found = 0.0
    for _ in range(20):
        found = min(MOST, max(0.0, 1 - near / far * (1 - found**LAG)))
    return found


def widening(correlated: float, batches: int) -> float:
    """Factor on the error of so many batches that were judged in ten groups; 1 where they are independent.

    The variance of a mean over the variance that the spread between groups shows, in closed form for a first-order
    autoregression.
    """
    return _widening(round(correlated, DIGITS), max(1, round(batches / GROUPS)))


@lru_cache(maxsize=1024)
def _widening(correlated: float, each: int) -> float:
    group, whole = _variance(correlated, each), _variance(correlated, GROUPS * each)
    return math.sqrt(max(1.0, whole * (GROUPS - 1) / (group - whole)))


def _variance(correlated: float, count: int) -> float:
    """Variance of the mean of so many batches of variance 1."""
    apart = 1 - correlated
    return ((1 + correlated) / apart - 2 * correlated * (1 - correlated**count) / (count * apart**2)) / count


def long_run(correlated: float) -> float:
    """Variance of a long mean over that of independent batches."""
    return (1 + correlated) / (1 - correlated)

"""How much points scatter and hang together, and the error of a mean of them that follows.

Long requests last over several batches and share their luck, so neighbouring points say less than as many independent
ones. Both figures are taken from differences over one point and over ten, so that what moves slowly, like the load of
the day, is in neither, and from up to four hours rather than from the window that is judged: ten groups of one window
know their own spread badly, and knew nothing of a correlation that outlasts a group (docs/decisions.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from breakeven.domain.measures.points import Point

LAG = 10
"""Points after which hardly anything is shared: a window."""
FEWEST = 10
"""Points that tell a spread: one window."""
LEFT_OUT = (0.05, 0.25)
"""Least and largest share of the squared differences that is left out, the largest ones: a burst, or the moment in
which S changed, which is in as many of them as they span."""
UPWARD = 1.0
"""Standard errors of independent points that the correlation is raised by: too small makes errors, too large delay."""
MOST = 0.95
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Spread:
    """What is known of single points."""

    single: float
    """Variance of the log ratio of a point."""
    unit: float
    """Variance of one with a single request. The larger of both counts: steps scatter whatever the traffic,
    requests less the more there are."""
    correlation: float
    """Of a point with the next, 0 to 0.95, as of a first-order autoregression; an upper estimate."""
    freedom: float

    def error(self, points: Sequence[Point], shares: Sequence[float]) -> float:
        """Standard error of the mean of some neighbouring points, each with its share in it."""
        total = math.fsum(shares)
        parts = [share / total for share in shares]
        steps = self.single * math.fsum(part * part for part in parts)
        requests = self.unit * math.fsum(part * part / p.weight for part, p in zip(parts, points, strict=True))
        count = len(points)
        return math.sqrt(max(steps, requests) * count * variance_of_mean(self.correlation, count))


def spread(points: Sequence[Point]) -> Spread | None:
    """The scatter of these points; None for fewer than ten."""
    count = len(points)
    if count < FEWEST:
        return None
    lag = min(LAG, count // 2)
    near, far = _middle_square(points, 1), _middle_square(points, lag)
    raised = min(MOST, correlation(near[0], far[0], lag) + UPWARD / math.sqrt(count))
    # the scale from neighbours: a moment in which S changed is in one of these differences only
    return Spread(near[0] / (2 * (1 - raised)), near[1] / (2 * (1 - raised)), raised, count - 1)


def _middle_square(points: Sequence[Point], lag: int) -> tuple[float, float]:
    """Mean square of the differences over so many points, as they are and for a weight of 1."""
    plain, weighed = [], []
    for a, b in zip(points, points[lag:], strict=False):
        square = (b.log_ratio - a.log_ratio) ** 2
        plain.append(square)
        weighed.append(2 * square / (1 / a.weight + 1 / b.weight))
    count, share = kept(len(plain), lag)
    near, scaled = (math.fsum(sorted(of)[:count]) / count / share for of in (plain, weighed))
    return near, scaled


@lru_cache(maxsize=1024)
def kept(count: int, lag: int) -> tuple[int, float]:
    """How many of so many squares are used, and their mean for a normal variable of variance 1."""
    left = math.ceil(count * (1 - min(max(LEFT_OUT[0], lag / count), LEFT_OUT[1])))
    if left == count:
        return left, 1.0
    z = NORMAL.inv_cdf((1 + left / count) / 2)
    return left, 1 - 2 * z * NORMAL.pdf(z) * count / left


def correlation(near: float, far: float, lag: int = LAG) -> float:
    """Correlation of neighbours from the mean squares of differences over one and over `lag`: (1 - r) / (1 - r^lag)."""
    found = 0.0
    for _ in range(20 if far > 0 else 0):
        found = min(MOST, max(0.0, 1 - near / far * (1 - found**lag)))
    return found


def variance_of_mean(correlated: float, count: int) -> float:
    """Variance of the mean of so many neighbours of variance 1."""
    apart = 1 - correlated
    return ((1 + correlated) / apart - 2 * correlated * (1 - correlated**count) / (count * apart**2)) / count

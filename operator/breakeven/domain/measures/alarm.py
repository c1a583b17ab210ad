"""A sequential test between two windows: a large loss need not wait for whole windows.

It looks at the log ratio of the two arms, batch by batch and, for the last minutes, increment by increment. Page's
cumulative sum says where a run of slow points began. The run raises the alarm when chance explains it badly enough:

* at the bound for leaving itself, by a likelihood ratio of 50,000: once in a month of one-minute batches *at* the
  bound, where leaving is no mistake, and far more rarely where speculation pays; or
* by a likelihood ratio of 220 at the bound (the 0.001 of a window's bound) and of e^18 against what was measured before
  the run: S changed at a moment, which happens seldom, so there are few occasions to err.

The spread comes from the points before the run that is under suspicion, so the change itself does not hide in it, and
Student's t pays for knowing it from few of them. No single point may carry a run. Nothing is remembered between passes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.domain.counters.observation import Batch
from breakeven.domain.measures.correlation import correlation, long_run
from breakeven.domain.measures.figures import sums
from breakeven.domain.measures.speedup import decode_tokens
from breakeven.domain.measures.statistics import LogRatio

SHIFT = math.log(0.98 / 0.90)
"""A run begins where S is nearer to a loss of this size than to the bound for leaving."""
HEIGHT = math.log(5e4)
"""Log likelihood ratio against S at the bound that raises the alarm by itself, where `minRequests` requests are in the
run."""
LIKELY = math.log(220)
"""The same for a run that differs from what came before it by `JUMP`: z = 3.3."""
JUMP = 18.0
"""Log likelihood ratio against "nothing changed": six spreads."""
CARRIED = 2.0
"""The same against the bound that has to be left when the slowest point of the run is taken away: two spreads."""
REFERENCE = 20
"""Points before the run, at least, from which the spread is taken."""
REMEMBERED = 120
"""Points before the run, at most: two hours of batches."""
SMALLEST_SPREAD = 0.03
"""Relative spread below which no point is believed: hours differ by more than their requests show."""
FEWEST = 2
"""Points in a run that may raise the alarm."""
FEWEST_REQUESTS = 8.0
"""Requests in a run with speculation, at least: below that a few odd ones make it."""
FEWEST_CONTROL = 2.0
"""Requests of the control in it, at least. They differ in length only, not in acceptance."""
PATIENCE = 40
"""Batches or increments after which half a point is begun anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What both arms did over the shortest time in which both did something."""

    start: float
    end: float
    log_ratio: float
    """Logarithm of time per token with speculation over that without."""
    weight: float
    """Requests, harmonic mean of the arms."""
    requests: float
    """With speculation."""
    control: float = math.inf
    """Requests without; infinite where a stored figure stands for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The run of points that raised it."""

    start: float
    end: float
    points: int
    speedup: LogRatio
    """S over the run."""


def raised(off: Sequence[Batch], on: Sequence[Batch], *, leave: float, min_requests: float) -> Alarm | None:
    """Whether the newest points show a loss beyond the bound. None: they do not, or too little is known."""
    return _raised(paired(off, on), math.log(1 / leave), min_requests)


def raised_alone(on: Sequence[Batch], *, inflation: float, leave: float, min_requests: float) -> Alarm | None:
    """The same without a control, where a stored step-time inflation R and live tokens per step give S = E / R.

    A stored R is uncertain by as much as a point is at least (`SMALLEST_SPREAD`), however long the run.
    """
    return _raised(alone(on, inflation), math.log(1 / leave), min_requests, systematic=SMALLEST_SPREAD)


def suspicious(off: Sequence[Batch], on: Sequence[Batch], *, leave: float) -> bool:
    """Whether the newest point of both arms is itself slow: only that raises the sum, so most passes end here.

    It is looked for from the newest batch or increment back, so that no more than needed are made.
    """
    ours, other = _NOTHING, _NOTHING
    theirs = _Backwards(off)
    for turn, batch in enumerate(reversed(on)):
        control = theirs.at(batch.start)
        a, b = _traffic(batch), _traffic(control) if control is not None else None
        if a is not None and b is not None:
            ours, other = _plus(ours, a), _plus(other, b)
            point = _point(batch.start, batch.end, ours, other)
            if point is not None:
                return point.log_ratio > math.log(1 / leave) + SHIFT / 2
        if turn >= PATIENCE:
            break
    return False


def suspicious_alone(on: Sequence[Batch], *, inflation: float, leave: float) -> bool:
    """The same without a control."""
    for turn, batch in enumerate(reversed(on)):
        point = alone((batch,), inflation)
        if point or turn >= PATIENCE:
            return bool(point) and point[0].log_ratio > math.log(1 / leave) + SHIFT / 2
    return False


class _Backwards:
    """The batches of an arm from the newest back, each looked at once."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._rest = reversed(batches)
        self._next = next(self._rest, None)

    def at(self, start: float) -> Batch | None:
        while self._next is not None and self._next.start > start:
            self._next = next(self._rest, None)
        return self._next if self._next is not None and self._next.start == start else None


def _raised(points: Sequence[Point], bound: float, min_requests: float, systematic: float = 0.0) -> Alarm | None:
    if not points or points[-1].log_ratio <= bound + SHIFT / 2:
        return None
    first = run_start(points, bound)
    run, before = points[first:], points[max(0, first - REMEMBERED) : first]
    requests = math.fsum(p.requests for p in run)
    few = requests < FEWEST_REQUESTS or math.fsum(p.control for p in run) < FEWEST_CONTROL
    if len(run) < FEWEST or len(before) < REFERENCE or few:
        return None
    test = _Test(spread(before), len(before) - 1, systematic)
    usual = _mean(before)
    against_bound, against_past = test.height(run, bound), test.height(run, usual)
    enough = against_bound >= HEIGHT and requests >= min_requests
    if not enough and not (against_bound >= LIKELY and against_past >= JUMP):
        return None
    slowest = max(run, key=lambda p: p.weight * (p.log_ratio - bound))
    if test.height([p for p in run if p is not slowest], bound) < CARRIED:
        return None
    value = LogRatio(value=math.exp(-_mean(run)), error=test.error(run), freedom=test.freedom)
    return Alarm(start=run[0].start, end=run[-1].end, points=len(run), speedup=value)


@dataclass(frozen=True, slots=True)
class _Test:
    """How badly chance explains a run."""

    variance: float
    """Of a point of weight 1."""
    freedom: int
    """Of that variance."""
    systematic: float
    """Relative error that no length of the run averages out."""

    def error(self, run: Sequence[Point]) -> float:
        """Standard error of the mean log ratio of a run."""
        return math.hypot(math.sqrt(self.variance / math.fsum(p.weight for p in run)), self.systematic)

    def height(self, run: Sequence[Point], bound: float) -> float:
        """Log likelihood ratio of "slower than the bound by what it is" over "at the bound", by Student's t."""
        excess = _mean(run) - bound if run else 0.0
        if excess <= 0:
            return 0.0
        return (self.freedom + 1) / 2 * math.log1p((excess / self.error(run)) ** 2 / self.freedom)


def _mean(points: Sequence[Point]) -> float:
    return math.fsum(p.weight * p.log_ratio for p in points) / math.fsum(p.weight for p in points)


def paired(off: Sequence[Batch], on: Sequence[Batch]) -> list[Point]:
    """What both arms did at the same time: neighbours are taken together until there is traffic in both."""
    theirs = {batch.start: batch for batch in off}
    found: list[Point] = []
    begun, ours, other = None, _NOTHING, _NOTHING
    for batch in on:
        control = theirs.get(batch.start)
        a, b = _traffic(batch), _traffic(control) if control is not None else None
        if a is None or b is None:
            continue
        if begun is None or batch.start - begun > PATIENCE * (batch.end - batch.start):
            begun, ours, other = batch.start, _NOTHING, _NOTHING
        ours, other = _plus(ours, a), _plus(other, b)
        point = _point(begun, batch.end, ours, other)
        if point is not None:
            found.append(point)
            begun = None
    return found


_Traffic = tuple[float, float, float]
"""Requests, decoded tokens, and seconds they took."""
_NOTHING: _Traffic = (0.0, 0.0, 0.0)


def _traffic(batch: Batch) -> _Traffic | None:
    tokens, seconds, requests = decode_tokens(batch.totals), batch.totals.decode_seconds, batch.totals.first_tokens
    if tokens is None or seconds is None or requests is None:
        return None
    return requests, tokens, seconds


def _plus(a: _Traffic, b: _Traffic) -> _Traffic:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _point(start: float, end: float, ours: _Traffic, other: _Traffic) -> Point | None:
    if min(*ours, *other) <= 0 or not math.isfinite(math.fsum((*ours, *other))):
        return None
    n, m = ours[0], other[0]
    slower = ours[2] / ours[1] / (other[2] / other[1])
    if not 0 < slower < math.inf or not 0 < n * m < math.inf:
        return None
    weight = 2 * n * m / (n + m)
    return Point(start=start, end=end, log_ratio=math.log(slower), weight=weight, requests=n, control=m)


def alone(on: Sequence[Batch], inflation: float) -> list[Point]:
    """The speculating arm against a stored step-time inflation: S = E / R."""
    found = []
    for batch in on:
        n, per_step = batch.totals.first_tokens, sums((batch,)).tokens_per_step
        if n is None or not 0 < n < math.inf or per_step is None or not 0 < per_step < math.inf:
            continue
        ratio = math.log(inflation / per_step)
        found.append(Point(start=batch.start, end=batch.end, log_ratio=ratio, weight=n, requests=n))
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
    """Variance of a log ratio of weight 1, as large as it is for long means where neighbours hang together."""
    mean = _mean(points)
    single = math.fsum(p.weight * (p.log_ratio - mean) ** 2 for p in points) / (len(points) - 1)
    together = single * long_run(correlation([p.log_ratio for p in points]))
    smallest = SMALLEST_SPREAD**2 * math.fsum(p.weight for p in points) / len(points)
    return max(together, smallest)

"""A sequential test between two windows: a large loss need not wait for whole windows.

It looks at the log ratio of the two arms, batch by batch and, for the last minutes, increment by increment. Page's
cumulative sum says where a run of slow points began. The run raises the alarm when chance explains it badly enough:

* at the bound for leaving itself, by one in a million; or
* by one in two thousand at the bound, where the run also differs by six standard errors from what was measured before
  it: S changed at a moment, which happens seldom, so there are few occasions to err.

The spread comes from the points before the run that is under suspicion, so the change itself does not hide in it, and
Student's t pays for knowing it from few of them. No single point may carry a run. Nothing is remembered between passes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from breakeven.domain.counters.observation import Batch
from breakeven.domain.measures.figures import sums
from breakeven.domain.measures.points import NOTHING, PATIENCE, Point, paired, plus, point, traffic
from breakeven.domain.measures.spread import Spread, spread
from breakeven.domain.measures.statistics import LogRatio, quantile

SHIFT = math.log(0.98 / 0.90)
"""A run begins where S is nearer to a loss of this size than to the bound for leaving."""
RARE = 1e-6
"""Probability of chance, S being at the bound, that raises the alarm by itself where `minRequests` requests are in the
run. There are 170,000 looks in a month."""
LIKELY = 5e-4
"""The same for a run that differs from what came before it by `JUMP`: S changed at a moment, and moments are few."""
JUMP = 6.0
"""Standard errors."""
CARRIED = 2.0
"""Standard errors beyond the bound that are left when the slowest point of the run is taken away."""
REFERENCE = 20
"""Points before the run, at least, from which the spread is taken."""
REMEMBERED = 240
"""Points before the run, at most: four hours of batches."""
SMALLEST_SPREAD = 0.03
"""Relative spread below which no point is believed: hours differ by more than their requests show."""
FEWEST = 2
"""Points in a run that may raise the alarm."""
FEWEST_REQUESTS = 8.0
"""Requests in a run with speculation, at least: below that a few odd ones make it."""
FEWEST_CONTROL = 2.0
"""Requests of the control in it, at least. They differ in length only, not in acceptance."""


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
    ours, other = NOTHING, NOTHING
    theirs = _Backwards(off)
    for turn, batch in enumerate(reversed(on)):
        control = theirs.at(batch.start)
        a, b = traffic(batch), traffic(control) if control is not None else None
        if a is not None and b is not None:
            ours, other = plus(ours, a), plus(other, b)
            made = point(batch.start, batch.end, ours, other)
            if made is not None:
                return made.log_ratio > math.log(1 / leave) + SHIFT / 2
        if turn >= PATIENCE:
            break
    return False


def suspicious_alone(on: Sequence[Batch], *, inflation: float, leave: float) -> bool:
    """The same without a control."""
    for turn, batch in enumerate(reversed(on)):
        made = alone((batch,), inflation)
        if made or turn >= PATIENCE:
            return bool(made) and made[0].log_ratio > math.log(1 / leave) + SHIFT / 2
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
    known = _believed(before)
    if known is None:
        return None
    excess, error = _mean(run) - bound, _error(known, run, systematic)
    sure = excess >= quantile(known.freedom, RARE) * error and requests >= min_requests
    jumped = excess >= quantile(known.freedom, LIKELY) * error and _mean(run) - _mean(before) >= JUMP * error
    if not (sure or jumped):
        return None
    slowest = max(run, key=lambda p: p.weight * (p.log_ratio - bound))
    rest = [p for p in run if p is not slowest]
    if _mean(rest) - bound < CARRIED * _error(known, rest, systematic):
        return None
    value = LogRatio(value=math.exp(-_mean(run)), error=error, freedom=known.freedom)
    return Alarm(start=run[0].start, end=run[-1].end, points=len(run), speedup=value)


def _believed(before: Sequence[Point]) -> Spread | None:
    """The spread of the points before a run, but not less than the smallest that is believed."""
    known = spread(before)
    if known is None:
        return None
    smallest = SMALLEST_SPREAD**2
    usual = math.fsum(p.weight for p in before) / len(before)
    return replace(known, single=max(known.single, smallest), unit=max(known.unit, smallest * usual))


def _error(known: Spread, run: Sequence[Point], systematic: float) -> float:
    """Standard error of the mean log ratio of a run."""
    return math.hypot(known.error(run, [p.weight for p in run]), systematic)


def _mean(points: Sequence[Point]) -> float:
    return math.fsum(p.weight * p.log_ratio for p in points) / math.fsum(p.weight for p in points)


def alone(on: Sequence[Batch], inflation: float) -> list[Point]:
    """The speculating arm against a stored step-time inflation: S = E / R."""
    found = []
    for batch in on:
        n, per_step = batch.totals.first_tokens, sums((batch,)).tokens_per_step
        if n is None or not 0 < n < math.inf or per_step is None or not 0 < per_step < math.inf:
            continue
        ratio = math.log(inflation / per_step)
        found.append(Point(start=batch.start, end=batch.end, log_ratio=ratio, weight=n, tokens=n, requests=n))
    return found


def run_start(points: Sequence[Point], bound: float) -> int:
    """Where the cumulative sum last left zero: with weights alone, so that the spread need not be known yet."""
    total, start = 0.0, len(points)
    for index, each in enumerate(points):
        if total == 0.0:
            start = index
        total = max(0.0, total + each.weight * (each.log_ratio - bound - SHIFT / 2))
    return start if total > 0 else len(points)

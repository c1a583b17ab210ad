"""How often windows and the sequential alarm err, by correlation of minutes: many months at once, drawn as arrays.

What is drawn is one log-normal number a minute and arm, with a standard deviation and a correlation that are given, at
an S that never changes: there are no rules of the fleet, no cooldown and no trial, so what is counted is the error of
the evidence alone. Windows and alarm are judged here in NumPy, by the formulas of `domain.measures`; a test compares
them with the operator's own, minute by minute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breakeven.domain.counters.windows import BATCHES, LEVELS
from breakeven.domain.evidence.judge import EVERY_LOOK, TOGETHER
from breakeven.domain.measures.alarm import (
    CARRIED,
    FEWEST,
    JUMP,
    LIKELY,
    RARE,
    REMEMBERED,
    SHIFT,
    SMALLEST_SPREAD,
)
from breakeven.domain.measures.spread import LAG, MOST, UPWARD, kept
from breakeven.domain.measures.statistics import quantile
from breakeven.simulation.traffic import Floats
from breakeven.simulation.variation import autoregressive

MONTH = 30 * 1440
"""Minutes."""
AT_ONCE = 50
"""Months that are drawn together, so that NumPy is called seldom: a few hundred MiB."""
TOGETHER_RUNS = 20_000
"""Runs that are looked at together."""
QUIET = 60
"""Minutes after a switch-off in which no other is counted."""
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is drawn."""

    correlation: float
    """Of a minute with the one before."""
    deviation: float = 0.05
    """Standard deviation of the log ratio of the arms in one minute."""
    leave: float = 0.98
    """Bound below which speculation is switched off."""
    leave_windows: int = 2
    """Windows that have to say so together."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches of so many windows, one ending with each window, [month, window]."""

    level: int
    mean: Floats
    """Log of the time per token with speculation over that without."""
    reach: Floats
    """How far the bound lies from that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What came of so many months at one true S."""

    speedup: float
    bound: float
    """Share of single windows whose upper bound lies below the true S."""
    by_windows: float
    """Switch-offs a month by windows, one an hour at most."""
    by_alarm: float
    """Switch-offs a month by the sequential alarm, one an hour at most."""
    wrong: float
    """Share of the months with one by either."""


def measure(setting: Setting, speedups: Sequence[float], *, months: int, seed: int = 1) -> list[Errors]:
    """Draw so many months once and count at each S: 0.1 to 0.2 s a month on one core."""
    missed = windows = 0
    counts = np.zeros((len(speedups), 3))
    for noise in _draw(setting, months, seed):
        pieces = windows_of(noise)
        missed += int((pieces[0].mean > pieces[0].reach).sum())
        windows += pieces[0].mean.size
        for row, speedup in enumerate(speedups):
            left = once_an_hour(left_by_windows(pieces, setting, speedup), BATCHES)
            rung = once_an_hour(alarms(noise - np.log(speedup), leave=setting.leave), 1)
            counts[row] += left.sum(), rung.sum(), ((left + rung) > 0).sum()
    shares = counts / months
    return [
        Errors(speedup=s, bound=missed / windows, by_windows=float(a), by_alarm=float(b), wrong=float(c))
        for s, (a, b, c) in zip(speedups, shares, strict=True)
    ]


def _draw(setting: Setting, months: int, seed: int) -> Iterator[Floats]:
    """Log of the time per token with speculation over that without, times S, [month, minute]."""
    rng = np.random.default_rng(seed)
    for begin in range(0, months, AT_ONCE):
        shape = (min(AT_ONCE, months - begin), MONTH)
        yield autoregressive(rng.normal(0.0, setting.deviation, shape), setting.correlation)


def windows_of(logs: Floats) -> list[Pieces]:
    """Log ratio over each stretch of windows that ends with a window, and how far its bound lies from it, as the
    operator says it for batches of equal tokens and requests.
    """
    months, minutes = logs.shape
    done = minutes // BATCHES
    sums = np.concatenate((np.zeros((months, 1)), np.cumsum(np.exp(logs[:, : done * BATCHES]), axis=1)), axis=1)
    ends = np.arange(1, done + 1) * BATCHES
    starts = np.maximum(0, ends - TOGETHER)
    known = [spread(logs[:, start:end]) for start, end in zip(starts, ends, strict=True)]
    single, correlated = (np.stack(of, axis=1) for of in zip(*known, strict=True))
    height = np.array([quantile(float(count - 1), EVERY_LOOK) for count in ends - starts])
    found = []
    for level in LEVELS:
        count, last = level * BATCHES, ends[level - 1 :]
        mean = np.log((sums[:, last] - sums[:, last - count]) / count)
        error = np.sqrt(single[:, level - 1 :] * variance_of_mean(correlated[:, level - 1 :], count))
        found.append(Pieces(level, mean, height[level - 1 :] * error))
    return found


def spread(logs: Floats) -> tuple[Floats, Floats]:
    """Variance of a minute and correlation with the next, by row, as `domain.measures.spread` says them."""
    count = logs.shape[-1]
    lag = min(LAG, count // 2)
    near, far = _middle_square(logs, 1), _middle_square(logs, lag)
    share = np.where(far > 0, near / np.where(far > 0, far, 1.0), 1.0)
    found = np.zeros_like(share)
    for _ in range(20):
        found = np.minimum(MOST, np.maximum(0.0, 1 - share * (1 - found**lag)))
    found = np.minimum(MOST, found + UPWARD / np.sqrt(count))
    return near / (2 * (1 - found)), found


def _middle_square(logs: Floats, lag: int) -> Floats:
    squares = (logs[..., lag:] - logs[..., :-lag]) ** 2
    count, share = kept(squares.shape[-1], lag)
    return np.asarray(np.partition(squares, count - 1, axis=-1)[..., :count].mean(axis=-1) / share)


def variance_of_mean(correlated: Floats, count: Any) -> Floats:
    """Of so many neighbours of variance 1."""
    apart = 1 - correlated
    total = (1 + correlated) / apart - 2 * correlated * (1 - correlated**count) / (count * apart**2)
    return np.asarray(total / count)


def left_by_windows(pieces: Sequence[Pieces], setting: Setting, speedup: float) -> Flags:
    """[month, window]: whether any stretch of enough windows that ends there shows a loss."""
    found = np.zeros(pieces[0].mean.shape, dtype=bool)
    for each in pieces:
        if each.level >= setting.leave_windows:
            found[:, each.level - 1 :] |= each.mean - np.log(speedup) - each.reach > -np.log(setting.leave)
    return found


def once_an_hour(flags: Flags, length: int) -> Whole:
    """How often something is switched off in each month, where an hour passes before it counts again."""
    found = np.zeros(len(flags), dtype=np.int64)
    for month, each in enumerate(flags):
        quiet = 0
        for at in np.flatnonzero(each) * length:
            if at >= quiet:
                found[month] += 1
                quiet = int(at) + QUIET
    return found


def alarms(logs: Floats, *, leave: float) -> Flags:
    """[month, minute]: whether the newest minutes raise the alarm, as `domain.measures.alarm.raised` says it for points
    of equal weight and more requests than it asks for.
    """
    bound = -np.log(leave)
    starts = _run_starts(logs, bound)
    found = np.zeros(logs.shape, dtype=bool)
    sums = np.concatenate((np.zeros((len(logs), 1)), np.cumsum(logs, axis=1)), axis=1)
    at = np.arange(logs.shape[1])
    points = at + 1 - starts
    mean = (sums[:, 1:] - np.take_along_axis(sums, starts, axis=1)) / np.maximum(1, points)
    slow = (logs > bound + SHIFT / 2) & (points >= FEWEST) & (starts >= REMEMBERED)
    near = slow & ((mean - bound) * np.sqrt(points) > quantile(1e6, LIKELY) * SMALLEST_SPREAD)
    months, minutes = np.nonzero(near)
    for begin in range(0, len(months), TOGETHER_RUNS):
        month, minute = months[begin : begin + TOGETHER_RUNS], minutes[begin : begin + TOGETHER_RUNS]
        found[month, minute] = _confirmed(logs, month, minute, starts[month, minute], mean[month, minute], bound)
    return found


def _run_starts(logs: Floats, bound: float) -> Whole:
    """[month, minute]: where the cumulative sum last left zero; the next minute where it is zero."""
    by_minute = np.ascontiguousarray(logs.T) - bound - SHIFT / 2
    total, start = np.zeros(len(logs)), np.zeros(len(logs), dtype=np.int64)
    found = np.empty(by_minute.shape, dtype=np.int64)
    for minute, excess in enumerate(by_minute):
        start = np.where(total == 0.0, minute, start)
        total = np.maximum(0.0, total + excess)
        found[minute] = np.where(total > 0, start, minute + 1)
    return np.ascontiguousarray(found.T)


def _confirmed(logs: Floats, month: Any, minute: Any, start: Any, mean: Floats, bound: float) -> Flags:
    """Which of these runs chance explains badly enough."""
    before = logs[month[:, None], start[:, None] + np.arange(-REMEMBERED, 0)]
    single, correlated = spread(before)
    single = np.maximum(single, SMALLEST_SPREAD**2)
    points = minute + 1 - start
    error = np.sqrt(single * variance_of_mean(correlated, points))
    sure, likely = (quantile(REMEMBERED - 1, p) for p in (RARE, LIKELY))
    excess = mean - bound
    jumped = (excess >= likely * error) & (mean - before.mean(axis=1) >= JUMP * error)
    slowest = np.array([logs[m, a : b + 1].max() for m, a, b in zip(month, start, minute, strict=True)])
    rest = (mean * points - slowest) / (points - 1) - bound
    carried = rest >= CARRIED * np.sqrt(single * variance_of_mean(correlated, points - 1))
    return np.asarray(((excess >= sure * error) | jumped) & carried)

"""How often windows and the sequential alarm err, by correlation of minutes: many months at once, drawn as arrays.

What is drawn is one log-normal number a minute and arm, with a standard deviation and a correlation that are given, at
an S that never changes: there are no rules of the fleet, no cooldown and no trial, so what is counted is the error of
the evidence alone. Windows and alarm are judged here in NumPy, by the formulas of `domain.measures`; a test compares
them with the operator's own, minute by minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from breakeven.domain.counters.windows import BATCHES, LEVELS
from breakeven.domain.evidence.judge import TOGETHER as JUDGED_TOGETHER
from breakeven.domain.measures.alarm import (
    CARRIED,
    FEWEST,
    HEIGHT,
    JUMP,
    LIKELY,
    REMEMBERED,
    SHIFT,
    SMALLEST_SPREAD,
)
from breakeven.domain.measures.correlation import FEWEST as FEWEST_TOGETHER
from breakeven.domain.measures.correlation import LAG, MOST, widening
from breakeven.domain.measures.statistics import ONE_SIDED, quantile
from breakeven.domain.rules.streaks import PATIENCE
from breakeven.simulation.traffic import Floats
from breakeven.simulation.variation import autoregressive

MONTH = 30 * 1440
"""Minutes."""
AT_ONCE = 50
"""Months that are drawn together: a few hundred MiB."""
TOGETHER = 20_000
"""Runs that are looked at together."""
QUIET = 60
"""Minutes after an alarm in which no other is counted."""
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is drawn."""

    speedup: float
    """True S, for ever."""
    correlation: float
    """Of a minute with the one before."""
    deviation: float = 0.05
    """Standard deviation of the log ratio of the arms in one minute."""
    leave: float = 0.98
    """Bound below which speculation is switched off."""
    leave_windows: int = 2
    """Windows in a row that have to say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What came of so many months."""

    setting: Setting
    months: int
    bound: float
    """Share of single windows whose upper bound lies below the true S: 0.001 is promised."""
    by_windows: float
    """Switch-offs a month by windows."""
    by_alarm: float
    """Switch-offs a month by the sequential alarm."""
    wrong: float
    """Share of the months with one by either."""


def measure(setting: Setting, *, months: int, seed: int = 1) -> Errors:
    """Draw so many months and count: 0.1 to 0.3 s a month on one core."""
    missed = windows = leaves = alarms = wrong = 0
    for drawn in _draw(setting, months, seed):
        one = upper(drawn, 1)
        missed += int((one < setting.speedup).sum())
        windows += one.size
        left = left_by_windows(drawn, setting)
        rung = left_by_alarm(drawn, setting)
        leaves += int(left.sum())
        alarms += int(rung.sum())
        wrong += int(((left + rung) > 0).sum())
    return Errors(
        setting=setting,
        months=months,
        bound=missed / windows,
        by_windows=leaves / months,
        by_alarm=alarms / months,
        wrong=wrong / months,
    )


def _draw(setting: Setting, months: int, seed: int) -> Iterator[Floats]:
    """Time per token with speculation over that without, [month, minute]."""
    rng = np.random.default_rng(seed)
    for begin in range(0, months, AT_ONCE):
        shape = (min(AT_ONCE, months - begin), MONTH)
        noise = autoregressive(rng.normal(0.0, setting.deviation, shape), setting.correlation)
        yield np.exp(noise) / setting.speedup


def upper(ratio: Floats, level: int) -> Floats:
    """[month, window]: upper bound of S over each stretch of so many windows that ends with a window.

    As `speedup` and `LogRatio.upper` say it for batches of equal tokens, in ten groups.
    """
    months, minutes = ratio.shape
    parts = ratio[:, : minutes // BATCHES * BATCHES]
    done = parts.shape[1] // BATCHES
    sums = np.concatenate((np.zeros((months, 1)), np.cumsum(parts, axis=1)), axis=1)
    ends = np.arange(level, done + 1) * BATCHES
    edges = [ends - level * BATCHES + group * level for group in range(BATCHES + 1)]
    groups = np.stack([sums[:, b] - sums[:, a] for a, b in pairwise(edges)])
    total = groups.sum(axis=0)
    scores = groups / total - 1 / BATCHES
    error = np.sqrt((scores**2).sum(axis=0) * BATCHES / (BATCHES - 1))
    value = level * BATCHES / total
    return np.asarray(value * np.exp(quantile(BATCHES - 1, ONE_SIDED) * error * _widening(ratio, ends, level)))


def _widening(ratio: Floats, ends: Any, level: int) -> Floats:
    """[month, window]: factor on the error of windows that end there, from the correlation of the minutes before."""
    logs = np.log(ratio)
    near, far = (_middle_squares(logs, lag, ends) for lag in (1, LAG))
    table = np.array([widening(i / 100, level * BATCHES) for i in range(100)])
    return np.asarray(table[np.round(100 * _correlation(near, far)).astype(int)])


def _middle_squares(logs: Floats, lag: int, ends: Any) -> Floats:
    """Median square of the differences over so many minutes, of the minutes that are known at each end."""
    squares = (logs[:, lag:] - logs[:, :-lag]) ** 2
    found = np.zeros((len(logs), len(ends)))
    for index, end in enumerate(ends):
        first = max(0, int(end) - JUDGED_TOGETHER)
        if end - first >= FEWEST_TOGETHER:
            found[:, index] = np.median(squares[:, first : int(end) - lag], axis=1)
    return found


def _correlation(near: Floats, far: Floats) -> Floats:
    """As `domain.measures.correlation` says it, of all at once; 0 where nothing is known."""
    share = np.where(far > 0, near / np.where(far > 0, far, 1.0), 1.0)
    found = np.zeros_like(share)
    for _ in range(20):
        found = np.clip(1 - share * (1 - found**LAG), 0.0, MOST)
    return found


def left_by_windows(ratio: Floats, setting: Setting) -> Floats:
    """Switch-offs by windows of each month: the shortest stretch that decides counts for all its windows."""
    hurts = np.zeros((len(ratio), ratio.shape[1] // BATCHES), dtype=int)
    for level in reversed(LEVELS):
        says = upper(ratio, level) < setting.leave
        late = hurts[:, level - 1 :]
        late[says] = level
    found = np.zeros(len(ratio))
    streak, silent = np.zeros(len(ratio), dtype=int), np.zeros(len(ratio), dtype=int)
    for window in range(hurts.shape[1]):
        says_so = hurts[:, window]
        # A long stretch that overlaps the last one counted adds nothing, and contains enough windows by itself.
        silent = np.where(says_so == 0, silent + 1, 0)
        kept = np.where(silent > PATIENCE, 0, streak)
        streak = np.where(says_so == 0, kept, np.where(says_so == 1, kept + 1, np.maximum(kept, says_so)))
        leaves = streak >= setting.leave_windows
        found += leaves
        streak[leaves] = 0
    return found


def left_by_alarm(ratio: Floats, setting: Setting) -> Floats:
    """Switch-offs by the alarm of each month; an hour passes before the next one counts."""
    raised = alarms(np.log(ratio), leave=setting.leave)
    found = np.zeros(len(ratio))
    for month, minutes in enumerate(raised):
        quiet = 0
        for minute in np.flatnonzero(minutes):
            if minute >= quiet:
                found[month] += 1
                quiet = int(minute) + QUIET
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
    near = slow & ((mean - bound) * np.sqrt(points) > _z(LIKELY) * SMALLEST_SPREAD)
    months, minutes = np.nonzero(near)
    for begin in range(0, len(months), TOGETHER):
        month, minute = months[begin : begin + TOGETHER], minutes[begin : begin + TOGETHER]
        found[month, minute] = _confirmed(logs, month, minute, starts[month, minute], mean[month, minute], bound)
    return found


def _run_starts(logs: Floats, bound: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
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
    usual = before.mean(axis=1)
    off = before - usual[:, None]
    single = (off**2).sum(axis=1) / (REMEMBERED - 1)
    near, far = (np.median((before[:, lag:] - before[:, :-lag]) ** 2, axis=1) for lag in (1, LAG))
    shared = _correlation(near, far)
    together = single * (1 + shared) / (1 - shared)
    variance = np.maximum(together, SMALLEST_SPREAD**2)
    points = minute + 1 - start

    def height(excess: Floats, count: Floats) -> Floats:
        t = np.maximum(0.0, excess) ** 2 * count / variance / (REMEMBERED - 1)
        return np.asarray(REMEMBERED / 2 * np.log1p(t))

    against_bound, against_past = height(mean - bound, points), height(mean - usual, points)
    slowest = np.array([logs[m, a : b + 1].max() for m, a, b in zip(month, start, minute, strict=True)])
    rest = (mean * points - slowest) / (points - 1)
    enough = (against_bound >= HEIGHT) | ((against_bound >= LIKELY) & (against_past >= JUMP))
    return np.asarray(enough & (height(rest - bound, points - 1) >= CARRIED))


def _z(height: float) -> float:
    """How many errors above the bound a run lies whose log likelihood ratio is this."""
    freedom = REMEMBERED - 1
    return float(np.sqrt(freedom * np.expm1(2 * height / REMEMBERED)))

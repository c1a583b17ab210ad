"""The months that are judged as arrays are judged as the operator judges them."""

import numpy as np
import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.windows import BATCHES
from breakeven.domain.evidence.judge import TOGETHER
from breakeven.domain.measures.alarm import raised
from breakeven.domain.measures.points import paired
from breakeven.domain.measures.speedup import speedup
from breakeven.domain.measures.spread import spread
from breakeven.domain.measures.statistics import quantile
from breakeven.simulation.months import Setting, alarms, left_by_windows, measure, once_an_hour, windows_of
from breakeven.simulation.variation import autoregressive

REQUESTS, TOKENS = 20.0, 4000.0


def batch(minute: int, slower: float) -> Batch:
    totals = Totals(
        generation_tokens=TOKENS + REQUESTS,
        first_tokens=REQUESTS,
        steps=TOKENS,
        step_seconds=0.02 * TOKENS * slower,
        finished=REQUESTS,
    )
    return Batch(start=60.0 * minute, end=60.0 * minute + 60, totals=totals, gauges=Gauges(), replicas=1)


def drawn(minutes: int, *, correlation: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(autoregressive(rng.normal(0, 0.05, (2, minutes)), correlation))


@pytest.mark.parametrize("level", [1, 3, 24])
def test_the_bound_of_a_window_is_the_operators(level: int) -> None:
    logs = drawn(400, correlation=0.5)
    ours = next(pieces for pieces in windows_of(logs) if pieces.level == level)
    for window in (0, ours.mean.shape[1] - 1):
        past = range(max(0, (window + level) * BATCHES - TOGETHER), (window + level) * BATCHES)
        off, on = [batch(m, 1.0) for m in past], [batch(m, float(np.exp(logs[1, m]))) for m in past]
        value = speedup(off[-level * BATCHES :], on[-level * BATCHES :])
        points = paired(off, on)
        known = spread(points)
        assert value is not None
        assert known is not None
        inside = points[-level * BATCHES :]
        reach = quantile(known.freedom, 1e-4) * known.error(inside, [p.tokens for p in inside])
        assert ours.mean[1, window] == pytest.approx(-np.log(value.value), abs=1e-9)
        assert ours.reach[1, window] == pytest.approx(reach, rel=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_the_alarm_is_the_operators(seed: int) -> None:
    logs = drawn(500, correlation=0.6, seed=seed)
    logs[:, 400:] += 0.2
    ours = alarms(logs, leave=0.98)
    assert ours[:, 400:].any()
    off = [batch(m, 1.0) for m in range(500)]
    on = [batch(m, float(np.exp(r))) for m, r in enumerate(logs[0])]
    for minute in range(300, 500):
        found = raised(off[: minute + 1], on[: minute + 1], leave=0.98, min_requests=30)
        assert ours[0, minute] == (found is not None), minute


def test_windows_add_up_and_an_hour_passes_before_the_next_switch() -> None:
    setting = Setting(correlation=0.0)
    pieces = windows_of(np.random.default_rng(1).normal(0.0, 0.05, (1, 400)))
    assert not left_by_windows(pieces, setting, 1.0).any()
    slight, great = (left_by_windows(pieces, setting, s)[0] for s in (0.95, 0.8))
    assert slight.any()
    assert great.sum() > slight.sum()
    assert once_an_hour(np.array([[True] * 12]), BATCHES) == [2]


def test_the_error_of_evidence_holds_for_minutes_that_hang_together() -> None:
    for correlation in (0.0, 0.9):
        (found,) = measure(Setting(correlation=correlation), [1.02], months=3)
        assert found.bound < 0.0005
        assert found.by_windows + found.by_alarm == 0

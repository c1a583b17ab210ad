"""The months that are judged as arrays are judged as the operator judges them."""

import numpy as np
import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.windows import BATCHES
from breakeven.domain.evidence.judge import TOGETHER
from breakeven.domain.measures.alarm import raised
from breakeven.domain.measures.correlation import widening
from breakeven.domain.measures.speedup import hanging_together, speedup
from breakeven.simulation.months import Setting, alarms, left_by_windows, measure, upper
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


def drawn(minutes: int, *, correlation: float, mean: float = 1.0, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(mean * np.exp(autoregressive(rng.normal(0, 0.05, (2, minutes)), correlation)))


@pytest.mark.parametrize("level", [1, 3, 24])
def test_the_bound_of_a_window_is_the_operators(level: int) -> None:
    ratio = drawn(400, correlation=0.5)
    ours = upper(ratio, level)
    for window in (0, ours.shape[1] - 1):
        past = range(max(0, (window + level) * BATCHES - TOGETHER), (window + level) * BATCHES)
        off, on = [batch(m, 1.0) for m in past], [batch(m, float(ratio[1, m])) for m in past]
        theirs = speedup(off[-level * BATCHES :], on[-level * BATCHES :])
        assert theirs is not None
        factor = widening(hanging_together(on, off), level * BATCHES)
        assert ours[1, window] == pytest.approx(theirs.widened(factor).upper(), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_alarm_is_the_operators(seed: int) -> None:
    ratio = drawn(500, correlation=0.6, mean=1.0, seed=seed)
    ratio[:, 400:] *= 1.1
    ours = alarms(np.log(ratio), leave=0.98)
    assert ours[:, 400:].any()
    for minute in range(300, 500):
        off, on = ([batch(m, float(r)) for m, r in enumerate(of[: minute + 1])] for of in (np.ones(500), ratio[0]))
        assert ours[0, minute] == (raised(off, on, leave=0.98, min_requests=30) is not None), minute


def test_windows_that_hurt_in_a_row_switch_off() -> None:
    setting = Setting(speedup=1.0, correlation=0.0)
    ratio = np.full((1, 200), 0.9) * np.exp(np.random.default_rng(1).normal(0, 0.01, (1, 200)))
    assert left_by_windows(ratio, setting) == [0]
    ratio[:, 100:110] *= 1.2
    assert left_by_windows(ratio, setting) == [0]
    ratio[:, 100:120] = 1.08
    assert left_by_windows(ratio, setting) >= [1]


def test_the_error_of_evidence_holds_for_minutes_that_hang_together() -> None:
    apart, together = (measure(Setting(speedup=1.0, correlation=c), months=4) for c in (0.0, 0.9))
    assert apart.bound < 0.003
    assert together.bound < 0.01
    assert apart.by_windows + apart.by_alarm < 1
    assert together.by_windows + together.by_alarm < 20  # 195 where nothing is widened

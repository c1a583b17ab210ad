"""Batches that hang together widen the bounds, and independent ones do not."""

import numpy as np
import pytest

from breakeven.domain.measures.correlation import correlation, long_run, widening
from breakeven.simulation.variation import autoregressive


def drawn(correlated: float, count: int, seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(x) for x in autoregressive(rng.normal(0.0, 0.05, count), correlated)]


@pytest.mark.parametrize("correlated", [0.0, 0.5, 0.7, 0.9])
def test_the_correlation_of_drawn_batches_is_measured(correlated: float) -> None:
    assert correlation(drawn(correlated, 20_000)) == pytest.approx(correlated, abs=0.05)


def test_a_slow_trend_is_no_correlation() -> None:
    slow = [x + 0.0002 * i for i, x in enumerate(drawn(0.0, 240))]
    assert correlation(slow) < 0.2


@pytest.mark.parametrize("series", [[], [1.0] * 19, [1.0] * 100])
def test_too_few_or_equal_batches_widen_nothing(series: list[float]) -> None:
    assert correlation(series) == 0.0


@pytest.mark.parametrize("batches", [10, 30, 240])
def test_independent_batches_are_not_widened(batches: int) -> None:
    assert widening(0.0, batches) == 1.0


@pytest.mark.parametrize(("correlated", "batches"), [(0.7, 10), (0.7, 30), (0.9, 10), (0.9, 60)])
def test_the_widened_error_is_that_of_the_mean(correlated: float, batches: int) -> None:
    means, shown = [], []
    for seed in range(3000):
        groups = np.array(drawn(correlated, batches, seed)).reshape(10, -1).mean(axis=1)
        means.append(groups.mean())
        shown.append(groups.var(ddof=1) / 10)
    real = float(np.std(means) / np.sqrt(np.mean(shown)))
    assert widening(correlated, batches) == pytest.approx(real, rel=0.06)


def test_a_long_mean_of_correlated_batches_varies_more() -> None:
    assert long_run(0.0) == 1.0
    assert long_run(0.9) == pytest.approx(19.0)

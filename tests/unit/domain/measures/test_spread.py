"""Points that hang together widen the error of their mean, and what is too little to tell it says so."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from breakeven.domain.measures.points import Point
from breakeven.domain.measures.spread import correlation, spread, variance_of_mean
from breakeven.simulation.variation import autoregressive


def points(logs: Sequence[float], weights: Sequence[float] | None = None) -> list[Point]:
    weighed = zip(logs, weights or [10.0] * len(logs), strict=True)
    return [
        Point(start=60.0 * i, end=60.0 * i + 60, log_ratio=float(x), weight=w, tokens=200 * w, requests=w)
        for i, (x, w) in enumerate(weighed)
    ]


def drawn(correlated: float, count: int, seed: int = 1, deviation: float = 0.05) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(x) for x in autoregressive(rng.normal(0.0, deviation, (1, count)), correlated)[0]]


def error_of(logs: Sequence[float], *, over: int, weights: Sequence[float] | None = None) -> float:
    made = points(logs, weights)
    known = spread(made)
    assert known is not None
    return known.error(made[-over:], [p.tokens for p in made[-over:]])


@pytest.mark.parametrize("correlated", [0.0, 0.5, 0.7, 0.9])
def test_the_error_is_that_of_the_mean_or_a_little_more(correlated: float) -> None:
    found = float(np.median([error_of(drawn(correlated, 240, seed), over=60) for seed in range(20)]))
    real = 0.05 * math.sqrt(variance_of_mean(correlated, 60))
    assert real < found < 3 * real
    assert correlated > 0 or found < 1.4 * real


@pytest.mark.parametrize("correlated", [0.0, 0.6, 0.9])
def test_the_variance_of_a_mean_is_that_of_drawn_ones(correlated: float) -> None:
    means = autoregressive(np.random.default_rng(3).normal(0.0, 1.0, (4000, 20)), correlated).mean(axis=1)
    assert variance_of_mean(correlated, 20) == pytest.approx(float(means.var()), rel=0.1)


def test_the_correlation_follows_from_differences_over_one_and_over_ten() -> None:
    for r in (0.0, 0.5, 0.9):
        assert correlation(2 * (1 - r), 2 * (1 - r**10)) == pytest.approx(r, abs=0.02)
    assert correlation(0.1, 0.0) == 0.0


def test_a_moment_in_which_everything_changed_does_not_widen_what_follows() -> None:
    calm = drawn(0.0, 240)
    changed = [x + (0.4 if i >= 200 else 0.0) for i, x in enumerate(calm)]
    assert error_of(changed, over=30) < 1.5 * error_of(calm, over=30)


def test_requests_scatter_less_the_more_there_are_and_steps_do_not() -> None:
    few = [10.0] * 120
    more = [10.0] * 110 + [1000.0] * 10
    assert error_of(drawn(0.0, 120), over=10, weights=more) == pytest.approx(
        error_of(drawn(0.0, 120), over=10, weights=few), rel=0.05
    )
    less = [10.0] * 110 + [0.1] * 10
    assert error_of(drawn(0.0, 120), over=10, weights=less) > 3 * error_of(drawn(0.0, 120), over=10, weights=few)


def test_one_long_point_counts_for_its_share() -> None:
    made = points(drawn(0.0, 60))
    known = spread(made)
    assert known is not None
    assert known.error(made[-10:], [1.0] * 9 + [1000.0]) > 2 * known.error(made[-10:], [1.0] * 10)


def test_what_is_too_little_tells_nothing() -> None:
    assert spread(points([0.1] * 9)) is None

"""Bounds of figures."""

from random import Random

import pytest

from breakeven.measure.interval import Figure, over_requests


def test_quantile_bounds_hold_in_about_95_percent_of_samples() -> None:
    held = 0
    for seed in range(300):
        rng = Random(seed)
        groups = [[rng.expovariate(1.0) for _ in range(40)] for _ in range(8)]
        median = over_requests(groups, 0.5)
        assert median is not None and median.lower is not None and median.upper is not None
        held += median.lower <= 0.6931 <= median.upper
    assert held >= 0.93 * 300


def test_quantile_bounds_widen_when_visits_differ() -> None:
    rng = Random(1)
    alike = [[rng.gauss(10, 1) for _ in range(40)] for _ in range(6)]
    shifted = [[x + 2 * i for x in group] for i, group in enumerate(alike)]
    narrow, wide = over_requests(alike, 0.5), over_requests(shifted, 0.5)
    assert narrow is not None and wide is not None
    assert narrow.precision < wide.precision / 2


def test_the_upper_bound_of_a_tail_is_unknown_where_too_few_requests_lie_beyond_it() -> None:
    rng = Random(1)
    tail = over_requests([[rng.random() for _ in range(10)] for _ in range(6)], 0.99)
    assert tail is not None
    assert tail.upper is None


def test_there_is_no_quantile_of_nothing() -> None:
    assert over_requests([[], []], 0.5) is None


def test_one_visit_gives_a_quantile_without_bounds() -> None:
    assert over_requests([[1.0, 2.0, 3.0]], 0.5) == Figure(value=2.0)


def test_a_figure_without_bounds_is_not_precise() -> None:
    assert Figure(value=1.0).precision == pytest.approx(float("inf"))
    assert Figure(value=2.0, lower=1.9, upper=2.1).precision == pytest.approx(0.05)


def test_an_independent_uncertainty_adds_in_quadrature() -> None:
    wide = Figure(value=10.0, lower=7.0, upper=14.0).widened(4.0)
    assert (wide.lower, wide.upper) == (pytest.approx(5.0), pytest.approx(10.0 + 32**0.5))
    assert Figure(value=10.0).widened(4.0) == Figure(value=10.0)

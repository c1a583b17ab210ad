"""Bounds cover what they promise, and pairing pays."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.domain.measures.statistics import (
    LogRatio,
    Ratios,
    grouped,
    quantile,
    quotient_apart,
    quotient_paired,
    ratio,
)


def test_quantile_is_that_of_the_tables() -> None:
    assert quantile(9, 0.001) == pytest.approx(4.297, abs=0.001)
    assert quantile(1e9, 0.001) == pytest.approx(3.090, abs=0.001)


def test_ratio_is_sum_over_sum_and_not_the_mean_of_ratios() -> None:
    result = ratio(Ratios((10.0, 1.0, 1.0, 1.0, 1.0), (5.0, 1.0, 1.0, 1.0, 1.0)))
    assert result is not None
    assert result.value == pytest.approx(14 / 9)


def test_identical_batches_have_no_error() -> None:
    result = ratio(Ratios((3.0,) * 10, (2.0,) * 10))
    assert result is not None
    assert result.lower() == result.upper() == pytest.approx(1.5)


@pytest.mark.parametrize(
    "series",
    [
        Ratios((1.0,) * 4, (1.0,) * 4),
        Ratios((0.0,) * 10, (1.0,) * 10),
        Ratios((1.0,) * 10, (0.0,) * 10),
        Ratios((), ()),
    ],
)
def test_too_little_says_nothing(series: Ratios) -> None:
    assert ratio(series) is None


def test_lower_bound_is_wrong_as_rarely_as_promised_on_overdispersed_requests() -> None:
    rng = np.random.default_rng(7)
    trials, misses = 4000, 0
    for _ in range(trials):
        requests = rng.poisson(40, 10)
        tokens = np.array([rng.lognormal(5, 0.8, n).sum() for n in requests])
        seconds = tokens * 0.02 * np.exp(rng.normal(0, 0.05, 10))
        found = ratio(Ratios(tuple(seconds), tuple(tokens)))
        assert found is not None
        misses += replace(found, probability=0.01).lower() > 0.02 * math.exp(0.05**2 / 2)
    assert misses / trials < 0.02


def test_pairing_removes_what_both_arms_share() -> None:
    rng = np.random.default_rng(3)
    shared = np.exp(rng.normal(0, 0.2, 10))
    off = Ratios(tuple(2.0 * shared), (100.0,) * 10)
    on = Ratios(tuple(1.0 * shared), (100.0,) * 10)
    paired = quotient_paired(off, on)
    a, b = ratio(off), ratio(on)
    assert paired is not None and a is not None and b is not None
    apart = quotient_apart(a, b)
    assert paired.value == apart.value == pytest.approx(2.0)
    assert paired.error < 1e-9 < apart.error


@pytest.mark.parametrize(("stored", "live"), [(0.03, 0.0), (0.0, 0.02)])
def test_looking_often_widens_only_what_is_measured_anew(stored: float, live: float) -> None:
    once = LogRatio(value=1.3, error=stored, freedom=60)
    often = LogRatio(value=1.0, error=live, freedom=239, probability=1e-4)
    alone = once if stored else often
    both = quotient_apart(once, often)
    assert both.value / both.lower() == pytest.approx(alone.value / alone.lower())
    assert both.upper() / both.value == pytest.approx(alone.upper() / alone.value)


def test_grouping_keeps_the_sums() -> None:
    series = Ratios(tuple(float(i) for i in range(37)), tuple(float(i + 1) for i in range(37)))
    short = grouped(series, 10)
    assert len(short.over) == 10
    assert sum(short.over) == sum(series.over)
    assert sum(short.under) == sum(series.under)


positive = st.floats(min_value=0, max_value=1e12, allow_nan=False)


@given(st.lists(st.tuples(positive, positive), min_size=0, max_size=40))
def test_bounds_enclose_the_estimate(pairs: list[tuple[float, float]]) -> None:
    found = ratio(Ratios(tuple(a for a, _ in pairs), tuple(n for _, n in pairs)))
    if found is not None:
        assert found.lower() <= found.value <= found.upper()

"""Quantiles of Student's t against an independent implementation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from breakeven.domain.measures.student import tail, upper_quantile


@pytest.mark.parametrize(("probability", "table"), [(0.05, 1.833), (0.025, 2.262), (0.001, 4.297)])
def test_quantile_is_that_of_the_tables(probability: float, table: float) -> None:
    assert upper_quantile(9, probability) == pytest.approx(table, abs=0.0005)


@given(st.floats(0.5, 1e6), st.floats(1e-6, 0.49))
def test_quantile_agrees_with_scipy(freedom: float, probability: float) -> None:
    assert upper_quantile(freedom, probability) == pytest.approx(-float(stdtrit(freedom, probability)), rel=1e-7)


@given(st.floats(0.5, 1e9), st.floats(1e-6, 0.49))
def test_tail_beyond_the_quantile_is_the_probability(freedom: float, probability: float) -> None:
    assert tail(upper_quantile(freedom, probability), freedom) == pytest.approx(probability, rel=1e-9)


def test_quantile_is_symmetric() -> None:
    assert upper_quantile(7, 0.9) == pytest.approx(-upper_quantile(7, 0.1))
    assert upper_quantile(7, 0.5) == 0.0


@pytest.mark.parametrize(("freedom", "probability"), [(0, 0.1), (-1, 0.1), (math.nan, 0.1), (5, 0.0), (5, 1.0)])
def test_quantile_of_nothing_is_refused(freedom: float, probability: float) -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        upper_quantile(freedom, probability)

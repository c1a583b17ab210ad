"""The exact relation, against the published break-even table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.planning import breakeven as relation

TABLE = [
    # k, c, v, R, r*, alpha*, S at r = 0.5, S at r = 0.65
    (5, 0.111, 1.05, 1.61, 0.121, 0.379, 2.18, 2.65),
    (5, 0.111, 2.00, 2.56, 0.311, 0.634, 1.37, 1.66),
    (3, 0.083, 1.05, 1.30, 0.100, 0.233, 1.92, 2.27),
    (3, 0.002, 1.50, 1.51, 0.169, 0.345, 1.66, 1.96),
    (5, 0.050, 1.20, 1.45, 0.090, 0.311, 2.41, 2.93),
    (7, 0.150, 1.20, 2.25, 0.179, 0.560, 2.00, 2.47),
    (3, 0.125, 2.00, 2.38, 0.458, 0.658, 1.05, 1.24),
    (3, 0.375, 1.05, 2.17, 0.392, 0.600, 1.15, 1.36),
    (3, 0.375, 2.00, 3.12, 0.708, 0.837, 0.80, 0.94),
]


@pytest.mark.parametrize(("k", "c", "v", "step", "ratio", "alpha", "at_half", "at_more"), TABLE)
def test_break_even_table_is_reproduced(
    k: int, c: float, v: float, step: float, ratio: float, alpha: float, at_half: float, at_more: float
) -> None:
    found = relation.inflation(verify=v, draft=c, k=k)
    assert found == pytest.approx(step, abs=0.006)
    assert relation.break_even_ratio(found, k) == pytest.approx(ratio, abs=0.002)
    assert relation.alpha_for(found, k) == pytest.approx(alpha, abs=0.002)
    assert relation.speedup(relation.tokens_per_step(0.5, k), found) == pytest.approx(at_half, abs=0.01)
    assert relation.speedup(relation.tokens_per_step(0.65, k), found) == pytest.approx(at_more, abs=0.01)


@pytest.mark.parametrize(
    ("alpha", "k", "ratio"), [(0.5, 3, 0.29), (0.7, 5, 0.39), (0.8, 7, 0.45), (0.9, 10, 0.59), (0.4, 1, 0.40)]
)
def test_conditional_acceptance_and_counter_ratio_differ_as_published(alpha: float, k: int, ratio: float) -> None:
    assert relation.accepted_per_drafted(relation.expected_tokens(alpha, k), k) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    ("c", "dv", "best", "s_best", "s_eight"),
    [
        (0.05, 0.01, 8, 2.92, 2.92),
        (0.13, 0.01, 6, 2.10, 2.05),
        (0.13, 0.35, 2, 1.18, 0.90),
        (0.40, 0.03, 2, 1.25, 0.98),
    ],
)
def test_best_length_from_per_position_counters_as_published(
    c: float, dv: float, best: int, s_best: float, s_eight: float
) -> None:
    conditional = (0.76, 0.79, 0.83, 0.83, 0.86, 0.84, 0.88, 0.85)
    survival, share = [], 1.0
    for each in conditional:
        share *= each
        survival.append(share)
    steps = tuple(1.03 + k * (c + dv) for k in range(1, 9))  # o = 0.03 as in the published example
    found = relation.best_length(tuple(survival), steps)
    assert found == best
    assert (1 + math.fsum(survival[:best])) / steps[best - 1] == pytest.approx(s_best, abs=0.02)
    assert (1 + math.fsum(survival)) / steps[7] == pytest.approx(s_eight, abs=0.02)


def test_no_acceptance_breaks_even_when_a_step_costs_more_than_it_can_emit() -> None:
    assert relation.alpha_for(4.5, 3) is None
    assert relation.best_length((0.9, 0.8), (2.5, 4.0)) == 0


@given(alpha=st.floats(0.0, 1.0), more=st.floats(0.0, 1.0), k=st.integers(1, 16), step=st.floats(0.5, 20.0))
def test_higher_acceptance_never_lowers_the_speedup(alpha: float, more: float, k: int, step: float) -> None:
    low, high = sorted((alpha, more))
    assert relation.expected_tokens(low, k) / step <= relation.expected_tokens(high, k) / step


@given(k=st.integers(1, 16), step=st.floats(1.0, 20.0))
def test_speedup_is_one_exactly_at_the_break_even_ratio(k: int, step: float) -> None:
    ratio = relation.break_even_ratio(step, k)
    assert relation.speedup(relation.tokens_per_step(ratio, k), step) == pytest.approx(1.0)

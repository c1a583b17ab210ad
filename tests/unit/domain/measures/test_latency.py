"""Tail ratios are read where buckets allow, and refused with a reason where they do not."""

import math

import numpy as np
import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.latency import tail_ratio, tpot_buckets

FINE = (*(0.002 * 1.18**i for i in range(28)), math.inf)
COARSE = (0.01, 0.025, 0.05, 0.075, 0.1, math.inf)


def batches(median: float, *, bounds: tuple[float, ...] = FINE, requests: int = 400, seed: int = 0) -> list[Batch]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(10):
        values = median * np.exp(rng.normal(0, 0.15, requests))
        buckets = tuple((bound, float((values <= bound).sum())) for bound in bounds)
        totals = Totals(tpot_buckets=buckets)
        found.append(Batch(start=i * 60.0, end=i * 60.0 + 60, totals=totals, gauges=Gauges(), replicas=1))
    return found


def test_a_slower_tail_is_seen_with_bounds_around_it() -> None:
    found = tail_ratio(batches(0.020), batches(0.026, seed=1), 0.99, tpot_buckets)
    assert not isinstance(found, str)
    assert found.lower <= found.value <= found.upper
    assert found.value == pytest.approx(1.3, abs=0.08)
    assert found.lower > 1


def test_equal_tails_have_bounds_around_one() -> None:
    found = tail_ratio(batches(0.020), batches(0.020, seed=1), 0.99, tpot_buckets)
    assert not isinstance(found, str)
    assert found.lower < 1 < found.upper


def test_the_same_evidence_gives_the_same_bounds() -> None:
    assert tail_ratio(batches(0.02), batches(0.03), 0.99, tpot_buckets) == tail_ratio(
        batches(0.02), batches(0.03), 0.99, tpot_buckets
    )


@pytest.mark.parametrize(
    ("off", "on", "why"),
    [
        (batches(0.02, bounds=COARSE), batches(0.014, bounds=COARSE), "too wide"),
        (batches(0.02), batches(0.014, bounds=COARSE), "different buckets"),
        (batches(0.02, requests=49), batches(0.014, requests=49), "fewer than 500"),
        ([], batches(0.014), "no histogram"),
    ],
)
def test_what_cannot_be_told_says_why(off: list[Batch], on: list[Batch], why: str) -> None:
    found = tail_ratio(off, on, 0.99, tpot_buckets)
    assert isinstance(found, str)
    assert why in found

"""Shares of requests within a bound: counted where the histogram has it, and nowhere else."""

import numpy as np
import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.attainment import Attained, Estimate, Unread, attained, quantile_between, share
from breakeven.domain.measures.latency import tpot_buckets, ttft_buckets

INF = float("inf")


def arm(*within: float, bounds: tuple[float, ...] = (0.01, 0.02, 0.05), requests: float = 100.0) -> list[Batch]:
    """Batches of which this share of the requests is within each bound, wobbling a little."""
    found = []
    for i in range(20):
        wobble = 0.004 * (i % 3 - 1)
        counts = [requests * min(1.0, max(0.0, w + (wobble if 0 < w < 1 else 0.0))) for w in within]
        buckets = tuple(zip((*bounds, INF), (*counts, requests), strict=True))
        totals = Totals(tpot_buckets=buckets)
        found.append(Batch(start=60.0 * i, end=60.0 * i + 60, totals=totals, gauges=Gauges(), replicas=1))
    return found


def test_the_share_of_both_arms_and_their_difference() -> None:
    found = attained(arm(0.5, 0.97, 1.0), arm(0.5, 0.90, 1.0), 0.02, tpot_buckets)
    assert isinstance(found, Attained)
    assert (found.off.value, found.on.value) == (pytest.approx(0.97, abs=0.001), pytest.approx(0.90, abs=0.001))
    assert found.gain.value == pytest.approx(-0.07, abs=1e-6)
    assert found.gain.upper < 0
    assert found.on.lower <= 0.90 <= found.on.upper
    wider = found.widened(3.0)
    assert wider.on.upper - wider.on.value == pytest.approx(3 * (found.on.upper - found.on.value))


def test_a_bound_that_is_not_there_names_its_neighbours() -> None:
    assert attained(arm(0.5, 0.9, 1.0), arm(0.5, 0.9, 1.0), 0.03, tpot_buckets) == Unread(0.02, 0.05)
    assert share(arm(0.5, 0.9, 1.0), 0.005, tpot_buckets) == Unread(None, 0.01)
    assert share(arm(0.5, 0.9, 1.0), 9.0, tpot_buckets) == Unread(0.05, None)


def test_without_histograms_or_with_other_bounds_there_is_nothing() -> None:
    plain = arm(0.5, 0.9, 1.0)
    assert attained(plain, plain, 0.02, ttft_buckets) is None
    assert share(plain[:3], 0.02, tpot_buckets) is None
    mixed = [*plain[:10], *arm(0.5, 0.9, 1.0, bounds=(0.01, 0.02, 0.06))[10:]]
    assert share(mixed, 0.02, tpot_buckets) is None
    assert attained(plain, [], 0.02, tpot_buckets) is None
    assert share(arm(0.0, 0.0, 0.0, requests=0.0), 0.02, tpot_buckets) is None


def test_one_arm_alone_has_a_share() -> None:
    found = share(arm(0.5, 0.97, 1.0), 0.02, tpot_buckets)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(0.97, abs=0.001)


def test_a_quantile_in_a_wide_bucket_lies_between_its_bounds() -> None:
    assert quantile_between(arm(0.5, 0.95, 1.0), 0.99, tpot_buckets) == (0.02, 0.05)
    assert quantile_between(arm(1.0, 1.0, 1.0), 0.99, tpot_buckets) == (0.0, 0.01)
    assert quantile_between(arm(0.5, 0.8, 0.9), 0.99, tpot_buckets) == (0.05, INF)
    assert quantile_between(arm(0.5, 0.8, 0.9), 0.99, ttft_buckets) is None


def test_equal_arms_are_told_apart_as_seldom_as_the_bounds_say() -> None:
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(800):
        sides = []
        for _ in range(2):
            counts = rng.binomial(60, 0.95, size=10)
            rows = [((0.02, float(n)), (INF, 60.0)) for n in counts]
            sides.append(
                [
                    Batch(start=60.0 * i, end=60.0, totals=Totals(tpot_buckets=r), gauges=Gauges(), replicas=1)
                    for i, r in enumerate(rows)
                ]
            )
        found = attained(sides[0], sides[1], 0.02, tpot_buckets)
        assert isinstance(found, Attained)
        wrong += found.gain.lower > 0 or found.gain.upper < 0
    assert wrong <= 8  # 1.6 expected

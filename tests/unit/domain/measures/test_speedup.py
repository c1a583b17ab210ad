"""S from counters: what pairs, what does not, and what is absent."""

import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.speedup import decode_tokens, speedup, tpot


def batch(minute: int, *, seconds: float | None, tokens: float | None) -> Batch:
    totals = Totals(generation_tokens=tokens, first_tokens=0.0, step_seconds=seconds)
    return Batch(start=minute * 60.0, end=minute * 60.0 + 60, totals=totals, gauges=Gauges(), replicas=1)


def arm(seconds_per_token: float, *, first: int = 0, count: int = 10, swing: float = 0.0) -> list[Batch]:
    return [
        batch(first + i, seconds=1000 * seconds_per_token * (1 + swing * (i % 2)), tokens=1000.0) for i in range(count)
    ]


def test_faster_speculation_is_above_one() -> None:
    found = speedup(arm(0.020), arm(0.016))
    assert found is not None
    assert found.value == pytest.approx(1.25)


def test_swings_that_both_arms_share_do_not_widen_the_bounds() -> None:
    together = speedup(arm(0.020, swing=0.5), arm(0.016, swing=0.5))
    apart = speedup(arm(0.020, swing=0.5), arm(0.016, swing=0.5, first=20))
    assert together is not None and apart is not None
    assert together.lower() == pytest.approx(1.25)
    assert apart.lower() < 1.0


def test_an_absent_counter_is_unknown_and_not_zero() -> None:
    assert decode_tokens(Totals(generation_tokens=5.0)) is None
    assert tpot([batch(i, seconds=None, tokens=10.0) for i in range(10)]) is None
    assert speedup(arm(0.02), [batch(i, seconds=1.0, tokens=None) for i in range(10)]) is None


def test_batches_without_traffic_are_fine_among_others() -> None:
    off, on = arm(0.020), arm(0.016)
    off[3] = batch(3, seconds=0.0, tokens=0.0)
    found = speedup(off, on)
    assert found is not None
    assert found.value == pytest.approx(1.25)


def test_too_few_common_batches_say_nothing() -> None:
    assert speedup(arm(0.02, count=4), arm(0.016, count=4)) is None

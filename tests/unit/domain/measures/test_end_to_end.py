"""The speed-up to the last token: what it is made of, and that its bounds hold."""

import numpy as np
import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.end_to_end import end_to_end, mean_seconds, plain, points
from breakeven.domain.measures.spread import spread


def batch(
    at: int, *, ttft: float | None = 0.5, tpot: float = 0.02, length: float = 200.0, requests: float = 30.0
) -> Batch:
    totals = Totals(
        generation_tokens=requests * (length + 1),
        first_tokens=requests,
        ttft_seconds=None if ttft is None else ttft * requests,
        step_seconds=requests * length * tpot,
        finished=requests,
    )
    return Batch(start=60.0 * at, end=60.0 * at + 60, totals=totals, gauges=Gauges(), replicas=1)


def arm(count: int = 10, **changed: float | None) -> list[Batch]:
    return [batch(i, **changed) for i in range(count)]  # type: ignore[arg-type]


def test_it_is_the_time_to_the_first_token_and_the_decoding_of_one_mean_length() -> None:
    found = end_to_end(arm(ttft=0.5, tpot=0.02), arm(ttft=0.9, tpot=0.01))
    assert found is not None
    assert found.value == pytest.approx((0.5 + 200 * 0.02) / (0.9 + 200 * 0.01))
    assert mean_seconds(arm(ttft=0.5, tpot=0.02)) == pytest.approx(4.5)


def test_two_pages_of_each_server_give_it_without_bounds() -> None:
    assert plain(arm(1, ttft=0.5), arm(1, ttft=0.9, tpot=0.01)) == pytest.approx((0.5 + 4) / (0.9 + 2))
    assert plain(arm(1, ttft=None), arm(1)) is None


def test_both_arms_are_asked_about_the_same_length() -> None:
    found = end_to_end(arm(length=100.0), arm(length=300.0))
    assert found is not None
    assert found.value == pytest.approx(1.0)


def test_a_draft_that_decodes_faster_and_lets_requests_wait_is_slower() -> None:
    found = end_to_end(arm(ttft=0.2), arm(ttft=160.0, tpot=0.015))
    assert found is not None
    assert found.upper() < 0.1


@pytest.mark.parametrize(
    ("off", "on"),
    [
        (arm(ttft=None), arm()),
        (arm(), arm(ttft=None)),
        (arm(3), arm(3)),
        (arm(), arm(4)),
        ([], []),
        (arm(requests=0.0), arm()),
    ],
)
def test_what_is_absent_too_little_or_not_at_the_same_time_says_nothing(off: list[Batch], on: list[Batch]) -> None:
    assert end_to_end(off, on) is None


def test_a_v0_engine_that_speculates_is_read_by_its_finished_requests() -> None:
    totals = Totals(
        v0_emitted=1.0,
        first_tokens=30.0,
        ttft_seconds=15.0,
        request_tokens=30.0 * 201,
        request_count=30.0,
        request_decode_seconds=30 * 200 * 0.01,
    )
    on = [Batch(start=b.start, end=b.end, totals=totals, gauges=Gauges(), replicas=1) for b in arm()]
    found = end_to_end(arm(), on)
    assert found is not None
    assert found.value == pytest.approx((0.5 + 4) / (0.5 + 2))


def _scattered(rng: np.random.Generator, at: int) -> Batch:
    return batch(
        at, ttft=0.5 * rng.lognormal(0, 0.4), tpot=0.02 * rng.lognormal(0, 0.03), length=float(rng.normal(200, 15))
    )


def test_its_bounds_are_passed_as_seldom_as_they_say() -> None:
    """Waits and lengths scatter from batch to batch; the truth lies beyond a bound in one of a thousand each."""
    rng = np.random.default_rng(7)
    passed = 0
    for _ in range(1500):
        off, on = ([_scattered(rng, i) for i in range(10)] for _ in range(2))
        found = end_to_end(off, on)
        assert found is not None
        passed += found.lower() > 1 or found.upper() < 1
    assert passed <= 12  # 3 expected


def test_queues_that_last_hang_together_more_than_decoding_does() -> None:
    rng = np.random.default_rng(3)
    wait, waits = 0.0, []
    for _ in range(200):
        wait = 0.9 * wait + rng.normal(0, 0.3)
        waits.append(float(np.exp(wait)))
    on = [batch(i, ttft=each) for i, each in enumerate(waits)]
    known = spread(points(arm(200), on))
    assert known is not None
    assert known.correlation > 0.6
    assert points(arm(200), arm(200, ttft=None)) == []

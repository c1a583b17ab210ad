"""What in the newest evidence asks for a whole look, and what can wait."""

from dataclasses import replace

import pytest

from breakeven.domain.counters.observation import Arm, Batch, Gauges, Totals
from breakeven.domain.quiet import unremarkable


def batch(n: int, *, tpot: float = 0.01, **counters: float) -> Batch:
    values = {"generation_tokens": 1100.0, "first_tokens": 100.0, "step_seconds": 1000 * tpot, "preemptions": 0.0}
    gauges = Gauges(running=4.0, waiting=counters.pop("waiting", 0.0), kv_usage=0.2)
    return Batch(start=60.0 * n, end=60.0 * n + 60, totals=Totals(**(values | counters)), gauges=gauges, replicas=1)


def arm(*batches: Batch) -> Arm:
    return Arm(variant="a", batches=batches, ready=1, scraped=1)


BEFORE = {"a": arm(batch(1), batch(2))}
LATER = {"a": arm(batch(1), batch(2), batch(3, tpot=0.0102))}


def test_another_batch_like_the_last_can_wait() -> None:
    assert unremarkable(BEFORE, LATER, until=None)


def test_end_of_a_window_is_judged() -> None:
    assert not unremarkable(BEFORE, LATER, until=240.0)
    assert unremarkable(BEFORE, LATER, until=300.0)


@pytest.mark.parametrize(
    "newest",
    [
        batch(3, tpot=0.011),
        batch(3, tpot=0.009),
        batch(3, preemptions=1.0),
        batch(3, failed=1.0),
        batch(3, waiting=9.0),
        batch(3, generation_tokens=100.0),
    ],
    ids=["slower", "faster", "preempted", "failed", "queued", "idle"],
)
def test_sudden_change_is_weighed_at_once(newest: Batch) -> None:
    assert not unremarkable(BEFORE, {"a": arm(batch(1), batch(2), newest)}, until=None)


def test_increment_that_moved_is_weighed_before_its_batch_is_complete() -> None:
    increment = replace(batch(3, tpot=0.02), end=195.0)
    assert not unremarkable(BEFORE, {"a": replace(BEFORE["a"], newest=(increment,))}, until=None)


def test_another_fleet_is_weighed() -> None:
    assert not unremarkable(BEFORE, {"a": replace(LATER["a"], ready=2)}, until=None)
    assert not unremarkable(BEFORE, {"a": replace(LATER["a"], scraped=0)}, until=None)
    assert not unremarkable(BEFORE, LATER | {"b": LATER["a"]}, until=None)


def test_first_batch_of_an_arm_is_weighed() -> None:
    assert not unremarkable({"a": arm()}, {"a": arm(batch(1))}, until=None)
    assert unremarkable({"a": arm()}, {"a": arm()}, until=None)

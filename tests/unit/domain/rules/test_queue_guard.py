"""Requests that wait for speculation and not without it: growing, standing, and with nothing to compare them with."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, Reason, StayReason

from ..conftest import World

Make = Callable[..., World]
HOUR = timedelta(hours=1)


def by_variant(on: Any, off: Any) -> Callable[[Variant], Any]:
    return lambda variant: on if variant.speculates else off


def reasons(world: World, action: Action) -> list[str]:
    return [reason for done, reason in world.news if done == action]


def serving(make: Make, **changes: Any) -> World:
    w = make(**changes)
    w.kv_usage = 0.6
    w.until(State.SPECULATING)
    w.run(HOUR)
    return w


def test_a_queue_that_stands_and_does_not_grow_is_left_after_a_window(world: Make) -> None:
    w = serving(world)
    w.waiting = by_variant(20.0, 0.0)
    w.run(timedelta(minutes=9))
    assert reasons(w, Action.DISABLE) == []
    w.run(timedelta(minutes=3))
    assert reasons(w, Action.DISABLE) == [Reason.QUEUE_GROWTH]


def test_a_queue_that_the_control_shares_is_load(world: Make) -> None:
    w = serving(world)
    w.waiting = by_variant(20.0, 20.0)
    w.run(2 * HOUR)
    assert reasons(w, Action.DISABLE) == []


def test_a_trial_whose_canary_alone_queues_fails(world: Make) -> None:
    w = world()
    w.waiting = by_variant(20.0, 0.0)
    w.run(2 * HOUR)
    assert reasons(w, Action.END_TRIAL)[:1] == [Reason.QUEUE_GROWTH]


def test_after_a_queue_no_trial_begins_before_the_load_has_fallen(world: Make) -> None:
    w = serving(world)
    w.waiting = by_variant(20.0, 0.0)
    w.run(timedelta(hours=6))
    assert reasons(w, Action.START_TRIAL) == [Reason.NOT_YET_PROVEN]
    assert w.last.stay is not None and w.last.stay.reason == StayReason.LOAD_HAS_NOT_FALLEN
    w.waiting, w.requests_per_second = by_variant(0.0, 0.0), w.requests_per_second / 2
    w.run(HOUR)
    assert w.memory.state in (State.TRIAL, State.SPECULATING)


def test_without_a_control_a_full_cache_and_a_queue_bring_it_back_before_anything_is_switched(world: Make) -> None:
    w = serving(world, replicas=3)
    assert not w.memory.holdback
    w.waiting, w.kv_usage = by_variant(20.0, 0.0), 0.97
    w.run(timedelta(minutes=13))
    assert reasons(w, Action.KEEP_CONTROL) == [Reason.QUEUE_GROWTH]
    assert reasons(w, Action.DISABLE) == []
    w.run(timedelta(minutes=30))
    assert reasons(w, Action.DISABLE) == [Reason.QUEUE_GROWTH]


@pytest.mark.parametrize(("kv_usage", "waiting"), [(0.5, 20.0), (None, 20.0), (0.97, 5.0)])
def test_a_queue_that_is_not_for_room_or_is_short_brings_nothing_back(
    world: Make, kv_usage: float | None, waiting: float
) -> None:
    w = serving(world, replicas=3)
    w.waiting, w.kv_usage = by_variant(waiting, 0.0), kv_usage
    w.run(HOUR)
    assert reasons(w, Action.KEEP_CONTROL) == []
    assert w.memory.state == State.SPECULATING


def test_a_queue_as_at_the_promotion_is_no_news(world: Make) -> None:
    w = world(replicas=3)
    w.waiting, w.kv_usage = by_variant(20.0, 20.0), 0.97
    w.until(State.SPECULATING)
    assert w.memory.reference is not None and w.memory.reference.waiting_on == 20
    w.waiting = by_variant(40.0, 20.0)
    w.run(HOUR)
    assert w.memory.state == State.SPECULATING
    w.waiting = by_variant(90.0, 20.0)
    w.run(HOUR)
    assert Reason.QUEUE_GROWTH in reasons(w, Action.KEEP_CONTROL)


def test_where_no_control_may_be_kept_the_queue_itself_decides(world: Make) -> None:
    w = serving(world, policy={"holdback": {"mode": "Never"}})
    w.waiting, w.kv_usage = by_variant(20.0, 0.0), 0.97
    w.run(timedelta(minutes=13))
    assert reasons(w, Action.DISABLE) == [Reason.QUEUE_GROWTH]


def test_with_throughput_a_queue_is_what_keeps_replicas_busy(world: Make) -> None:
    w = serving(world, objective={"kind": "Throughput"})
    w.waiting = by_variant(20.0, 0.0)
    w.run(timedelta(minutes=13))
    assert reasons(w, Action.DISABLE) == []

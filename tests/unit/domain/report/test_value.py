"""What speculation brought is counted once, with bounds, and its growth is not written."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from breakeven.api.status import Memory, State
from breakeven.api.value import ValueStatus, ValueSums
from breakeven.domain.report.value import worth_writing

from ..conftest import START

Make = Callable[..., Any]


def test_sums_follow_the_speed_up_and_the_control_costs_its_share(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    assert w.memory.value.since_verdict == ValueSums() or w.memory.value.since != w.memory.since
    w.run(timedelta(hours=2, minutes=1))
    total = w.memory.value.since_verdict
    counted = w.memory.value.counted_until - w.memory.since
    tokens = 4 * 200 * 3 / 4 * counted.total_seconds()
    assert counted > timedelta(minutes=90)
    assert total.tokens == pytest.approx(tokens * (1 - 1 / 1.3), rel=0.1)
    assert 0 < total.tokens_lower <= total.tokens
    assert float(total.replica_hours) == pytest.approx(3 * 0.3 * counted / timedelta(hours=1), rel=0.1)
    assert total.cost_tokens == pytest.approx(tokens / 3 * 0.3, rel=0.1)


def test_looking_twice_counts_once(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    before = w.memory.value
    w.look()
    assert w.memory.value == before


def test_what_a_crash_lost_is_counted_again_from_history(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(minutes=30))
    written = w.memory.value
    w.run(timedelta(minutes=11))
    ahead = w.memory.value
    w.memory = w.memory.model_copy(update={"value": written})
    w.look()
    assert w.memory.value.counted_until == ahead.counted_until
    assert w.memory.value.since_verdict.tokens == pytest.approx(ahead.since_verdict.tokens, abs=2)


def test_a_new_verdict_begins_anew_and_a_day_forgets(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.TRIAL)
    w.run(timedelta(minutes=36))
    assert w.memory.value.since_verdict.tokens < 0
    assert len(w.memory.value.hours) >= 2
    quiet = w.memory.model_copy(update={"stable": w.memory.stable})
    w.memory, w.serving, w.now = quiet, {}, w.now + timedelta(days=2)
    w.look()
    assert w.memory.value.day == ValueSums()


def test_nothing_is_counted_without_a_judgement(world: Make) -> None:
    w = world()
    w.requests_per_second = 0.001
    w.run(timedelta(hours=3))
    assert w.memory.value is None


def test_sums_are_written_after_an_hour_when_they_moved() -> None:
    def at(minutes: int, tokens: int) -> ValueStatus:
        sums = ValueSums(tokens=tokens, replica_hours=Decimal(tokens))
        return ValueStatus(counted_until=START + timedelta(minutes=minutes), since=START, since_verdict=sums, day=sums)

    assert not worth_writing(at(30, 1000), None)
    assert worth_writing(at(60, 1000), None)
    assert not worth_writing(at(110, 2000), at(60, 1000))
    assert not worth_writing(at(130, 1040), at(60, 1000))
    assert worth_writing(at(130, 1060), at(60, 1000))


def test_sums_survive_being_written_and_read() -> None:
    sums = ValueSums(tokens=-(10**15), replica_hours=Decimal("-0.000001"))
    memory = Memory(value=ValueStatus(counted_until=START, since=START, since_verdict=sums))
    assert Memory.model_validate_json(memory.model_dump_json()) == memory

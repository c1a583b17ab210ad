"""What is learned about when to act: hours of the day that pay, bursts that end by themselves, trials that fail."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breakeven.api.changes import changed
from breakeven.api.status import DecisionRecord, Memory, State
from breakeven.api.vocabulary import Action
from breakeven.domain.counters.observation import Observation
from breakeven.domain.decision import Declared
from breakeven.domain.evidence.loss_alarm import alarm_after
from breakeven.domain.rules import cooldown, hours
from breakeven.domain.situation import Situation, situation_at

from ..conftest import spec_of

Make = Callable[..., Any]
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
BY_DAY = "P" * 12 + "L" * 12
"""Speculation pays in the first twelve hours of the day."""


def at(hour: int, *, failed: int, **memory: Any) -> Situation:
    """A cooldown at an hour of the day, after a failure at another one."""
    kept = Memory(state=State.COOLDOWN, since=MIDNIGHT + timedelta(hours=failed), **memory)
    return situation_at(
        Declared(spec=spec_of(), generation=1), kept, Observation(arms={}, fleet={}), MIDNIGHT + timedelta(hours=hour)
    )


def test_an_hour_that_paid_is_another_question_than_one_that_lost() -> None:
    assert hours.another(at(25, failed=20, hours=BY_DAY))
    assert not hours.another(at(21, failed=20, hours=BY_DAY))
    assert not hours.another(at(3, failed=1, hours=BY_DAY)), "what fails in an hour that paid is no matter of the hour"
    assert not hours.another(at(25, failed=20))


def test_an_hour_that_lost_waits_for_one_that_paid_but_not_for_long() -> None:
    assert hours.waits(at(14, failed=13, hours=BY_DAY))
    assert not hours.waits(at(2, failed=1, hours=BY_DAY))
    assert not hours.waits(at(13, failed=13, hours="L" * 24)), "nothing ever paid"
    assert not hours.waits(at(13 + 16, failed=13, hours="LLLLLLLL" * 3)), "the longest cooldown is over"
    assert not hours.waits(at(14, failed=13))


def test_hours_are_learned_from_verdicts(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    assert w.memory.hours[w.now.hour] == "P"
    w.speedup = lambda variant: 0.7 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert w.memory.hours[w.now.hour] == "L"


def test_a_trial_that_fails_in_an_hour_that_had_paid_says_that_it_is_not_the_clock(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.memory = changed(w.memory, hours="P" * 24)
    w.speedup = lambda variant: 0.7 if variant.speculates else 1.0
    w.run(timedelta(hours=24))
    failed = sum(line.action == Action.END_TRIAL for line in w.memory.decisions)
    assert "P" not in w.memory.hours
    assert 3 <= failed <= 6, "the cooldown doubles: about 0.5, 1, 2, 4 and 8 hours, not one trial for each hour"


@pytest.mark.parametrize(
    ("bursts", "minutes"), [([], 0), ([1], 4), ([60, 30, 1], 16), ([1] * 12, 20), ([24 * 8], 0), ([24 * 8, 1], 8)]
)
def test_each_burst_doubles_the_patience_of_the_alarm_until_a_week_has_none(bursts: list[int], minutes: int) -> None:
    moments = [MIDNIGHT - timedelta(hours=ago) for ago in bursts]
    assert alarm_after(at(0, failed=0, bursts=moments)) == timedelta(minutes=minutes)


def test_the_users_patience_is_the_least() -> None:
    situation = at(0, failed=0, bursts=[MIDNIGHT])
    patient = replace(situation, declared=replace(situation.declared, spec=spec_of(evidence={"alarmAfter": "10m"})))
    assert alarm_after(patient) == timedelta(minutes=10)


def test_an_alarm_whose_trial_pays_was_a_burst_and_one_whose_trial_fails_was_none(world: Make) -> None:
    w = world(policy={"maxTransitionsPerDay": 20})
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert w.memory.alarmed_at == w.now
    w.speedup = lambda variant: 1.3 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    assert (len(w.memory.bursts), w.memory.alarmed_at) == (1, None)
    w.run(timedelta(hours=1))
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    w.until(State.TRIAL)
    w.until(State.COOLDOWN)
    assert (len(w.memory.bursts), w.memory.alarmed_at) == (1, None)


def test_bursts_that_come_again_are_not_forgotten(world: Make) -> None:
    w = world(policy={"maxTransitionsPerDay": 20})
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.memory = changed(w.memory, bursts=[w.now - timedelta(days=6), w.now - timedelta(days=5)])
    first, last = w.memory.bursts
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    w.run(timedelta(minutes=5))
    assert w.memory.state == State.SPECULATING, "eight minutes are waited after two bursts"
    w.speedup = lambda variant: 1.3 if variant.speculates else 1.0
    w.run(timedelta(minutes=30))
    assert w.memory.state == State.SPECULATING
    assert w.memory.bursts[0] == first
    assert w.memory.bursts[1] > last + timedelta(days=4)


def test_four_failed_trials_count_as_one_change_of_the_day() -> None:
    policy = spec_of().policy
    failed = DecisionRecord(at=MIDNIGHT, action=Action.END_TRIAL, reason="BelowBreakEven", message="x", generation=1)
    used = [MIDNIGHT] * (policy.max_transitions_per_day - 2)
    now = MIDNIGHT + timedelta(hours=1)
    assert cooldown.may_switch_on(policy, Memory(transitions=used, decisions=[failed] * 3), now)
    assert not cooldown.may_switch_on(policy, Memory(transitions=used, decisions=[failed] * 4), now)
    assert cooldown.may_switch(policy, Memory(transitions=used, decisions=[failed] * 4), now)

"""When a status is worth a write, and a condition an Event."""

from datetime import UTC, datetime, timedelta

import pytest

from breakeven.api.status import Condition, DecisionRecord, Details, Memory, Role, State, Status, VariantStatus
from breakeven.api.value import ValueStatus, ValueSums
from breakeven.control.headline import value_report
from breakeven.control.status_news import is_news, stands_out, turned_bad

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def condition(kind: str, status: str, message: str = "", reason: str = "R") -> Condition:
    return Condition(type=kind, status=status, last_transition_time=T0, reason=reason, message=message)


def test_digits_in_texts_are_not_worth_a_write_but_words_are() -> None:
    old = Status(hold="87 of 100 requests", conditions=[condition("Ready", "True", "4 of 4 replicas")])
    new = Status(hold="93.5 of 100 requests", conditions=[condition("Ready", "True", "3 of 4 replicas")])
    assert not is_news(new, old)
    assert is_news(old.model_copy(update={"hold": "no traffic"}), old)
    assert is_news(old.model_copy(update={"ready_replicas": 1}), old)
    assert is_news(old.model_copy(update={"memory": Memory(attempts=1)}), old)


def test_only_what_turned_bad_gets_an_event() -> None:
    bad = condition("CapacityAvailable", "False", reason="LastReplica")
    assert [c.type for c in turned_bad(Status(conditions=[bad]), Status())] == ["CapacityAvailable"]
    assert turned_bad(Status(conditions=[bad]), Status(conditions=[bad])) == []
    assert turned_bad(Status(conditions=[condition("CapacityAvailable", "True")]), Status(conditions=[bad])) == []


def test_an_odd_replica_gets_one_event_and_other_causes_none() -> None:
    odd = condition("Diagnosis", "True", "replica a-1 is far", reason="OutlierReplica")
    idle = condition("Diagnosis", "True", reason="Idle")
    assert [c.reason for c in turned_bad(Status(conditions=[odd]), Status(conditions=[idle]))] == ["OutlierReplica"]
    assert turned_bad(Status(conditions=[odd]), Status(conditions=[odd])) == []
    assert turned_bad(Status(conditions=[idle]), Status()) == []


def test_growing_sums_of_value_are_written_once_an_hour_at_most() -> None:
    def status_after(minutes: int) -> Status:
        sums = ValueSums(tokens=1000 * minutes)
        value = ValueStatus(counted_until=T0 + timedelta(minutes=minutes), since=T0, since_verdict=sums, day=sums)
        return Status(memory=Memory(value=value), value=value_report(value))

    assert not is_news(status_after(59), status_after(10))
    assert is_news(status_after(71), status_after(10))


@pytest.mark.parametrize(
    ("state", "holdback", "news"),
    [
        (State.TRIAL, False, True),
        (State.COOLDOWN, False, True),
        (State.BASELINE, False, True),
        (State.SPECULATING, False, True),
        (State.SPECULATING, True, False),  # takes turns with its control all day
    ],
)
def test_what_is_awake_is_news_unless_it_takes_turns(state: State, holdback: bool, news: bool) -> None:
    def status_with(awake: int) -> Status:
        arm = VariantStatus(
            name="a", role=Role.STABLE, speculation="off", speculates=False, wanted=1, ready=1, awake=awake
        )
        return Status(state=state, memory=Memory(state=state, holdback=holdback), details=Details(variants=[arm]))

    assert is_news(status_with(1), status_with(0)) is news


@pytest.mark.parametrize(
    ("action", "reason", "warning"),
    [
        ("Disable", "BelowBreakEven", True),
        ("RollBack", "BelowBreakEven", True),
        ("Freeze", "TooManyTransitions", True),
        ("EndTrial", "EngineFailing", True),
        ("EndTrial", "BelowBreakEven", False),
        ("Promote", "Pays", False),
        ("WouldDisable", "BelowBreakEven", False),
    ],
)
def test_what_switches_off_or_fails_stands_out(action: str, reason: str, warning: bool) -> None:
    record = DecisionRecord(at=T0, action=action, reason=reason, message="", generation=1)
    assert stands_out(record) is warning

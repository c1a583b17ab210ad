"""When a status is worth a write."""

from datetime import UTC, datetime, timedelta

from breakeven.api.conditions import Reason
from breakeven.api.status import Condition, Status, ValueStatus, ValueSums
from breakeven.control.report import refused_status, says_more, transitions

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def condition(kind: str, status: str, message: str = "", reason: str = "R") -> Condition:
    return Condition(type=kind, status=status, last_transition_time=T0, reason=reason, message=message)


def test_digits_in_texts_are_not_worth_a_write_but_words_are() -> None:
    old = Status(hold="87 of 100 requests", conditions=[condition("Ready", "True", "4 of 4 replicas")])
    new = Status(hold="93.5 of 100 requests", conditions=[condition("Ready", "True", "3 of 4 replicas")])
    assert not says_more(new, old)
    assert says_more(old.model_copy(update={"hold": "no traffic"}), old)
    assert says_more(old.model_copy(update={"ready_replicas": 1}), old)
    assert says_more(old.model_copy(update={"streak": 1}), old)


def test_refusal_keeps_what_is_remembered() -> None:
    old = Status(streak=3, conditions=[condition("Reconciling", "True")])
    new = refused_status(old, reason=Reason.INVALID_CONFIGURATION, message="spec.x: no", generation=2, now=T0)
    assert new.streak == 3
    assert new.observed_generation == 2
    assert [(c.type, c.status) for c in new.conditions] == [
        ("Ready", "False"),
        ("Stalled", "True"),
        ("ConfigurationValid", "False"),
    ]


def test_only_what_turned_bad_is_told() -> None:
    bad = condition("CapacityAvailable", "False", reason="LastReplica")
    assert [c.type for c in transitions(Status(conditions=[bad]), Status())] == ["CapacityAvailable"]
    assert transitions(Status(conditions=[bad]), Status(conditions=[bad])) == []
    assert transitions(Status(conditions=[condition("CapacityAvailable", "True")]), Status(conditions=[bad])) == []


def test_an_odd_replica_is_told_once_and_other_causes_are_not() -> None:
    odd = condition("Diagnosis", "True", "replica a-1 is far", reason="OutlierReplica")
    idle = condition("Diagnosis", "True", reason="Idle")
    assert [c.reason for c in transitions(Status(conditions=[odd]), Status(conditions=[idle]))] == ["OutlierReplica"]
    assert transitions(Status(conditions=[odd]), Status(conditions=[odd])) == []
    assert transitions(Status(conditions=[idle]), Status()) == []


def test_growing_sums_of_value_are_written_once_an_hour_at_most() -> None:
    def counted(minutes: int) -> Status:
        sums = ValueSums(tokens=1000 * minutes)
        value = ValueStatus(counted_until=T0 + timedelta(minutes=minutes), since=T0, since_verdict=sums, day=sums)
        return Status(value=value)

    assert not says_more(counted(59), counted(10))
    assert says_more(counted(71), counted(10))

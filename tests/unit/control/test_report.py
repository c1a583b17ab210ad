"""What a pass reports."""

from datetime import UTC, datetime

from breakeven.api.conditions import Reason
from breakeven.api.status import Condition, Memory, Status
from breakeven.control.report import refused_status

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def condition(kind: str, status: str) -> Condition:
    return Condition(type=kind, status=status, last_transition_time=T0, reason="R", message="")


def test_refusal_keeps_what_is_remembered() -> None:
    old = Status(memory=Memory(attempts=3), conditions=[condition("Reconciling", "True")])
    new = refused_status(old, reason=Reason.INVALID_CONFIGURATION, message="spec.x: no", generation=2, now=T0)
    assert new.memory.attempts == 3
    assert new.observed_generation == 2
    assert [(c.type, c.status) for c in new.conditions] == [
        ("Stalled", "True"),
        ("Ready", "False"),
        ("ConfigurationValid", "False"),
    ]

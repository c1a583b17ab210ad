"""What `kubectl get` shows: what is wrong now, else what was decided last, and a speed-up only while it is current."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.world import resource

from breakeven.api.conditions import Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Condition, EvidenceStatus, LastGood, Memory, State
from breakeven.api.variant import declared_variant
from breakeven.control.headline import LONGEST, headline, present_speedup

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OFF = "Switched off: 26 % slower with the draft (at least 8 %). Accepted 15 %, needs 32 %. S 0.74"


def condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=status, last_transition_time=T0, reason=reason, message=message)


DECIDED = condition("SpeculationActive", "False", "BelowBreakEven", OFF)


def test_where_nothing_is_wrong_the_last_decision_is_shown_by_its_first_sentence() -> None:
    ready = condition("Ready", "True", "Serving", "3 of 3 replicas serve")
    shown = headline([DECIDED, ready])
    assert shown == ("BelowBreakEven", "Switched off: 26 % slower with the draft (at least 8 %).")


@pytest.mark.parametrize(
    ("kind", "status"), [("Stalled", "True"), ("Ready", "False"), ("MetricsAvailable", "False"), ("Paused", "True")]
)
def test_what_is_wrong_comes_before_what_was_decided(kind: str, status: str) -> None:
    wrong = condition(kind, status, "EngineFailing", "engine: CUDA out of memory. More words")
    assert headline([DECIDED, wrong]) == ("EngineFailing", "Engine: CUDA out of memory.")


def test_replicas_that_load_do_not_hide_the_decision() -> None:
    loading = condition("Ready", "False", Reason.REPLICAS_UNREADY, "2 of 3 replicas serve")
    assert headline([DECIDED, loading]).reason == "BelowBreakEven"


def test_the_line_is_short_whatever_the_condition_says() -> None:
    wrong = condition("Stalled", "True", "ApplyRefused", "x" * 5000)
    assert len(headline([wrong]).message) <= LONGEST


def evidence(minutes: float) -> EvidenceStatus:
    return EvidenceStatus(speedup=Decimal("1.3"), window_end=T0 + timedelta(minutes=minutes))


ON = declared_variant(SpeculativeDeploymentSpec.model_validate(resource()["spec"]))


def test_a_speedup_of_what_serves_is_shown() -> None:
    assert present_speedup(Memory(since=T0, stable=ON, evidence=evidence(10))) == Decimal("1.3")


def test_a_speedup_that_is_older_than_what_serves_is_not_shown() -> None:
    assert present_speedup(Memory(since=T0, stable=ON, evidence=evidence(-1))) is None


def test_a_promotion_rests_on_figures_of_what_serves_from_then_on() -> None:
    good = LastGood(variant=ON, verified_at=T0, reason="")
    memory = Memory(since=T0, stable=ON, evidence=evidence(-1), reference=evidence(-1), last_good=good)
    assert present_speedup(memory) == Decimal("1.3")


def test_without_speculation_there_is_no_speedup() -> None:
    assert present_speedup(Memory(since=T0, stable=ON.baseline, evidence=evidence(10))) is None


def test_a_trial_against_no_speculation_shows_its_speedup_and_one_between_two_drafts_does_not() -> None:
    trial = Memory(since=T0, state=State.TRIAL, stable=ON.baseline, canary=ON, evidence=evidence(10))
    tuning = Memory(since=T0, state=State.TUNING, stable=ON, canary=ON.restarted(), evidence=evidence(10))
    assert present_speedup(trial) == Decimal("1.3")
    assert present_speedup(tuning) is None

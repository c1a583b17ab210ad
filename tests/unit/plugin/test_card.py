"""One screen about a resource, in each state and in each trouble."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.fake_kubectl import resource
from tests.support.reports import NOW, full_reports

from breakeven.api.price import Price
from breakeven.api.status import Condition, State, Status
from breakeven.plugin.card import card, rows
from breakeven.plugin.outlook import outlook
from breakeven.plugin.resources import Found, read
from breakeven.plugin.story import story

LATER = NOW + timedelta(minutes=12)
REPORTS: Mapping[State, Status] = full_reports(resource()["spec"])
SCREEN = 24


def found(state: State, **policy: Any) -> Found:
    body = resource(REPORTS[state])
    body["spec"].setdefault("policy", {}).update(policy)
    return read(body)


def with_condition(state: State, kind: str, value: str, reason: str, message: str = "m") -> Found:
    made = Condition(type=kind, status=value, reason=reason, message=message, last_transition_time=NOW)
    status = REPORTS[state]
    kept = [c for c in status.conditions if c.type != kind]
    return replace(found(state), status=status.model_copy(update={"conditions": [*kept, made]}))


@pytest.mark.parametrize("state", list(REPORTS))
def test_every_state_fits_on_a_screen_and_says_what_comes_next_and_what_changes_it(state: State) -> None:
    it = found(state)
    lines = rows(card(it, LATER), LATER, it.status)
    labels = [label for label, _ in lines]
    assert {"state", "why", "replicas", "next", "changes it"} <= set(labels)
    assert labels[0] == "state" and str(state) in lines[0][1] and "12m ago" in lines[0][1]
    assert sum(1 + len(text) // 110 for _, text in lines) <= SCREEN
    assert "`kubectl breakeven " in dict(lines)["changes it"]


def test_a_verdict_and_a_try_are_dated() -> None:
    assert "next about 12:20:00 UTC, in 8m" in card(found(State.SPECULATING), LATER).next
    assert "by 18:00:00 UTC, in 5h48m" in card(found(State.TRIAL), LATER).next
    assert "12:30:00 UTC, in 18m" in card(found(State.COOLDOWN), LATER).next
    assert "Next try: now" in card(found(State.COOLDOWN), LATER + timedelta(hours=1)).next


@pytest.mark.parametrize(
    ("policy", "says", "command"),
    [
        ({"paused": True}, "spec.policy.paused", "resume"),
        ({"mode": "AlwaysOff"}, "AlwaysOff", "on"),
        ({"mode": "AlwaysOn"}, "AlwaysOn", "auto"),
    ],
)
def test_an_order_of_a_person_comes_before_the_state(policy: dict[str, Any], says: str, command: str) -> None:
    ahead = card(found(State.SPECULATING, **policy), LATER)
    assert says in ahead.next
    assert f"`kubectl breakeven {command} llama-70b`" in ahead.changes


def test_a_frozen_day_says_when_it_thaws() -> None:
    status = REPORTS[State.BASELINE]
    memory = status.memory.model_copy(update={"transitions": [NOW - timedelta(hours=23), NOW]})
    frozen = status.model_copy(update={"state": State.FROZEN, "memory": memory})
    ahead = outlook("llama-70b", found(State.BASELINE).spec, frozen, LATER)
    assert "maxTransitionsPerDay: 4" in ahead.next and "13:00:00 UTC, in 48m" in ahead.next


def test_a_resource_that_nobody_has_looked_at_is_not_called_healthy() -> None:
    shown = card(read(resource()), LATER)
    assert shown.state == "" and shown.needs_person
    assert "not looked at it yet" in shown.next


@pytest.mark.parametrize(
    ("kind", "value", "reason", "person"),
    [
        ("Stalled", "True", "ApplyRefused", True),
        ("MetricsAvailable", "False", "PrometheusUnreachable", True),
        ("Ready", "False", "EngineFailing", True),
        ("Ready", "False", "ReplicasUnready", False),
        ("CapacityAvailable", "False", "LastReplica", True),
        ("CapacityAvailable", "False", "OutsideWindow", False),
        ("Diagnosis", "True", "OutlierReplica", False),
    ],
)
def test_what_a_person_should_look_at_is_there_and_only_what_is_wrong_counts(
    kind: str, value: str, reason: str, person: bool
) -> None:
    shown = card(with_condition(State.SPECULATING, kind, value, reason), LATER)
    assert any(line.startswith(f"{kind}={value} {reason}") for line in shown.attention)
    assert shown.needs_person is person


def test_a_refused_spec_is_said_once_and_what_to_write_is_what_changes_it() -> None:
    it = with_condition(
        State.SPECULATING, "ConfigurationValid", "False", "InvalidConfiguration", "spec.draft: write it"
    )
    stalled = Condition(
        type="Stalled",
        status="True",
        reason="InvalidConfiguration",
        message="spec.draft: write it",
        last_transition_time=NOW,
    )
    it = replace(it, status=it.status.model_copy(update={"conditions": [*it.status.conditions, stalled]}))
    shown = card(it, LATER)
    assert shown.changes == "spec.draft: write it"
    assert len([line for line in shown.attention if "write it" in line]) == 1


def test_what_another_release_wrote_is_shown_as_far_as_it_can_be_read() -> None:
    body = resource(REPORTS[State.SPECULATING])
    body["spec"]["fromTheFuture"] = {"a": 1}
    body["status"]["memory"] = "{not json"
    it = read(body)
    assert it.spec is None and "fromTheFuture" in it.unread and "status:" in it.unread
    shown = card(it, LATER)
    assert shown.needs_person and shown.attention[0].startswith("spec: ")
    assert story(it, LATER)


def test_opencost_tells_the_gain_in_money_only_where_the_operator_has_no_price() -> None:
    price = Price(gpu_hour=Decimal("2"), gpus=2)
    assert "Worth 73.00 at 2.00 a GPU-hour (OpenCost)." in card(found(State.SPECULATING), LATER, gpu_hour=price).gained
    status = REPORTS[State.SPECULATING]
    priced = status.model_copy(update={"details": status.details.model_copy(update={"price": price})})
    assert "OpenCost" not in card(replace(found(State.SPECULATING), status=priced), LATER, gpu_hour=price).gained


def test_a_newer_spec_than_the_report_is_said() -> None:
    body = resource(REPORTS[State.SPECULATING])
    body["metadata"]["generation"] = 9
    assert any("spec is newer" in line for line in card(read(body), LATER).attention)


def test_why_has_the_decision_in_full_and_every_condition_that_says_something() -> None:
    told = dict(story(found(State.COOLDOWN), LATER))
    assert "acceptance 0.123 against break-even 0.304" in told["SpeculationActive=False"]
    assert told["Diagnosis=True"].startswith("DraftMismatch, since 12:00:00 UTC, 12m ago")
    assert "Disable BelowBreakEven" in told


def test_times_of_another_day_have_their_date() -> None:
    from breakeven.plugin.moments import ago, clock

    assert clock(datetime(2026, 3, 1, 23, tzinfo=UTC), NOW) == "2026-03-01 23:00:00 UTC"
    assert [ago(s) for s in (-1, 0, 59, 61, 3600, 90_061)] == ["0s", "0s", "59s", "1m1s", "1h", "1d1h"]

"""Conditions as metav1 and kstatus want them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.api.conditions import CONDITIONS, ConditionType, Reason, find_condition, meaning_of, set_condition
from breakeven.api.status import Condition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def ready(conditions: list[Condition], status: bool | None, now: datetime, message: str = "4 of 4") -> list[Condition]:
    return set_condition(
        conditions,
        type=ConditionType.READY,
        status=status,
        reason=Reason.SERVING,
        message=message,
        generation=3,
        now=now,
    )


def test_setting_the_same_again_changes_nothing() -> None:
    once = ready([], True, NOON)
    assert ready(once, True, LATER) == once


def test_transition_time_moves_only_with_the_status() -> None:
    once = ready([], True, NOON)
    assert ready(once, True, LATER, "5 of 5")[0].last_transition_time == NOON
    assert ready(once, False, LATER)[0].last_transition_time == LATER


def test_none_is_unknown() -> None:
    assert ready([], None, NOON)[0].status == "Unknown"


def test_stalled_and_reconciling_are_there_only_while_true() -> None:
    for kind in (ConditionType.STALLED, ConditionType.RECONCILING):
        there = set_condition(
            [], type=kind, status=True, reason=Reason.ENGINE_FAILING, message="", generation=1, now=NOON
        )
        assert find_condition(there, kind) is not None
        for gone in (False, None):
            rest = set_condition(
                there, type=kind, status=gone, reason=Reason.SERVING, message="", generation=1, now=NOON
            )
            assert rest == []


@pytest.mark.parametrize(
    ("kind", "reason", "bad"),
    [
        (ConditionType.CAPACITY_AVAILABLE, Reason.SUFFICIENT, Reason.LAST_REPLICA),
        (ConditionType.ACCEPTANCE_HEALTHY, Reason.HEALTHY, Reason.BELOW_FLOOR),
        (ConditionType.DIAGNOSIS, Reason.NOTHING_FOUND, Reason.DRAFT_MISMATCH),
        (ConditionType.MEMORY_BUDGET, Reason.FITS, Reason.TIGHT),
        (ConditionType.ENGINE_VERSION_KNOWN, Reason.KNOWN, Reason.NEAREST_OLDER),
        (ConditionType.CONFIGURATION_VALID, Reason.VALID, Reason.INVALID_CONFIGURATION),
    ],
)
def test_a_condition_is_absent_while_it_has_nothing_to_say(kind: ConditionType, reason: Reason, bad: Reason) -> None:
    there = set_condition([], type=kind, status=False, reason=bad, message="", generation=1, now=NOON)
    assert [c.type for c in there] == [kind]
    assert set_condition(there, type=kind, status=True, reason=reason, message="", generation=1, now=NOON) == []


def test_ready_speculation_and_metrics_are_always_there() -> None:
    for kind in (ConditionType.READY, ConditionType.SPECULATION_ACTIVE, ConditionType.METRICS_AVAILABLE):
        assert not CONDITIONS[kind].silent
        assert not CONDITIONS[kind].only_while_true


def test_other_conditions_stay_and_unknown_types_follow_by_name() -> None:
    conditions: list[Condition] = []
    for kind in ("Zebra", "Paused", "Aardvark", "Ready"):
        conditions = set_condition(conditions, type=kind, status=True, reason="X", message="", generation=1, now=NOON)
    assert [c.type for c in conditions] == ["Ready", "Paused", "Aardvark", "Zebra"]


def test_a_long_message_is_cut_to_what_the_api_takes() -> None:
    assert len(ready([], True, NOON, "x" * 50_000)[0].message) == 1024


def test_every_type_and_reason_is_documented() -> None:
    assert set(CONDITIONS) == set(ConditionType)
    used = {reason for doc in CONDITIONS.values() for reason in doc.reasons}
    assert used == set(Reason)
    for doc in CONDITIONS.values():
        assert all(text.endswith(".") for text in (doc.meaning, *doc.reasons.values()))


@given(st.lists(st.tuples(st.sampled_from(list(ConditionType)), st.sampled_from([True, False, None])), max_size=12))
def test_a_type_is_there_once_and_says_what_was_set_last(changes: list[tuple[ConditionType, bool | None]]) -> None:
    conditions: list[Condition] = []
    for kind, status in changes:
        conditions = set_condition(
            conditions, type=kind, status=status, reason=Reason.SERVING, message="", generation=1, now=NOON
        )
    assert len({c.type for c in conditions}) == len(conditions)
    for kind, status in dict(changes).items():
        found = find_condition(conditions, kind)
        if CONDITIONS[kind].only_while_true and status is not True:
            assert found is None
        else:
            assert found is not None
            assert found.status == ("Unknown" if status is None else str(status))


def test_the_meaning_of_a_reason_is_a_sentence_and_that_of_an_unknown_word_is_empty() -> None:
    kind = ConditionType.METRICS_AVAILABLE
    assert meaning_of(kind, "PrometheusUnreachable") == "Prometheus does not answer."
    assert meaning_of(kind, "Starting") == "The first reading of the metrics is under way."
    assert meaning_of(kind, "NeverHeardOf") == ""

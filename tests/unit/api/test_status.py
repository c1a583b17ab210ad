"""The status: a report for people, and the memory as one text beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from breakeven.api.status import Memory, State, Status

EARLIER = json.loads((Path(__file__).parents[2] / "data" / "status-of-an-earlier-release.json").read_text())
"""Written by the release that kept the memory beside the report, after speculation was switched off in the lab."""
NODE = {"node": "gpu-1", "factor": "1.02", "error": "0.01", "measuredAt": "2026-03-02T12:00:00Z"}
BAND = {
    "load": "100",
    "offTpotMs": "20",
    "spread": "0.01",
    "measuredAt": "2026-03-02T12:00:00Z",
    "variant": "a2a326466e",
}


def test_the_memory_is_one_text_that_reads_back_as_it_was() -> None:
    memory = Memory(state=State.COOLDOWN, tried=["a2a326466e"], attempts=2)
    written = Status(state=State.COOLDOWN, memory=memory).model_dump(mode="json", exclude_none=True)
    assert isinstance(written["memory"], str)
    assert "\n" not in written["memory"]
    assert Status.model_validate(written).memory == memory


def test_a_status_of_the_earlier_layout_is_read_with_all_that_it_remembered() -> None:
    status = Status.model_validate(EARLIER)
    memory = status.memory
    assert (status.state, memory.state) == (State.COOLDOWN, State.COOLDOWN)
    assert memory.stable is not None
    assert not memory.stable.speculates
    assert [d.action for d in memory.decisions] == ["Disable", "Promote", "StartTrial", "Begin"]
    assert memory.tried == EARLIER["tried"]
    assert memory.attempts == EARLIER["attempts"] == 1
    assert memory.reference is not None
    assert memory.value is not None
    assert memory.value.hours


def test_what_is_written_from_an_earlier_status_has_no_field_of_the_earlier_layout() -> None:
    written = Status.model_validate(EARLIER).model_dump(mode="json", exclude_none=True)
    assert not {"stable", "tried", "profile", "reference", "lastGood", "transitions"} & written.keys()
    assert Status.model_validate(written).memory == Status.model_validate(EARLIER).memory


def test_the_report_of_the_layout_before_is_read_and_written_as_details() -> None:
    status = Status.model_validate(EARLIER)
    assert [v.name for v in status.details.variants] == [v["name"] for v in EARLIER["variants"]]
    assert status.details.value is not None
    assert status.details.evidence == status.memory.evidence
    written = status.written()
    assert not {"variants", "decisions", "evidence", "diagnosis", "value", "plan", "stay"} & written.keys()
    assert Status.model_validate(written).details == status.details


def test_what_is_empty_takes_no_line() -> None:
    assert Status(replicas=0).written().keys() == {
        "state",
        "observedGeneration",
        "replicas",
        "readyReplicas",
        "details",
        "memory",
    }


def test_a_new_resource_remembers_nothing() -> None:
    assert Status.model_validate({}).memory == Memory()


@pytest.mark.parametrize("text", ["{", "[1]", '"words"', '{"stable": {"ofANewerRelease": 1}}'])
def test_a_memory_that_cannot_be_read_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Status.model_validate({"memory": text})
    assert refused.value.errors()[0]["loc"][0] == "memory"


@pytest.mark.parametrize(
    ("memory", "field"),
    [
        ({"attempts": -5}, "attempts"),
        ({"hours": "PPP"}, "hours"),
        ({"attempts": 10**30}, "attempts"),
        ({"tunedLength": 0}, "tunedLength"),
        ({"cooldownUntil": "9999-12-31T23:59:59-23:00"}, "cooldownUntil"),
        ({"since": "0001-01-01T00:00:00+23:00"}, "since"),
        ({"profile": [BAND | {"offTpotMs": "0"}]}, "offTpotMs"),
        ({"profile": [BAND | {"load": "0"}]}, "load"),
        ({"profile": [BAND | {"load": "-3"}]}, "load"),
        ({"profile": [BAND | {"spread": "-1"}]}, "spread"),
        ({"profile": [BAND | {"inflation": "0"}]}, "inflation"),
        ({"nodes": [NODE | {"factor": "0"}]}, "factor"),
        ({"nodes": [NODE | {"error": "-0.1"}]}, "error"),
    ],
)
def test_a_memory_that_no_measurement_leaves_behind_is_refused_by_field(memory: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Status.model_validate({"memory": json.dumps(memory)})
    assert refused.value.errors()[0]["loc"][-1] == field


def test_a_memory_nested_too_deep_is_refused() -> None:
    with pytest.raises(ValidationError, match="nested too deep"):
        Status.model_validate({"memory": '{"stable":' * 20_000})

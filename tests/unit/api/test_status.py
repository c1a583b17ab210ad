"""The status: a report for people, and the memory as one text beside it."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from breakeven.api.status import Memory, State, Status

EARLIER = json.loads((Path(__file__).parents[2] / "data" / "status-of-an-earlier-release.json").read_text())
"""Written by the release that kept the memory beside the report, after speculation was switched off in the lab."""


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
    assert not {"stable", "tried", "profile", "reference", "lastGood", "transitions", "streak"} & written.keys()
    assert Status.model_validate(written).memory == Status.model_validate(EARLIER).memory


def test_a_new_resource_remembers_nothing() -> None:
    assert Status.model_validate({}).memory == Memory()


@pytest.mark.parametrize("text", ["{", "[1]", '"words"', '{"stable": {"ofANewerRelease": 1}}'])
def test_a_memory_that_cannot_be_read_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Status.model_validate({"memory": text})
    assert refused.value.errors()[0]["loc"][0] == "memory"

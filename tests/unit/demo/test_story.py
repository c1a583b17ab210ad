"""The demo's story is told by decisions, which a busy machine cannot make it miss, with limits that stretch."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from breakeven.demo.details import details
from breakeven.demo.ledger import Ledger
from breakeven.demo.stage import simulated_stage
from breakeven.demo.story import OFF, ON, Story, StoryError, check_machine
from breakeven.demo.view import View
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.pace import Pace


def status(state: str, *actions: str) -> dict[str, Any]:
    """A status after these decisions, oldest first."""
    lines = [
        {"at": f"2026-01-01T00:00:{place:02d}Z", "action": action, "reason": "Why", "message": f"{action} {place}"}
        for place, action in enumerate(actions)
    ]
    settled = {"name": "a", "role": "Stable", "speculation": "off", "wanted": 3, "ready": 3}
    return {"state": state, "details": json.dumps({"variants": [settled], "decisions": lines[::-1]})}


class Told:
    """A story on a lab whose kubectl gives one answer after the other, and the last one for ever."""

    def __init__(self, *answers: dict[str, Any] | LabError, slowness: float = 1.0) -> None:
        self.answers = list(answers)
        self.now = 0.0
        pace = Pace(lambda: slowness, lambda: self.now)
        for _ in range(60):
            pace.take()
        self.up = True
        state = SimpleNamespace(alive=lambda: self.up)
        lab = cast(RunningLab, SimpleNamespace(kubectl=self.kubectl, directory=Path("lab"), state=state))
        self.story = Story(simulated_stage(), lab, View("a test"), pace=pace, sleep=self.sleep)

    def kubectl(self, *_arguments: str) -> SimpleNamespace:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, LabError):
            raise answer
        return SimpleNamespace(stdout=json.dumps({"status": answer}))

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_state_that_was_skipped_is_no_decision_that_was_missed() -> None:
    # Between two looks speculation was switched off, the cooldown ended and the next trial began.
    told = Told(status("Speculating", "Promote"), status("Trial", "Promote", "Disable", "Rearm", "StartTrial"))
    told.story.status()
    line = told.story.decision("speculation to be switched off", OFF, 150, after=told.story.ledger.mark)
    assert line["action"] == "Disable"


def test_only_decisions_after_the_mark_count() -> None:
    told = Told(status("Speculating", "Promote", "Disable"), status("Speculating", "Promote", "Disable", "Promote"))
    told.story.status()
    mark = told.story.ledger.mark
    assert told.story.decision("speculation to come back", ON, 150, after=mark)["message"] == "Promote 2"


def test_an_api_server_that_does_not_answer_in_time_is_asked_again() -> None:
    told = Told(LabError("kubectl get: no answer within 60 s"), status("Speculating", "Promote"))
    assert told.story.decision("speculation to be promoted", ON, 150, after=0)["action"] == "Promote"


def test_a_lab_that_has_ended_is_not_waited_for() -> None:
    told = Told(LabError("no such host"))
    told.up = False
    with pytest.raises(StoryError, match="the lab has ended"):
        told.story.decision("speculation to be promoted", ON, 150, after=0)
    assert told.now == 0


def test_a_limit_stretches_with_the_machine() -> None:
    told = Told(status("Trial"), slowness=10.0)
    with pytest.raises(StoryError):
        told.story.wait("nothing", lambda _: False, 60)
    assert 550 < told.now < 650


def test_a_machine_that_is_too_busy_is_named_in_one_sentence() -> None:
    told = Told(status("Trial"), slowness=10.0)
    with pytest.raises(StoryError, match=r"too busy for the demo: a second of work takes 10\.0 s") as said:
        told.story.decision("speculation to be promoted", ON, 60, after=0)
    assert "still waited for speculation to be promoted; run it again when less is going on" in str(said.value)
    assert str(said.value).count(". ") == 0


def test_an_idle_machine_is_not_blamed() -> None:
    told = Told(status("Trial"))
    with pytest.raises(StoryError, match="waited 60 s for speculation to be promoted; the state is 'Trial'") as said:
        told.story.decision("speculation to be promoted", ON, 60, after=0)
    assert "busy" not in str(said.value)


def test_a_demo_that_could_not_end_does_not_begin() -> None:
    told = Told(status("Trial"), slowness=70.0)
    with pytest.raises(StoryError, match=r"this machine is too busy for the demo: a second of work takes 70\.0 s"):
        check_machine(told.story._pace, told.sleep)
    busy = Told(status("Trial"), slowness=20.0)
    check_machine(busy.story._pace, busy.sleep)


def test_a_ledger_takes_each_line_once_though_the_status_keeps_only_the_last() -> None:
    ledger = Ledger()
    full = status("Trial", "Begin", "StartTrial", "Promote")
    last = details(full)
    assert [line["action"] for line in ledger.read(full)] == ["Begin", "StartTrial", "Promote"]
    assert ledger.read({"details": json.dumps({**last, "decisions": last["decisions"][:2]})}) == []
    assert ledger.mark == 3

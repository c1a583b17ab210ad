"""Names, state files and what is left of a lab that crashed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from breakeven.lab.errors import LabError
from breakeven.lab.paths import lab_directory, labs_directory
from breakeven.lab.reap import VARIABLE, start_ticks
from breakeven.lab.settings import LabSettings, parse_settings
from breakeven.lab.state import LabState, read_state, write_state
from breakeven.lab.stop import stop_lab


def state(pid: int, started: int, identity: str = "none") -> LabState:
    return LabState(
        name="x",
        identity=identity,
        pid=pid,
        started=started,
        block="127.64.0.0",
        server="",
        prometheus="",
        kubeconfig="",
        control="",
        token="t",
    )


def test_labs_live_in_the_state_directory() -> None:
    assert labs_directory({"XDG_STATE_HOME": "/s"}) == Path("/s/breakeven/labs")
    with pytest.raises(LabError, match="--name"):
        lab_directory("../escape")


def test_the_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    write_state(tmp_path, state(os.getpid(), ticks))
    assert (tmp_path / "lab.json").stat().st_mode & 0o077 == 0
    assert read_state(tmp_path).alive()


def test_another_process_under_the_same_pid_is_not_the_lab(tmp_path: Path) -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert not state(os.getpid(), ticks - 1).alive()


def test_down_removes_what_a_crashed_lab_left_but_its_logs(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "etcd").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
        env=dict(os.environ) | {VARIABLE: "left-over"},
    ) as left:
        assert left.stdout is not None
        left.stdout.readline()
        write_state(tmp_path, state(os.getpid(), 0, "left-over"))
        assert stop_lab(tmp_path)
        assert left.wait() == -9
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert not stop_lab(tmp_path)


def test_an_unreadable_state_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{}")
    with pytest.raises(LabError, match="breakeven lab down"):
        read_state(tmp_path)


def test_settings_travel_as_json_and_unknown_names_are_refused() -> None:
    settings = LabSettings(name="a", audit=True)
    assert parse_settings(settings.model_dump_json()) == settings
    with pytest.raises(ValidationError, match="audits"):
        parse_settings({"audits": True})

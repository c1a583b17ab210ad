"""Engines that are started here, with exactly the rendered arguments."""

import os
import stat
import sys
from pathlib import Path

import pytest

from breakeven.measure.serve import Command, Engine, command_of
from breakeven.measure.visit import Trouble


def program(folder: Path, text: str) -> None:
    """A `vllm` that is this script."""
    path = folder / "vllm"
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_command_is_the_containers_with_the_environment_that_makes_sense_here() -> None:
    container = {
        "command": ["vllm", "serve"],
        "args": ["llama", "--port=8123"],
        "env": [
            {"name": "HOME", "value": "/cache"},
            {"name": "HF_HOME", "value": "/cache/huggingface"},
            {"name": "VLLM_NO_USAGE_STATS", "value": "1"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
        ],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    }
    command = command_of({"spec": {"template": {"spec": {"containers": [container]}}}})
    assert command.words == ("vllm", "serve", "llama", "--port=8123")
    assert command.port == 8123
    assert command.environment == {"VLLM_NO_USAGE_STATS": "1"}


async def test_an_engine_that_ends_before_it_is_healthy_is_reported_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "import sys; sys.exit('ValueError: no such draft')")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    command = Command(words=("vllm", "serve", "llama", "--port=1"), environment={})
    with pytest.raises(Trouble, match=r"ended with code 1 before it was healthy: ValueError: no such draft"):
        async with Engine(command, tmp_path / "log"):
            pass


async def test_a_machine_without_vllm_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = Command(words=("vllm", "serve", "llama"), environment={})
    with pytest.raises(Trouble, match="vllm is not installed here"):
        async with Engine(command, tmp_path / "log"):
            pass

"""`breakeven lab` as typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.lab.reap import VARIABLE, marked
from breakeven.lab.state import read_state

pytestmark = pytest.mark.lab


def breakeven(state: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "breakeven", "lab", *arguments],
        env=dict(os.environ) | {"XDG_STATE_HOME": str(state), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_up_status_kubeconfig_logs_and_down(tmp_path: Path) -> None:
    up = breakeven(tmp_path, "up", "--name", "typed", "--node", "a=h100:2", "--image", "x:.*=run {ip}")
    try:
        assert up.returncode == 0, up.stderr
        assert "export KUBECONFIG=" in up.stdout
        [status] = json.loads(breakeven(tmp_path, "status", "-o", "json").stdout)
        assert (status["name"], status["state"]) == ("typed", "up")
        assert status["nodes"] == {"a": "2 × NVIDIA-H100-80GB-HBM3"}
        again = breakeven(tmp_path, "up", "--name", "typed")
        assert again.returncode == 1
        assert "is up already" in again.stderr
        assert Path(breakeven(tmp_path, "kubeconfig", "--name", "typed").stdout.strip()).is_file()
        assert "kube-apiserver" in breakeven(tmp_path, "logs", "--name", "typed").stdout.split()
        identity = read_state(tmp_path / "breakeven" / "labs" / "typed").identity
    finally:
        down = breakeven(tmp_path, "down", "--name", "typed")
    assert down.returncode == 0
    assert list(marked(VARIABLE, identity)) == []
    gone = breakeven(tmp_path, "status", "--name", "typed")
    assert gone.returncode == 1
    assert gone.stdout.strip() == "typed: down"

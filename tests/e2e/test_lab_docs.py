"""The examples of docs/lab.md run as they are printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from breakeven.demo.operator import install
from breakeven.lab.handle import RunningLab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
IMAGE = "ghcr.io/example/breakeven:0.1.0"


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def breakeven(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "breakeven", *arguments], check=True)


def test_the_settings_run_a_mapped_engine_and_the_operators_own_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "lab.yaml").write_text(example("yaml"))
    script = tmp_path / "run-vllm"
    script.write_text('#!/bin/sh\nip=$1; shift; echo "asked for $*"\nexec python3 -m http.server --bind "$ip" 8000\n')
    script.chmod(0o755)
    breakeven("lab", "up", "--settings", str(tmp_path / "lab.yaml"))
    try:
        lab = RunningLab.attach("mine")
        install(lab)
        lab.kubectl("run", "engine", "--image=vllm/vllm-openai:v0.33.0", "--", "serve", "a-model")
        lab.kubectl("wait", "pod/engine", "--for=condition=Ready", "--timeout=60s")
        assert "asked for serve a-model" in lab.kubectl("logs", "engine").stdout

        manifests = ROOT / "manifests" / "install" / "deployment.yaml"
        objects = [o for o in yaml.safe_load_all(manifests.read_text()) if o["kind"] == "Deployment"]
        objects[0]["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
        lab.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
        lab.kubectl("rollout", "status", "deployment/breakeven", "-n", "breakeven-system", "--timeout=60s", timeout=90)
    finally:
        breakeven("lab", "down", "--name", "mine")


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)
    exec(compile(example("python"), "docs/lab.md", "exec"), {"__name__": "example"})

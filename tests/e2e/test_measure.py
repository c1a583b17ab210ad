"""`breakeven measure` on simulated engines over HTTP: two addresses, an interruption, own engines, and a cluster."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.cli.yamltext import yaml_text
from breakeven.domain.decision import Placement
from breakeven.lab.handle import RunningLab
from breakeven.render import Owner, desired

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
DRAFTING = '{"method":"draft_model","model":"meta-llama/Llama-3.2-1B-Instruct","num_speculative_tokens":3}'
ENGINE = (sys.executable, "-m", "breakeven.lab.engine", "--pod-address", "127.0.0.1", "--load-delay", "0", "--")
QUICK = ("--temperatures", "0,1", "--concurrency", "4", "--warmup", "500ms", "--output-tokens", "48")
RESOURCE: dict[str, Any] = {
    "apiVersion": "breakeven.dev/v1alpha1",
    "kind": "SpeculativeDeployment",
    "metadata": {"name": "llama", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": MODEL},
        "draft": {"model": "meta-llama/Llama-3.2-1B-Instruct", "numSpeculativeTokens": 3},
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def engine(*arguments: str) -> Iterator[str]:
    port = free_port()
    with subprocess.Popen(
        [*ENGINE, "vllm", "serve", MODEL, f"--port={port}", *arguments], stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while not healthy(f"http://127.0.0.1:{port}"):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture
def pair() -> Iterator[tuple[str, str]]:
    with engine() as off, engine(f"--speculative-config={DRAFTING}") as on:
        yield off, on


def measure(
    *arguments: str, directory: Path, stop_after: int | None = None, **environment: str
) -> tuple[int, str, str]:
    """Run the command; `stop_after`: Ctrl-C after so many visits."""
    command = [sys.executable, "-m", "breakeven", "measure", *arguments, "-o", str(directory)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        said = ""
        for line in process.stderr:
            said += line
            if stop_after is not None and line.startswith(f"{stop_after} visits"):
                process.send_signal(signal.SIGINT)
        return process.wait(), process.stdout.read(), said


def test_two_addresses_an_interruption_and_the_verdict(pair: tuple[str, str], tmp_path: Path) -> None:
    asked = ("--off", pair[0], "--on", pair[1], *QUICK, "--duration", "60s", "--precision", "10%")
    code, _, said = measure(*asked, directory=tmp_path, stop_after=3)
    assert code == 130, said
    assert (tmp_path / "report.html").exists()

    code, out, said = measure(*asked, directory=tmp_path)
    assert code == 0, said
    assert "\n4 visits" in f"\n{said}" and "\n3 visits" not in f"\n{said}"
    assert out.startswith("Use it only up to temperature 0, not at 1")
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    cold, hot = document["cells"]
    assert cold["speedup"]["lower"] > 1.05 and hot["speedup"]["upper"] < 0.98
    assert 0.55 < cold["on"]["acceptance"]["value"] < 0.75
    assert cold["on"]["draftLength"] == 3


def test_engines_of_a_resource_are_started_here_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "spd.yaml").write_text(yaml.safe_dump(RESOURCE), encoding="utf-8")
    program = tmp_path / "vllm"
    program.write_text(f'#!/bin/sh\nexec {" ".join(ENGINE)} vllm "$@"\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    code, out, said = measure(
        *("-f", str(tmp_path / "spd.yaml"), "--serve", "--temperatures", "0", "--concurrency", "4"),
        *("--warmup", "500ms", "--output-tokens", "48", "--duration", "30s", "--precision", "20%"),
        directory=tmp_path / "out",
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )
    assert code == 0, said
    assert out.startswith("Use it")
    assert "one after the other" in said
    made = yaml.safe_load((tmp_path / "out" / "speculativedeployment.yaml").read_text(encoding="utf-8"))
    assert SpeculativeDeploymentSpec.model_validate(made["spec"]).draft is not None
    assert (tmp_path / "out" / "engine-on.log").stat().st_size > 0


@pytest.mark.lab
def test_servers_of_a_resource_are_found_in_its_cluster(lab: RunningLab, namespace: str, tmp_path: Path) -> None:
    spec = SpeculativeDeploymentSpec.model_validate(RESOURCE["spec"])
    declared = declared_variant(spec)
    placements = [
        Placement(variant=declared.baseline, role=Role.HOLDBACK, replicas=1),
        Placement(variant=declared, role=Role.STABLE, replicas=1),
    ]
    objects = desired(Owner(name="llama", namespace=namespace), placements).objects
    lab.kubectl("apply", "-f", "-", input=yaml_text([o for o in objects if o["kind"] == "Deployment"]))
    lab.kubectl("wait", "--for=condition=Ready", "pods", "--all", "-n", namespace, "--timeout=60s")
    file = tmp_path / "spd.yaml"
    file.write_text(
        yaml.safe_dump(RESOURCE | {"metadata": {"name": "llama", "namespace": namespace}}), encoding="utf-8"
    )

    code, out, said = measure(
        *("-f", str(file), "--kubeconfig", str(lab.kubeconfig), "--temperatures", "0", "--concurrency", "4"),
        *("--warmup", "500ms", "--output-tokens", "48", "--duration", "30s", "--precision", "20%"),
        directory=tmp_path / "out",
    )
    assert code == 0, said
    assert f"--off: pod llama-{declared.baseline.name}" in said
    assert f"--on: pod llama-{declared.name}" in said
    assert out.startswith("Use it")

"""Every shape of tests/data/adopt comes to a resource that renders the same, but for what is named here."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.cli.main import app

DATA = Path(__file__).parents[2] / "data" / "adopt"
LOST: dict[str, list[str]] = {
    "compose-module": [],
    "compose": [
        "-containers[engine].volumeMounts[/root/.cache/huggingface of huggingface]",
        "-env HF_TOKEN=***",
    ],
    "deployment-module": [],
    "deployment-script": [
        "-containers[engine].resources.limits.nvidia.com/gpu: 4",
    ],
    "deployment-shell": ["-containers[engine].volumeMounts[/root/.cache/huggingface of cache-volume]"],
    "deployment-speculating": [
        "-argument --api-key=***",
        "-env HF_TOKEN=***",
        "-labels[app.kubernetes.io/managed-by]: Helm",
    ],
    "inferenceservice-containers": [],
    "inferenceservice-model": ["-image "],
    "llm-d": [],
    "llminferenceservice": [],
    "production-stack-lmcache": [],
    "production-stack": [],
    "statefulset": [],
}
"""Lines of the original that the result has not, by shape: each is also a note."""
VERSION = {
    "deployment-module": "0.7.3",
    "deployment-script": "0.26.0",
    "llm-d": "0.24.0",
    "llminferenceservice": "0.24.0",
    "production-stack-lmcache": "0.24.0",
    "statefulset": "0.20.0",
}
"""What does not stand in a tag."""
NOTED: dict[str, tuple[str, ...]] = {
    "compose": ("env_file: is not kept", "volumes ./templates: becomes the claim templates", "env HF_TOKEN"),
    "compose-module": ("target.servedName: ${NAME} refers to a variable",),
    "deployment-script": (
        "`pip install --upgrade kv-plugin` is not kept",
        "strategy: is not kept",
        "GPUs: 4 are asked for",
    ),
    "deployment-speculating": ("--api-key: the key is not written down", "draft_tensor_parallel_size: 1 is not kept"),
    "inferenceservice-model": ("maxReplicas: is not kept", "image: is not told here"),
    "llm-d": ("prefill: is not kept", "routing.proxy: its sidecar"),
    "llminferenceservice": ("router: is not kept",),
    "statefulset": ("volumeClaimTemplates data: replicas here have no volumes", "serviceName: is not kept"),
}


def run(shape: str, *more: str) -> Result:
    version = ("--engine-version", VERSION[shape]) if shape in VERSION else ()
    return CliRunner().invoke(app, ["adopt", "-f", str(DATA / f"{shape}.yaml"), *version, *more])


def adopted(shape: str) -> dict[str, Any]:
    result = run(shape)
    assert result.exit_code == 0, result.stderr
    (resource,) = yaml.safe_load_all(result.stdout)
    found: dict[str, Any] = resource["spec"]
    return found


def test_every_shape_is_tried_and_has_its_source() -> None:
    there = {path.stem for path in DATA.glob("*.yaml")}
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert there == set(LOST)
    assert [name for name in there if f"`{name}.yaml`" not in readme] == []


@pytest.mark.parametrize("shape", sorted(LOST))
def test_what_is_rendered_is_the_original_but_for_what_is_named(shape: str) -> None:
    result = run(shape, "--diff")
    lost = [line for line in result.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert sorted(lost) == sorted(LOST[shape])
    assert result.exit_code == (1 if lost else 0), result.stderr
    assert [words for words in NOTED.get(shape, ()) if words not in result.stderr] == []


@pytest.mark.parametrize("shape", sorted(LOST))
def test_the_resource_is_one_and_the_same_in_json(shape: str) -> None:
    spec = adopted(shape)
    assert json.loads(run(shape, "-o", "json").stdout)["spec"] == spec
    assert SpeculativeDeploymentSpec.model_validate_json(json.dumps(spec))


@pytest.mark.parametrize("shape", sorted(LOST))
def test_no_credential_is_printed(shape: str) -> None:
    for more in ((), ("--diff",)):
        result = run(shape, *more)
        assert "not_for_git" not in result.output + result.stderr
        assert "sk-not" not in result.output + result.stderr


def test_a_shell_script_is_taken_apart() -> None:
    spec = adopted("deployment-script")
    assert spec["target"] == {
        "model": "/var/mdl/qwen3-32b",
        "servedName": "qwen",
        "alsoServedAs": ["qwen3-32b"],
        "maxModelLen": 16_000,
    }
    assert spec["engine"]["port"] == 9000
    assert spec["engine"]["portName"] == "api"
    assert spec["engine"]["startupTimeout"] == "4h45m"
    extra = ["--override-generation-config", '{"temperature": 0.6}', "--uvicorn-log-level", "$(LOG_LEVEL)"]
    assert spec["engine"]["extraArgs"] == [*extra, "--max-num-seqs", "64", "--enforce-eager"]
    assert {"name": "OMP_NUM_THREADS", "value": "4"} in spec["engine"]["env"]
    assert spec["hardware"] == {"nodeSelector": {"kubernetes.io/os": "linux"}}


def test_speculation_is_a_draft_and_unknown_flags_survive() -> None:
    spec = adopted("deployment-speculating")
    assert spec["draft"] == {
        "method": "Eagle3",
        "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B",
        "numSpeculativeTokens": 3,
        "extraKeys": {"max_model_len": 4096},
    }
    assert spec["engine"]["extraArgs"] == ["--some-flag-of-tomorrow=yes"]
    assert spec["hardware"]["accelerators"] == ["H100"]
    assert spec["podTemplate"]["metadata"] == {
        "labels": {"app": "llama"},
        "annotations": {"sidecar.istio.io/inject": "false"},
    }


def test_a_service_in_front_stays_and_gets_no_second_one() -> None:
    spec = adopted("deployment-shell")
    assert spec["service"] == {"enabled": False}
    assert spec["podTemplate"]["metadata"]["labels"] == {"app.kubernetes.io/name": "chat"}

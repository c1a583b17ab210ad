"""`render` and `plan` of a resource that refers to a Deployment: from one file that holds both."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app

RESOURCE = {
    "apiVersion": "breakeven.dev/v1alpha1",
    "kind": "SpeculativeDeployment",
    "metadata": {"name": "llama"},
    "spec": {"replicas": 2, "workloadRef": {"name": "team"}, "draft": {"method": "NGram"}},
}


def deployment(**container: Any) -> dict[str, Any]:
    engine = {"name": "vllm", "image": "vllm/vllm-openai:v0.24.0", "command": ["vllm", "serve", "m", "--seed=1"]}
    template = {"spec": {"containers": [engine | container]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "team"}, "spec": {"template": template}}


def render(folder: Path, *documents: dict[str, Any]) -> Any:
    file = folder / "all.yaml"
    file.write_text("\n---\n".join(map(json.dumps, documents)), encoding="utf-8")
    return CliRunner().invoke(app, ["render", "-f", str(file), "-o", "args"])


def test_what_the_deployment_says_is_rendered_with_and_without_the_draft(tmp_path: Path) -> None:
    result = render(tmp_path, RESOURCE, deployment())
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("--seed=1") == 2
    assert result.stdout.count("--speculative-config") == 1


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((RESOURCE,), "put Deployment team into the same file"),
        ((RESOURCE, deployment(command=["ollama"])), "Deployment team: Deployment team: none of its containers"),
    ],
)
def test_what_is_missing_is_refused_by_name(tmp_path: Path, documents: tuple[dict[str, Any], ...], said: str) -> None:
    result = render(tmp_path, *documents)
    assert result.exit_code == 1
    assert said in result.stderr

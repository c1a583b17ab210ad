"""The Lua that Argo CD runs, run by Lua."""

from pathlib import Path
from typing import Any

import pytest
from lupa import LuaRuntime

SCRIPT = (Path(__file__).parents[3] / "manifests" / "gitops" / "argocd-health.lua").read_text(encoding="utf-8")


def health(resource: dict[str, Any]) -> tuple[str, str]:
    """What Argo CD would show: it sets `obj` and takes what the script returns."""
    lua = LuaRuntime()
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    answer = lua.execute(SCRIPT)
    return answer["status"], answer["message"]


def resource(*conditions: tuple[str, str, str], seen: int = 2, paused: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "spec": {"policy": {"paused": paused}},
        "status": {
            "observedGeneration": seen,
            "conditions": [
                {"type": kind, "status": status, "reason": "Why", "message": message}
                for kind, status, message in conditions
            ],
        },
    }


READY = ("Ready", "True", "4 of 4 replicas serve")
OFF = ("SpeculationActive", "False", "below break-even")


def test_serving_without_speculation_is_healthy() -> None:
    assert health(resource(READY, OFF)) == ("Healthy", "4 of 4 replicas serve")


def test_paused_is_suspended_only_while_it_serves() -> None:
    assert health(resource(READY, paused=True))[0] == "Suspended"
    assert health(resource(("Ready", "False", "3 of 4"), paused=True))[0] == "Progressing"


def test_a_generation_that_was_not_seen_yet_is_progressing_whatever_the_conditions_say() -> None:
    assert health(resource(READY, ("Stalled", "True", "no GPU"), seen=1))[0] == "Progressing"


def test_stalled_is_degraded_and_says_why() -> None:
    assert health(resource(("Ready", "False", "3 of 4"), ("Stalled", "True", "no GPU"))) == ("Degraded", "Why: no GPU")


def test_reconciling_is_progressing_even_when_ready() -> None:
    assert health(resource(READY, ("Reconciling", "True", "moving 1 of 4"))) == ("Progressing", "moving 1 of 4")


@pytest.mark.parametrize(
    "young", [{"metadata": {"generation": 1}, "spec": {}}, {"metadata": {"generation": 1}, "spec": {}, "status": {}}]
)
def test_a_resource_without_status_is_progressing(young: dict[str, Any]) -> None:
    assert health(young)[0] == "Progressing"

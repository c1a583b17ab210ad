"""The status of a pod, from the state of its containers."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from breakeven.lab.kubelet.container import Container
from breakeven.lab.kubelet.podstatus import pod_status


@dataclass
class State:
    """What the status reads of a container."""

    name: str = "engine"
    ready: bool = True
    started: bool = True
    ended: bool = False
    identity: str = "process://1"
    restarts: int = 0
    state: dict[str, Any] = field(default_factory=lambda: {"running": {}})
    last_state: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=lambda: {"image": "i"})
    up: asyncio.Event = field(default_factory=asyncio.Event)


def status(*states: State, before: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    manifest = {"spec": {"restartPolicy": pod.pop("policy", "Always")} | pod, "status": {}}
    containers = [cast(Container, state) for state in states]
    return pod_status(manifest, containers, ip="127.64.1.1", host="127.64.0.1", began="t0", before=before)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(dict(item) for item in found["conditions"] if item["type"] == kind)


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    assert condition(status(State()), "Ready")["status"] == "True"
    partly = condition(status(State(), State(name="side", ready=False)), "Ready")
    assert (partly["status"], partly["reason"]) == ("False", "ContainersNotReady")
    assert partly["message"] == "containers with unready status: [side]"


def test_transition_times_change_only_with_the_status() -> None:
    first = status(State(ready=False))
    for item in first["conditions"]:
        item["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    second = status(State(), before=first)
    assert condition(second, "Initialized")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(second, "Ready")["lastTransitionTime"] != "2026-01-01T00:00:00Z"


def test_a_readiness_gate_that_is_not_met_holds_the_pod_back() -> None:
    found = status(State(), readinessGates=[{"conditionType": "example.dev/gate"}])
    assert condition(found, "ContainersReady")["status"] == "True"
    assert condition(found, "Ready")["reason"] == "ReadinessGatesNotReady"


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded"), ("Always", 0, "Running")],
)
def test_the_phase_after_the_end(policy: str, code: int, phase: str) -> None:
    ended = State(ready=False, ended=True, state={"terminated": {"exitCode": code}})
    assert status(ended, policy=policy)["phase"] == phase


def test_a_container_that_was_never_started_leaves_the_pod_pending() -> None:
    waiting = State(ready=False, started=False, identity="", state={"waiting": {"reason": "ImagePullBackOff"}})
    found = status(waiting)
    assert found["phase"] == "Pending"
    assert "containerID" not in found["containerStatuses"][0]


def test_a_sidecar_counts_for_ready_and_is_listed_with_the_init_containers() -> None:
    sidecar = State(name="proxy", ready=False)
    manifest: dict[str, Any] = {"spec": {}, "status": {}}
    around: dict[str, Any] = {"ip": "127.64.1.1", "host": "127.64.0.1", "began": "t0", "before": None}
    engine = cast(Container, State())
    found = pod_status(manifest, [engine], sidecars=[cast(Container, sidecar)], **around)
    assert condition(found, "Ready")["status"] == "False"
    assert condition(found, "Initialized")["message"] == "containers with incomplete status: [proxy]"
    sidecar.ready = True
    sidecar.up.set()
    found = pod_status(manifest, [engine], sidecars=[cast(Container, sidecar)], **around)
    assert condition(found, "Ready")["status"] == condition(found, "Initialized")["status"] == "True"
    assert [item["name"] for item in found["initContainerStatuses"]] == ["proxy"]

"""The status of a pod, from the state of its containers."""

from collections.abc import Sequence
from typing import Any

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.kubelet.container import Container
from breakeven.lab.kubelet.nodes import timestamp


def container_status(container: Container) -> Manifest:
    """An entry of containerStatuses."""
    status: dict[str, Any] = {
        "name": container.name,
        "image": container.spec["image"],
        "imageID": f"process://{container.spec['image']}",
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last_state,
    }
    if container.identity:
        status["containerID"] = container.identity
    return status


def phase(containers: Sequence[Container], restart_policy: str) -> str:
    """Of the pod. With restartPolicy Always a pod that ran once is Running until it is deleted."""
    if all(not container.identity for container in containers):
        return "Pending"
    if restart_policy != "Always" and all(container.ended for container in containers):
        codes = [container.state.get("terminated", {}).get("exitCode", 1) for container in containers]
        return "Succeeded" if not any(codes) else "Failed"
    return "Running"


def gates_open(pod: Manifest) -> bool:
    """Whether every readiness gate's condition is True."""
    found = {item["type"]: item["status"] for item in (pod.get("status") or {}).get("conditions") or ()}
    return all(found.get(gate["conditionType"]) == "True" for gate in pod["spec"].get("readinessGates") or ())


def _condition(kind: str, holds: bool, reason: str, message: str, before: Manifest | None) -> Manifest:
    status = "True" if holds else "False"
    same = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before is not None and same else timestamp()
    condition: dict[str, Any] = {"type": kind, "status": status, "lastTransitionTime": since, "lastProbeTime": None}
    condition["reason"] = None if holds else reason
    condition["message"] = None if holds else message
    return condition


def pod_status(
    pod: Manifest,
    containers: Sequence[Container],
    *,
    sidecars: Sequence[Container] = (),
    ip: str,
    host: str,
    began: str,
    before: Manifest | None,
) -> Manifest:
    """The status to send. before: the one sent last, whose transition times are kept where nothing changed."""
    unready = [container.name for container in (*sidecars, *containers) if not container.ready]
    waiting = [sidecar.name for sidecar in sidecars if not sidecar.up.is_set()]
    now = phase(containers, pod["spec"].get("restartPolicy", "Always"))
    finished = now in ("Succeeded", "Failed")
    reason = "PodCompleted" if finished else "ContainersNotReady"
    message = "" if finished else f"containers with unready status: [{' '.join(unready)}]"
    ready = not unready and not finished
    open_ = gates_open(pod)
    wanted = (
        ("PodReadyToStartContainers", True, "", ""),
        (
            "Initialized",
            not waiting,
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(waiting)}]",
        ),
        ("ContainersReady", ready, reason, message),
        (
            "Ready",
            ready and open_,
            reason if not ready else "ReadinessGatesNotReady",
            message if not ready else "a readiness gate's condition is not True",
        ),
    )
    earlier = {item["type"]: item for item in (before or {}).get("conditions") or ()}
    status = {
        "phase": now,
        "hostIP": host,
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": began,
        "conditions": [_condition(kind, holds, why, text, earlier.get(kind)) for kind, holds, why, text in wanted],
        "containerStatuses": [container_status(container) for container in containers],
    }
    if sidecars:
        status["initContainerStatuses"] = [container_status(sidecar) for sidecar in sidecars]
    return status

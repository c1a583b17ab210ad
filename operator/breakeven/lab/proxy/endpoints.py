"""Which pods a Service sends to. The API server's own EndpointSlices refuse loopback addresses."""

from collections.abc import Iterable, Mapping
from typing import Any

from breakeven.lab.controlplane.client import Manifest

Address = tuple[str, int]


def selects(selector: Mapping[str, str], pod: Manifest) -> bool:
    """Whether every label of the selector is on the pod. An empty selector selects nothing."""
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def is_ready(pod: Manifest) -> bool:
    """Ready condition True, an address, and not being deleted."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or not status.get("podIP"):
        return False
    return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or ())


def target_port(port: Mapping[str, Any], pod: Manifest) -> int | None:
    """Where a Service port leads to in one pod; None when the pod has no port of that name."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for candidate in container.get("ports") or ():
            if candidate.get("name") == target:
                return int(candidate["containerPort"])
    return None


def backends(service: Manifest, port: Mapping[str, Any], pods: Iterable[Manifest]) -> tuple[Address, ...]:
    """Addresses behind one port of a Service, in a stable order."""
    spec = service["spec"]
    found: set[Address] = set()
    for pod in pods:
        if pod["metadata"].get("namespace") != service["metadata"].get("namespace"):
            continue
        if not selects(spec.get("selector") or {}, pod):
            continue
        if not is_ready(pod) and not (spec.get("publishNotReadyAddresses") and (pod.get("status") or {}).get("podIP")):
            continue
        number = target_port(port, pod)
        if number is not None:
            found.add((pod["status"]["podIP"], number))
    return tuple(sorted(found))

"""The servers of a resource that runs in a cluster: one ready pod of each of its variants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.api.names import RESOURCE, VARIANT
from breakeven.api.serving import DEFAULT_PORT
from breakeven.measure.grid import Arm
from breakeven.measure.visit import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod that serves."""

    name: str
    address: str
    """`http://IP:port`."""
    variant: str
    """Label with the hash of its variant."""
    speculates: bool
    """By its arguments."""


async def pods_of(kubeconfig: Path | None, namespace: str, name: str) -> list[Pod]:
    """Ready pods of a resource.

    Raises
    ------
    Trouble
        If the cluster cannot be reached or the resource has no ready pod.
    """
    from breakeven.adapters.kubernetes.rest import Rest, connect
    from breakeven.control.errors import ControlError

    try:
        rest = Rest(await connect(kubeconfig))
        try:
            listed = await rest.call(
                "list", "v1", "Pod", namespace=namespace, query={"labelSelector": f"{RESOURCE}={name}"}
            )
        finally:
            await rest.close()
    except ControlError as error:
        raise Trouble(f"--kubeconfig: {error}") from None
    found = [pod for item in listed.get("items") or () if (pod := _pod(item)) is not None]
    if not found:
        raise Trouble(
            f"{namespace}/{name} has no ready pod (label {RESOURCE}={name}); look at `kubectl get pods -n {namespace}`"
        )
    return found


def arms(pods: Iterable[Pod]) -> dict[Arm, Pod]:
    """One pod without speculation and one with it; of several the first by name."""
    ordered = sorted(pods, key=lambda pod: pod.name)
    chosen = {
        Arm.OFF: next((p for p in ordered if not p.speculates), None),
        Arm.ON: next((p for p in ordered if p.speculates), None),
    }
    return {arm: pod for arm, pod in chosen.items() if pod is not None}


def _pod(item: Mapping[str, Any]) -> Pod | None:
    metadata, status = item.get("metadata") or {}, item.get("status") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    containers = (item.get("spec") or {}).get("containers") or ()
    if not ready or not status.get("podIP") or metadata.get("deletionTimestamp") or not containers:
        return None
    engine = next((c for c in containers if c.get("name") == "engine"), containers[0])
    port = next((p["containerPort"] for p in engine.get("ports") or ()), DEFAULT_PORT)
    words = [*(engine.get("command") or ()), *(engine.get("args") or ())]
    address = status["podIP"]
    return Pod(
        name=str(metadata.get("name")),
        address=f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}",
        variant=str((metadata.get("labels") or {}).get(VARIANT, "")),
        speculates=any(str(word).startswith(_DRAFTS) for word in words),
    )


_DRAFTS = ("--speculative-config", "--speculative_config", "--speculative-model", "--spec-method")
"""Flags by which a release is told to speculate; what follows the name, dots and values, does not matter."""

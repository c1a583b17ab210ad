"""What a resource asks of one pass besides its spec: a command, limits on moving, what was planned. Pure."""

from datetime import datetime
from typing import Any

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.names import COMMAND, GPU_HOUR_PRICE
from breakeven.api.price import GpuHour, Price, parse_gpu_hour
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.control.moves import Limits
from breakeven.control.parsed_resource import Parsed
from breakeven.control.ports import Manifest
from breakeven.control.switching_windows import window_open


def planned_loading(parsed: Parsed, spec: SpeculativeDeploymentSpec) -> float | None:
    """Loading minutes of one replica by plan."""
    plan = parsed.fitness.plan
    if plan is None or plan.switch_replica_minutes is None or not spec.replicas:
        return None
    return plan.switch_replica_minutes / spec.replicas


def command_of(body: Manifest) -> dict[str, str]:
    """The one-shot command and its identity, which is the text itself: a change of the spec does not repeat it.

    The annotation stays, since the operator has no right to write the resource. The same command again is another text
    (`abort/again`), or the annotation removed and set once more.
    """
    text = str((body["metadata"].get("annotations") or {}).get(COMMAND, "")).strip()[:64]
    if not text:
        return {}
    return {"command": text.partition("/")[0], "command_id": text}


def price_of(body: Manifest, spec: SpeculativeDeploymentSpec, default: GpuHour | None) -> tuple[Price | None, str]:
    """What turns replica-hours into money, and why the resource's own price is passed over."""
    text = (body["metadata"].get("annotations") or {}).get(GPU_HOUR_PRICE)
    price, unread = default, ""
    if text is not None:
        try:
            price = parse_gpu_hour(str(text), currency=default.currency if default else "")
        except ValueError as error:
            unread = f"the annotation {GPU_HOUR_PRICE} is passed over: {error}"
    if price is None:
        return None, unread
    return Price(gpu_hour=price.amount, currency=price.currency, gpus=spec.hardware.gpus_per_replica), unread


def limits_of(spec: SpeculativeDeploymentSpec, now: datetime) -> Limits:
    """How replicas may be moved at this moment."""
    switching, hardware = spec.policy.switching, spec.hardware
    kinds = " or ".join(hardware.accelerators)
    plural = "" if hardware.gpus_per_replica == 1 else "s"
    return Limits(
        surge=switching.surge,
        allow_downtime=switching.allow_downtime,
        window_open=window_open(switching.windows, now),
        paused=spec.policy.paused,
        capacity=f"{hardware.gpus_per_replica} GPU{plural} ({kinds})",
    )


def status_manifest(body: Manifest, status: dict[str, Any]) -> Manifest:
    """What is applied to write a status."""
    meta = body["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        # The version makes the server refuse a write that rests on an older reading: by another replica of us, say.
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "status": status,
    }

"""One server as it is today, whatever it was written in: a pod template and what stands around it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.started import runs_vllm

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A pod template with its engine's container, and what it belongs to."""

    kind: str
    """What it was written as, for messages: Deployment, compose service …"""
    name: str
    namespace: str = ""
    """Empty: not said."""
    replicas: int = 1
    template: Manifest
    """As in a Deployment: metadata and spec."""
    engine: Manifest
    """The container of the template that runs vLLM."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Both of the object itself."""
    notes: tuple[Note, ...] = ()


def engine_of(template: Manifest, what: str) -> Manifest:
    """The container that runs vLLM. Raises NotAdoptable when there is none, or several."""
    containers = [c for c in (template.get("spec") or {}).get("containers") or [] if isinstance(c, dict)]
    found = [c for c in containers if runs_vllm(c)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(c.get("name")) for c in containers) or "none"
    if found:
        raise NotAdoptable(
            f"{what}: {len(found)} of its containers ({names}) run vLLM, and a replica here has one engine"
        )
    raise NotAdoptable(f"{what}: none of its containers ({names}) runs `vllm serve` or vLLM's API server")


def texts(value: Any) -> dict[str, str]:
    """A map of texts; empty when it is none."""
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def first_map(items: Iterable[Any]) -> Manifest:
    """The first object of a list; empty when there is none."""
    return next((item for item in items if isinstance(item, dict)), {})

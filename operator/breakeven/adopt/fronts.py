"""What is in front of the pods today: whether it will find the new ones too."""

from collections.abc import Mapping
from typing import Any

from breakeven.adopt.notes import Note
from breakeven.adopt.workload import Manifest, Workload, texts
from breakeven.api.names import MANAGED_LABELS
from breakeven.api.serving import DEFAULT_PORT, DEFAULT_PORT_NAME


def service_fields(
    workload: Workload, engine: Mapping[str, Any], services: tuple[Manifest, ...], name: str
) -> tuple[Manifest, list[Note]]:
    """`spec.service`, and what has to be known of the Services that were seen."""
    labels = texts((workload.template.get("metadata") or {}).get("labels"))
    notes: list[Note] = []
    joined = [s for s in services if _selects(s, labels)]
    for service in joined:
        notes += _targets(service, engine)
        if lost := sorted(MANAGED_LABELS & texts((service.get("spec") or {}).get("selector")).keys()):
            who = service["metadata"]["name"]
            notes.append(
                Note(f"Service {who}", f"selects by {', '.join(lost)}, which is managed here: select by others")
            )
    taken = any((s.get("metadata") or {}).get("name") == name for s in services)
    return ({"enabled": False} if joined or taken else {}), notes


def _selects(service: Manifest, labels: Mapping[str, str]) -> bool:
    selector = texts((service.get("spec") or {}).get("selector"))
    return bool(selector) and selector.items() <= labels.items()


def _targets(service: Manifest, engine: Mapping[str, Any]) -> list[Note]:
    """Ports of the Service that lead to nothing in the new pods."""
    number, name = engine.get("port", DEFAULT_PORT), engine.get("portName", DEFAULT_PORT_NAME)
    who = (service.get("metadata") or {}).get("name")
    targets = [p.get("targetPort", p.get("port")) for p in (service.get("spec") or {}).get("ports") or []]
    if any(str(target) in (str(number), str(name)) for target in targets):
        return []
    shown = ", ".join(map(str, targets))
    message = f"its targetPort is {shown}, and the engine's port is {number} ({name}): set one of the two to the other"
    return [Note(f"Service {who}", message)]

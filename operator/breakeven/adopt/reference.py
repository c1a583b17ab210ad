"""`spec.workloadRef`: a spec whose engine, target and pod template are those of a Deployment of somebody else's."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from breakeven.adopt.adoption import Choices, adopt
from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.shapes import read
from breakeven.adopt.workload import Manifest

FIELD = "workloadRef"
_TAKEN = ("engine", "target", "podTemplate")
"""Parts of a spec that the Deployment says."""


def referred(spec: Any) -> str | None:
    """Name of the Deployment that a spec refers to, whatever else is wrong with it; None when there is none."""
    reference = spec.get(FIELD) if isinstance(spec, Mapping) else None
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if isinstance(name, str) and name else None


def resolved(spec: Mapping[str, Any], deployment: Manifest, name: str) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """The spec with what the Deployment says, and what of it could not be kept.

    Parameters
    ----------
    name
        Of the resource.

    Raises
    ------
    NotAdoptable
        If the Deployment runs no vLLM, or holds a credential in plain sight.
    """
    reference = spec[FIELD]
    version = reference.get("engineVersion")
    (workload,), _ = read([{"kind": "Deployment", **deployment}])
    made = adopt(workload, Choices(name=name, engine_version=version if isinstance(version, str) else None))
    theirs = made.resource["spec"]
    _no_credentials(workload.engine, theirs["engine"])
    found = {key: value for key, value in spec.items() if key != FIELD}
    found |= {key: theirs[key] for key in _TAKEN if key in theirs}
    own = spec.get("hardware")
    found["hardware"] = theirs["hardware"] | (dict(own) if isinstance(own, Mapping) else {})
    if "draft" in theirs:
        found.setdefault("draft", theirs["draft"])
    return found, made.notes


def template_of(deployment: Manifest) -> str:
    """A checksum of its pod template: scaling the Deployment changes its generation too, so that cannot be used."""
    template = json.dumps((deployment.get("spec") or {}).get("template"), sort_keys=True, default=str)
    return f"{zlib.crc32(template.encode()):08x}"


def _no_credentials(container: Mapping[str, Any], engine: Mapping[str, Any]) -> None:
    """Nobody made the Secret that `adopt` would tell a person to make."""
    by_reference = {e.get("name") for e in container.get("env") or [] if isinstance(e, Mapping) and e.get("valueFrom")}
    for item in engine.get("env", ()):
        if "valueFrom" in item and item["name"] not in by_reference:
            raise NotAdoptable(
                f"its {item['name']} is written down in the Deployment, and would be copied into others: take it from "
                "a Secret there (valueFrom.secretKeyRef)"
            )

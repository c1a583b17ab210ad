"""Limits of what a resource may say in free form: `podTemplate` and environment variables.

The schema of the API server cannot say them: CEL has no recursion, and does not see what is kept unread.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

DEEPEST = 24
"""Levels of objects and lists below `spec`. A pod template of Kubernetes has at most 13."""
LARGEST = 32 * 1024
"""Bytes of `podTemplate` as JSON, and characters of all environment variables. The memory in the status holds three variants,
each with its own, and etcd takes 1.5 MiB with everything."""


def not_too_deep(value: Any) -> Any:
    """Check a spec before any of it is read. Raises ValueError, which names the first field that is too deep."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, part = waiting.pop()
        if len(path) > DEEPEST:
            raise ValueError(f"{'.'.join(path[:4])}: nested deeper than {DEEPEST} levels: leave out what is below")
        if isinstance(part, Mapping):
            waiting.extend(((*path, str(key)), item) for key, item in part.items() if isinstance(item, Mapping | list))
        elif isinstance(part, list):
            waiting.extend(((*path, str(n)), item) for n, item in enumerate(part) if isinstance(item, Mapping | list))
    return value


def _not_too_large(template: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(template, separators=(",", ":"), default=str).encode())
    if size > LARGEST:
        raise ValueError(
            f"it has {size} bytes, at most {LARGEST} are allowed: put long texts into a ConfigMap and mount that"
        )
    return template


def _of_objects(template: dict[str, Any]) -> dict[str, Any]:
    metadata = template.get("metadata", {})
    parts = {"metadata": metadata, "spec": template.get("spec", {})}
    if isinstance(metadata, Mapping):
        parts |= {f"metadata.{name}": metadata.get(name, {}) for name in ("labels", "annotations")}
    if wrong := [name for name, part in parts.items() if not isinstance(part, Mapping)]:
        raise ValueError(f"{wrong[0]}: write an object, or leave it out")
    return template


_MAP = {"type": "object", "maxProperties": 256, "x-kubernetes-preserve-unknown-fields": True}
"""Not of texts alone: a removal of one entry is an object."""
PodTemplate = Annotated[
    dict[str, Any],
    AfterValidator(_of_objects),
    AfterValidator(_not_too_large),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 8,
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {
                "metadata": {
                    "type": "object",
                    "description": "Labels and annotations of the pods; other fields are refused. Absent: the managed ones.",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {
                        "labels": {**_MAP, "description": "Labels beside the managed ones. Absent: none."},
                        "annotations": {**_MAP, "description": "Annotations beside the rendered ones. Absent: none."},
                    },
                },
                "spec": {
                    "type": "object",
                    "description": "Fields of a PodSpec, merged into the rendered one. Absent: as rendered.",
                    "maxProperties": 128,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
            },
        }
    ),
]
"""A partial pod template, at most `LARGEST` bytes of it."""

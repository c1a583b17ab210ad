"""`podTemplate`: strategic merge of overrides into the rendered pod template, and what overrides may not touch.

Objects merge, null deletes. Containers merge by name; volumes, variables, mounts and pull secrets replace the one of
the same name (mounts: the same path); tolerations are added. Every other list replaces.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from breakeven.api.names import APP_INSTANCE, APP_NAME, MANAGED_BY, RESOURCE, VARIANT
from breakeven.engines import Reason, Refusal
from breakeven.render.managed import RUNNER_VARIABLES
from breakeven.render.names import CONTAINER, Manifest

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "containers": "name",
        "initContainers": "name",
        "volumes": "name",
        "env": "name",
        "imagePullSecrets": "name",
        "volumeMounts": "mountPath",
    }
)
"""Lists that merge, and the field that names their items."""
_DEEP = frozenset({"containers", "initContainers"})
"""Lists whose items merge; in the others an item replaces its namesake, because two sources in one are refused."""
_APPENDED = "tolerations"
_MANAGED_LABELS = frozenset({APP_INSTANCE, APP_NAME, MANAGED_BY, RESOURCE, VARIANT})
_OF_CONTAINER: Mapping[str, str] = MappingProxyType(
    {
        "image": "set spec.engine.image",
        "command": "the command is managed; set spec.engine.extraArgs",
        "args": "arguments are managed; set spec.engine.extraArgs",
        "ports": "the port is managed: remove it",
    }
)
_GPU = "nvidia.com/gpu"


def merged(base: Manifest, overrides: Mapping[str, Any] | None) -> Manifest:
    """A pod template with overrides that `check_overrides` did not refuse. The arguments are left as they are."""
    return _merge(deepcopy(base), overrides or {})


def check_overrides(overrides: Mapping[str, Any] | None) -> Iterator[Refusal]:
    """Find overrides that would break what the operator relies on; never raises."""
    if overrides is None:
        return
    shape = list(_shape(overrides, "podTemplate"))
    yield from shape
    for key in sorted(set(overrides) - {"metadata", "spec"}):
        yield _refuse(f"podTemplate.{key}", "a pod template has metadata and spec; remove it")
    if not shape:
        yield from _check_metadata(overrides.get("metadata") or {})
        yield from _check_spec(overrides)


def _merge(base: Manifest, patch: Mapping[str, Any]) -> Manifest:
    for key, value in patch.items():
        old = base.get(key)
        if value is None:
            base.pop(key, None)
        elif isinstance(value, Mapping):
            base[key] = _merge(old if isinstance(old, dict) else {}, value)
        elif key in _KEYS and isinstance(old, list):
            base[key] = _merge_list(old, value, key)
        elif key == _APPENDED and isinstance(old, list):
            base[key] = old + [deepcopy(item) for item in value if item not in old]
        else:
            base[key] = deepcopy(value)
    return base


def _merge_list(old: list[Manifest], patch: list[Manifest], kind: str) -> list[Manifest]:
    by = _KEYS[kind]
    items = {item[by]: item for item in old}
    for item in patch:
        deep = kind in _DEEP and item[by] in items
        items[item[by]] = _merge(items[item[by]], item) if deep else _merge({}, item)
    return list(items.values())


def _shape(value: Any, path: str) -> Iterator[Refusal]:
    if not isinstance(value, Mapping):
        yield _refuse(path, "write an object")
        return
    for key, item in value.items():
        here = f"{path}.{key}"
        if not isinstance(key, str) or key.startswith("$"):
            yield _refuse(here, "merge directives are not read: write null to delete a field")
        elif key in ("metadata", "spec") and path == "podTemplate":
            yield from _shape(item, here)
        elif path == "podTemplate.metadata" and item is not None:
            yield from _string_map(item, here)
        elif key in _KEYS or key == _APPENDED:
            yield from _check_list(item, here, _KEYS.get(key))
        elif isinstance(item, Mapping):
            yield from _shape(item, here)


def _string_map(value: Any, path: str) -> Iterator[Refusal]:
    if path not in ("podTemplate.metadata.labels", "podTemplate.metadata.annotations"):
        yield _refuse(path, "only labels and annotations can be set; remove it")
    elif not isinstance(value, Mapping) or not all(isinstance(v, str) or v is None for v in value.values()):
        yield _refuse(path, "write an object of strings")


def _check_list(items: Any, path: str, by: str | None) -> Iterator[Refusal]:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        yield _refuse(path, "write a list of objects")
        return
    for place, item in enumerate(items):
        if by is not None and not isinstance(item.get(by), str):
            yield _refuse(f"{path}[{place}].{by}", "write it: items of this list merge by it")
        yield from _shape(item, f"{path}[{place}]")


def _check_metadata(metadata: Mapping[str, Any]) -> Iterator[Refusal]:
    for key in sorted(_MANAGED_LABELS & set(metadata.get("labels") or {})):
        yield _refuse(f"podTemplate.metadata.labels.{key}", "this label is managed; remove it")


def _check_spec(overrides: Mapping[str, Any]) -> Iterator[Refusal]:
    spec = overrides.get("spec") or {}
    if spec.get("restartPolicy", "Always") != "Always":
        yield _refuse("podTemplate.spec.restartPolicy", "a Deployment restarts always; remove it")
    for container in spec.get("containers") or []:
        if container["name"] == CONTAINER:
            yield from _check_engine(container)


def _check_engine(container: Mapping[str, Any]) -> Iterator[Refusal]:
    path = f"podTemplate.spec.containers[{CONTAINER}]"
    for key, advice in _OF_CONTAINER.items():
        if key in container:
            yield _refuse(f"{path}.{key}", advice)
    for variable in container.get("env") or []:
        if variable["name"] in RUNNER_VARIABLES:
            yield _refuse(f"{path}.env[{variable['name']}]", "set it in spec.engine.env")
    if "resources" not in container:
        return
    resources = container["resources"]
    parts = [resources.get(k, {}) for k in ("limits", "requests")] if isinstance(resources, Mapping) else [None]
    if not all(isinstance(part, Mapping) for part in parts):
        yield _refuse(f"{path}.resources", "write limits and requests as objects: the GPUs are in them")
    elif any(_GPU in part for part in parts if isinstance(part, Mapping)):
        yield _refuse(f"{path}.resources", f"{_GPU} is managed; set spec.hardware.gpusPerReplica")


def _refuse(field: str, message: str) -> Refusal:
    return Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=message)

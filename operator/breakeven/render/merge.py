"""`podTemplate`: strategic merge of overrides into the rendered pod template; `overrides` checks them.

Objects merge, `{$patch: delete}` removes. Containers merge by name; volumes, variables, mounts and pull secrets replace
the one of the same name (mounts: the same path); tolerations and ports are added. Every other list replaces.
"""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from breakeven.render.names import Manifest
from breakeven.render.pod_fields import REMOVE

KEYS: Mapping[str, str] = MappingProxyType(
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
APPENDED = frozenset({"tolerations", "ports"})
"""Lists whose items are added."""


def merged(base: Manifest, overrides: Mapping[str, Any] | None) -> Manifest:
    """A pod template with overrides that `check_overrides` did not refuse. The arguments are left as they are."""
    return _merge(deepcopy(base), overrides or {})


def _merge(base: Manifest, patch: Mapping[str, Any]) -> Manifest:
    for key, value in patch.items():
        old = base.get(key)
        if value == REMOVE:
            base.pop(key, None)
        elif isinstance(value, Mapping):
            base[key] = _merge(old if isinstance(old, dict) else {}, value)
        elif key in KEYS:
            base[key] = _merge_list(old if isinstance(old, list) else [], value, key)
        elif key in APPENDED and isinstance(old, list):
            base[key] = old + [deepcopy(item) for item in value if item not in old]
        else:
            base[key] = deepcopy(value)
    return base


def _merge_list(old: list[Manifest], patch: list[Manifest], kind: str) -> list[Manifest]:
    by = KEYS[kind]
    items = {item[by]: item for item in old}
    for item in patch:
        if REMOVE.items() <= item.items():
            items.pop(item[by], None)
            continue
        deep = kind in _DEEP and item[by] in items
        items[item[by]] = _merge(items[item[by]], item) if deep else _merge({}, item)
    return list(items.values())

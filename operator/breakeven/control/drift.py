"""Whether an object still is what was applied: compared as data, server defaults and other people's fields left out."""

import hashlib
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from breakeven.control.ports import Manifest

_SUFFIX = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}
_QUANTITY = re.compile(r"^([0-9.]+)([a-zA-Z]*)$")
_LIST_KEYS = ("name", "containerPort", "port", "mountPath", "uid", "key", "type", "topologyKey")
"""Fields that name the items of Kubernetes lists; the order of such lists carries no meaning."""


def contains(live: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is in the live value; what the live value has besides does not matter."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_contains_field(live, name, value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and _contains_items(live, wanted)
    return (live == wanted and isinstance(live, bool) is isinstance(wanted, bool)) or _same_quantity(live, wanted)


def drifted(live: Manifest | None, wanted: Manifest) -> bool:
    """Whether the object must be applied again."""
    if live is None:
        return True
    return not all(contains(live.get(part), wanted.get(part)) for part in wanted if part != "status")


def fingerprint(obj: Manifest) -> str:
    """Hash of what an object says, without what the server writes on its own."""
    meta = obj.get("metadata", {})
    stable = {k: v for k, v in obj.items() if k not in ("metadata", "status")}
    stable["metadata"] = {k: meta.get(k) for k in ("name", "namespace", "labels", "ownerReferences")}
    # The deployment controller keeps its revision in an annotation.
    notes = {k: v for k, v in (meta.get("annotations") or {}).items() if k != "deployment.kubernetes.io/revision"}
    stable["metadata"]["annotations"] = notes
    return hashlib.sha256(json.dumps(stable, sort_keys=True, default=str).encode()).hexdigest()


def _contains_field(live: dict[str, Any], name: str, value: Any) -> bool:
    if name in live:
        return contains(live[name], value)
    return value in (None, {}, [], "")


def _contains_items(live: list[Any], wanted: list[Any]) -> bool:
    if wanted and all(isinstance(w, dict) for w in wanted):
        key = next((k for k in _LIST_KEYS if all(k in w for w in wanted)), None)
        if key:
            named = [x for x in live if isinstance(x, dict)]
            return all(any(x.get(key) == w[key] and contains(x, w) for x in named) for w in wanted)
    return len(live) == len(wanted) and all(contains(x, w) for x, w in zip(live, wanted, strict=True))


def _same_quantity(live: Any, wanted: Any) -> bool:
    if isinstance(live, bool) or isinstance(wanted, bool):
        return False
    if not isinstance(live, str | int) or not isinstance(wanted, str | int):
        return False
    a, b = _quantity(str(live)), _quantity(str(wanted))
    return a is not None and a == b


def _quantity(text: str) -> Decimal | None:
    match = _QUANTITY.match(text)
    if not match:
        return None
    scale = _SUFFIX.get(match[2]) if match[2] else Decimal(1)
    try:
        return Decimal(match[1]) * scale if scale is not None else None
    except InvalidOperation:
        return None

"""What the watches have shown: resources and owned objects by key, so that a pass needs no read.

Written by the handlers, by answers to our own writes, and by full listings; an older copy never replaces a newer one.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from breakeven.api.base import KIND
from breakeven.api.names import MANAGED_BY, RESOURCE
from breakeven.control.interning import Shared
from breakeven.control.ports import Key, Manifest
from breakeven.control.shard import Shard
from breakeven.control.workloads import Workloads
from breakeven.render.names import CONTAINER

log = logging.getLogger(__name__)

EVERYTHING = Shard()
_UNREAD = frozenset({"managedFields", "generateName"})
OWNED_KINDS = ("Deployment", "Service", "Pod", "ConfigMap", "PodDisruptionBudget", "PodMonitor")


def key_of(obj: Manifest) -> Key | None:
    """Name of the resource that an object is or belongs to; None when it is none of ours."""
    meta = obj.get("metadata", {})
    if obj.get("kind") == KIND:
        return Key(meta["namespace"], meta["name"])
    labels = meta.get("labels") or {}
    if labels.get(MANAGED_BY) != "breakeven" or RESOURCE not in labels:
        return None
    return Key(meta.get("namespace", ""), labels[RESOURCE])


@dataclass(slots=True)
class _Entry:
    obj: Manifest
    revision: int
    arrived: int
    """Count of changes of the cache when this copy came in."""


@dataclass(slots=True)
class _Kind:
    by_name: dict[tuple[str, str], _Entry] = field(default_factory=dict)
    by_key: dict[Key, set[tuple[str, str]]] = field(default_factory=dict)


class Cache:
    """Objects by kind and name, and by the resource they belong to. Not shared between threads."""

    def __init__(self, shard: Shard = EVERYTHING) -> None:
        self._shard = shard
        """Which resources are ours: one that is not, or not any more, is to this process as if it were deleted."""
        self._kinds: dict[str, _Kind] = {kind: _Kind() for kind in (KIND, *OWNED_KINDS)}
        self._changes = 0
        self._shared = Shared()
        self.workloads = Workloads()
        """Deployments of others that resources refer to."""

    @property
    def changes(self) -> int:
        """How often anything came in; a mark for `replace`."""
        return self._changes

    def put(self, obj: Manifest) -> Key | None:
        """Take a copy in, unless a newer one of the same object is there; answer whom it concerns."""
        if not self._ours(obj):
            return self.drop(obj)
        place = self._place(obj)
        if place is None:
            return None
        key, kind, name = place
        revision, old = _revision(obj), kind.by_name.get(name)
        if old and old.obj["metadata"].get("uid") == obj["metadata"].get("uid") and revision < old.revision:
            return key
        kind.by_name[name] = _Entry(self._shared.of(_lean(obj)), revision, self._changes)
        kind.by_key.setdefault(key, set()).add(name)
        return key

    def slim(self, obj: Manifest) -> Manifest:
        """The part of an object that `put` would keep, so that a listing need not hold the rest until its end.

        One that cannot be taken in stays as it is: `replace` leaves it out by name.
        """
        try:
            slim: Manifest = self._shared.of(_lean(obj))
        except (AttributeError, KeyError, TypeError):  # `replace` says what is wrong with it
            return obj
        return slim

    def drop(self, obj: Manifest) -> Key | None:
        """Forget a deleted object, unless another one of that name has come since; answer whom it concerned."""
        place = self._place(obj)
        if place is None:
            return None
        key, kind, name = place
        old = kind.by_name.get(name)
        if old and old.obj["metadata"].get("uid") in (obj["metadata"].get("uid"), None):
            self._remove(kind, key, name)
        return key

    def _ours(self, obj: Manifest) -> bool:
        """What belongs to a resource of another shard is taken in: its labels do not tell."""
        return obj.get("kind") != KIND or self._shard.has(obj["metadata"].get("labels") or {})

    def _place(self, obj: Manifest) -> tuple[Key, _Kind, tuple[str, str]] | None:
        """Whom an object that came in concerns, and where it is kept; None when it is none of ours."""
        key, kind = key_of(obj), self._kinds.get(obj.get("kind", ""))
        if key is None or kind is None:
            return None
        self._changes += 1
        meta = obj["metadata"]
        return key, kind, (meta.get("namespace", ""), meta["name"])

    def replace(self, kind: str, objects: Iterable[Manifest], mark: int, *, of: Key | None = None) -> set[Key]:
        """Take a full listing in and forget what is not in it; answer whom the difference concerns.

        `mark` is `changes` from before the listing was asked for: what came in since then is newer than the listing and
        stays. `of` says that the listing covers one resource only.
        """
        table = self._kinds[kind]
        listed = {(o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in objects if self._ours(o)}
        touched: set[Key] = set()
        for key, names in list(table.by_key.items()):
            if of is not None and key != of:
                continue
            for name in [n for n in names if n not in listed and table.by_name[n].arrived <= mark]:
                self._remove(table, key, name)
                touched.add(key)
        for name, obj in listed.items():
            old = table.by_name.get(name)
            if old is None or old.obj["metadata"].get("resourceVersion") != obj["metadata"].get("resourceVersion"):
                key_or_none = self._put_if_it_can_be(obj)
                if key_or_none is not None:
                    touched.add(key_or_none)
        return touched

    def _put_if_it_can_be(self, obj: Manifest) -> Key | None:
        """One object that cannot be taken in is left out by name, so that all others are served."""
        try:
            return self.put(obj)
        except Exception:  # whatever is wrong with it, it is wrong with this one
            meta = obj.get("metadata", {})
            what = f"{obj.get('kind')} {meta.get('namespace')}/{meta.get('name')}"
            log.exception("%s cannot be read and is passed over", what)
            return None

    def resource(self, key: Key) -> Manifest | None:
        """The resource itself."""
        entry = self._kinds[KIND].by_name.get((key.namespace, key.name))
        return entry.obj if entry else None

    def owned(self, kind: str, key: Key) -> Sequence[Manifest]:
        """Objects of one kind that belong to a resource, by name."""
        table = self._kinds[kind]
        return [table.by_name[name].obj for name in sorted(table.by_key.get(key, ()))]

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object."""
        table = self._kinds.get(kind)
        entry = table.by_name.get((namespace, name)) if table else None
        return entry.obj if entry else None

    def resources(self) -> set[Key]:
        """Every resource that exists."""
        return set(self._kinds[KIND].by_key)

    @staticmethod
    def _remove(table: _Kind, key: Key, name: tuple[str, str]) -> None:
        del table.by_name[name]
        names = table.by_key[key]
        names.discard(name)
        if not names:
            del table.by_key[key]


def _lean(obj: Manifest) -> Manifest:
    """A copy without what no pass looks at: the spec of a pod is its Deployment's, but for node, network and ports."""
    lean = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in _UNREAD}}
    if obj.get("kind") == "Pod":
        spec = obj.get("spec") or {}
        lean["spec"] = {k: v for k, v in spec.items() if k in ("nodeName", "hostNetwork")}
        engines = [c for c in spec.get("containers") or () if c.get("name") == CONTAINER]
        lean["spec"]["containers"] = [{k: c[k] for k in ("name", "ports") if k in c} for c in engines]
    return lean


def _revision(obj: Manifest) -> int:
    """Resource versions of one object grow (https://kep.k8s.io/5504); anything that is no number counts as newest."""
    text = str(obj["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdigit() else 1 << 63

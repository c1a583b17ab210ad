"""Deployments of others that resources refer to in `spec.workloadRef`: read, and never written.

The watches show every Deployment; only those that somebody refers to are kept. One that was never shown, because the
resource came later, is read once by the pass that needs it.
"""

from dataclasses import dataclass, field

from breakeven.control.errors import Gone, Refused
from breakeven.control.ports import Cluster, Key, Manifest

_KIND = "Deployment"
_API_VERSION = "apps/v1"
Place = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True)
class _Known:
    obj: Manifest | None
    why: str
    """Why there is none."""
    followers: set[Key] = field(default_factory=set)


class Workloads:
    """By namespace and name, with the resources that refer to each."""

    def __init__(self) -> None:
        self._known: dict[Place, _Known] = {}
        self._named: dict[Key, str] = {}

    def seen(self, obj: Manifest, *, gone: bool) -> set[Key]:
        """Take in what a watch or a reading shows; answers whom it concerns."""
        metadata = obj.get("metadata") or {}
        known = self._known.get((metadata.get("namespace", ""), metadata.get("name", "")))
        if obj.get("kind") != _KIND or known is None:
            return set()
        if gone:
            known.obj, known.why = None, _missing(metadata["name"])
        elif known.obj is None or _changed(known.obj, obj):
            known.obj, known.why = _lean(obj), ""
        else:
            return set()
        return set(known.followers)

    def find(self, key: Key) -> tuple[Manifest | None, str]:
        """The Deployment that a resource refers to, or why it is not to be had; neither while it was not read yet."""
        name = self._named.get(key)
        known = self._known.get((key.namespace, name)) if name is not None else None
        return (known.obj, known.why) if known is not None else (None, "")

    async def follow(self, key: Key, name: str | None, cluster: Cluster) -> None:
        """Say what a resource refers to now; what is not known yet is read. Raises Retry."""
        if self._named.get(key) != name:
            self.forget(key)
        if name is None:
            return
        self._named[key] = name
        known = self._known.get((key.namespace, name))
        if known is None:
            known = self._known[key.namespace, name] = _Known(None, "")
            known.followers.add(key)
            await self._read(key.namespace, name, known, cluster)
        known.followers.add(key)

    async def refresh(self, cluster: Cluster) -> set[Key]:
        """Read all of them again, for what a broken watch has missed; answers whom a difference concerns."""
        concerned: set[Key] = set()
        for (namespace, name), known in list(self._known.items()):
            before, why = known.obj, known.why
            await self._read(namespace, name, known, cluster)
            if known.why != why or (known.obj is None) != (before is None) or _differ(before, known.obj):
                concerned |= known.followers
        return concerned

    def forget(self, key: Key) -> None:
        """The resource is gone, or refers to something else."""
        name = self._named.pop(key, None)
        known = self._known.get((key.namespace, name)) if name is not None else None
        if known is not None and name is not None:
            known.followers.discard(key)
            if not known.followers:
                del self._known[key.namespace, name]

    async def _read(self, namespace: str, name: str, known: _Known, cluster: Cluster) -> None:
        try:
            found = await cluster.get(_API_VERSION, _KIND, namespace, name)
        except Gone:
            known.obj, known.why = None, _missing(name)
        except Refused as error:
            known.obj, known.why = None, f"spec.workloadRef: Deployment {name} cannot be read: {error}"
        else:
            if known.obj is None or _changed(known.obj, found):
                known.obj, known.why = _lean(found), ""


def _missing(name: str) -> str:
    return f"spec.workloadRef: there is no Deployment {name} in this namespace: make it, or name another one"


def _changed(old: Manifest, new: Manifest) -> bool:
    """Whether it is another pod template; its replicas and its status are nobody's business."""
    return bool((old.get("spec") or {}).get("template") != (new.get("spec") or {}).get("template"))


def _differ(old: Manifest | None, new: Manifest | None) -> bool:
    return old is not None and new is not None and _changed(old, new)


def _lean(obj: Manifest) -> Manifest:
    metadata = obj["metadata"]
    about = {k: metadata[k] for k in ("name", "namespace", "labels") if k in metadata}
    return {"kind": _KIND, "metadata": about, "spec": {"template": (obj.get("spec") or {}).get("template")}}

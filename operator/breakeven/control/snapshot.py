"""What the cache shows of one resource at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from breakeven.control.cache import OWNED_KINDS, Cache
from breakeven.control.ownership import split
from breakeven.control.ports import Key, Manifest
from breakeven.render.names import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A resource and its objects. Nothing in it is changed in place: the cache replaces what changes."""

    key: Key
    body: Manifest
    """The resource itself."""
    owner: Owner
    """The same as the owner of what is rendered."""
    by_kind: Mapping[str, Sequence[Manifest]]
    """Its objects, each kind by name."""
    workload: Manifest | None = None
    """The Deployment of somebody else that its spec refers to."""
    workload_missing: str = ""
    """Why there is none, where it refers to one."""
    foreign: Sequence[Manifest] = ()
    """Objects that carry its labels and are not its own."""
    now: datetime

    @property
    def objects(self) -> Sequence[Manifest]:
        """Its objects of all kinds, always in the same order."""
        return [obj for objects in self.by_kind.values() for obj in objects]

    @property
    def deployments(self) -> Sequence[Manifest]:
        """Its Deployments."""
        return self.by_kind["Deployment"]

    @property
    def pods(self) -> Sequence[Manifest]:
        """The pods of these."""
        return self.by_kind["Pod"]

    @property
    def generation(self) -> int:
        """Generation of the spec."""
        return int(self.body["metadata"]["generation"])

    def find(self, kind: str, name: str) -> Manifest | None:
        """One of its objects."""
        return next((o for o in self.by_kind.get(kind, ()) if o["metadata"]["name"] == name), None)


def snapshot_of(cache: Cache, key: Key, now: datetime) -> Snapshot | None:
    """What the cache shows; None when the resource does not exist or is being deleted."""
    body = cache.resource(key)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    meta = body["metadata"]
    owner = Owner(name=meta["name"], namespace=meta["namespace"], uid=meta["uid"])
    by_kind, foreign = split(owner, {kind: cache.owned(kind, key) for kind in OWNED_KINDS})
    workload, why = cache.workloads.find(key)
    return Snapshot(
        key=key,
        body=body,
        owner=owner,
        by_kind=by_kind,
        workload=workload,
        workload_missing=why,
        foreign=foreign,
        now=now,
    )

"""What a pass writes besides the status: which objects differ, and carrying that out."""

import copy
from collections.abc import Mapping, Set
from dataclasses import dataclass

from breakeven.control.cache import Cache, key_of
from breakeven.control.drift import drifted, fingerprint
from breakeven.control.errors import Conflict, Gone, Refused, Retry
from breakeven.control.fleet import variant_of
from breakeven.control.moves import Move, Step
from breakeven.control.ports import Key, Manifest, Ports
from breakeven.domain.counters.observation import Fleet
from breakeven.render.objects import Rendering

OLD_KEPT = 2
"""Deployments at zero replicas that are kept: the last verified one and those that were used last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Objects to apply and to delete."""

    apply: tuple[Manifest, ...] = ()
    delete: tuple[Manifest, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not self.apply and not self.delete


class Applier:
    """Compares with what is there, and remembers what the server made of what was applied."""

    def __init__(self, cache: Cache, ports: Ports) -> None:
        self._cache = cache
        self._ports = ports
        self._applied: dict[Key, dict[tuple[str, str], tuple[str, str]]] = {}
        self.pod_monitor = False
        """Whether the cluster has PodMonitors."""

    def plan(
        self,
        key: Key,
        rendering: Rendering,
        *,
        move: Move,
        keep: Set[str],
        frozen: bool,
        fleet: Mapping[str, Fleet],
    ) -> Writes:
        """Find what differs. `frozen` leaves every Deployment as it is; `keep` are variants never deleted."""
        live = {variant_of(d): d for d in self._cache.owned("Deployment", key)}
        deployments = rendering.deployments
        wanted: list[Manifest] = [m for m in rendering.shared if self._differs(key, m)]
        gone: list[Manifest] = []
        if not frozen:
            for name, manifest in deployments.items():
                # A variant without replicas gets its Deployment when its first replica is due.
                if (name in live or manifest["spec"]["replicas"] > 0) and self._differs(key, manifest):
                    wanted.append(manifest)
            leaving = {name: d for name, d in live.items() if name not in deployments}
            if isinstance(move, Step):
                steps = {n: c for n, c in move.replicas.items() if n in leaving}
                wanted.extend(resized(leaving[name], count) for name, count in steps.items())
            gone = _superfluous({n: d for n, d in leaving.items() if _empty(fleet.get(n))}, keep)
        return Writes(apply=tuple(wanted), delete=tuple(gone))

    async def carry_out(self, about: Manifest, writes: Writes, move: Move) -> None:
        """Apply and delete, fenced before each."""
        cluster, recorder = self._ports.cluster, self._ports.recorder
        key = Key(about["metadata"]["namespace"], about["metadata"]["name"])
        # What stops comes before what starts: a replica must find its GPU free.
        for manifest in sorted(writes.apply, key=lambda m: _grows(self._cache, m)):
            await self._is_ours(about, manifest)
            await self.fence()
            live = await cluster.apply(manifest)
            recorder.wrote(manifest["kind"], verb="apply")
            self._cache.put(live)
            applied = self._applied.setdefault(key, {})
            applied[_id(manifest)] = (fingerprint(manifest), fingerprint(live))
        for manifest in writes.delete:
            await self.fence()
            meta = manifest["metadata"]
            await cluster.delete(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])
            recorder.wrote(manifest["kind"], verb="delete")
            self._cache.drop(manifest)
        if isinstance(move, Step) and not writes.empty:
            await self._ports.events.post(about, warning=False, reason="MovingReplicas", message=move.reason)

    async def fence(self) -> None:
        """Raises Conflict when somebody else may be writing."""
        if not self._ports.leadership.may_write():
            raise Conflict("the lease is not held any more; nothing is written", 5.0)

    async def _is_ours(self, about: Manifest, manifest: Manifest) -> None:
        """Look before a first apply: an apply would take an object over that somebody else made.

        Raises
        ------
        Refused
            If the object was made by somebody else.
        Retry
            If it belonged to a deleted resource of the same name and is not collected yet.
        """
        kind, meta = manifest["kind"], manifest["metadata"]
        live = self._cache.find(kind, meta["namespace"], meta["name"])
        if live is None:
            try:
                cluster = self._ports.cluster
                live = await cluster.get(manifest["apiVersion"], kind, meta["namespace"], meta["name"])
            except Gone:
                return
        owner = next((r for r in live["metadata"].get("ownerReferences") or [] if r.get("controller")), None)
        if owner is not None and owner["uid"] == about["metadata"]["uid"]:
            return
        if owner is not None and (owner["kind"], owner["name"]) == (about["kind"], about["metadata"]["name"]):
            raise Retry(f"{kind} {meta['name']} of a deleted resource of this name is not collected yet", 1.0)
        if owner is None and key_of(live) == key_of(about):
            return  # orphaned by `kubectl delete --cascade=orphan`: taken in again
        whose = f"{owner['kind']} {owner['name']}" if owner else "somebody else"
        raise Refused(
            f"{kind} {meta['name']} is there already and belongs to {whose}: "
            "delete it or give the resource another name; it is left as it is"
        )

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._applied.pop(key, None)

    def _differs(self, key: Key, manifest: Manifest) -> bool:
        meta = manifest["metadata"]
        live = self._cache.find(manifest["kind"], meta["namespace"], meta["name"])
        if not drifted(live, manifest):
            return False
        # The server may write a value in another way than we do; then its answer to this very manifest is as good.
        known = self._applied.get(key, {}).get(_id(manifest))
        return live is None or known != (fingerprint(manifest), fingerprint(live))


def resized(live: Manifest, replicas: int) -> Manifest:
    """The apply body of a Deployment on its way out: exactly as it is, with another number of replicas.

    Rendering it again could change its pod template and restart what still serves.
    """
    meta = live["metadata"]
    body: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": copy.deepcopy(meta.get("labels", {})),
            "ownerReferences": copy.deepcopy(meta.get("ownerReferences", [])),
        },
        "spec": copy.deepcopy(live["spec"]),
    }
    body["spec"]["replicas"] = replicas
    return body


def _superfluous(empty: Mapping[str, Manifest], keep: Set[str]) -> list[Manifest]:
    """Empty Deployments that nothing refers to, beyond the few that were made last."""
    newest = sorted(empty, key=lambda n: str(empty[n]["metadata"].get("creationTimestamp", "")), reverse=True)
    kept = sum(1 for name in newest if name in keep)
    gone = []
    for name in newest:
        if name in keep:
            continue
        if kept < OLD_KEPT:
            kept += 1
            continue
        gone.append(empty[name])
    return gone


def _empty(fleet: Fleet | None) -> bool:
    return fleet is not None and not (fleet.wanted or fleet.existing or fleet.terminating)


def _grows(cache: Cache, manifest: Manifest) -> int:
    """Order of applies: shared objects, then Deployments that shrink, then those that grow."""
    if manifest["kind"] != "Deployment":
        return 0
    meta = manifest["metadata"]
    live = cache.find("Deployment", meta["namespace"], meta["name"])
    before = int(live["spec"].get("replicas", 1)) if live else 0
    return 2 if manifest["spec"]["replicas"] > before else 1


def _id(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]

"""Which objects differ from what should be there. Pure."""

import copy
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from breakeven.control.drift import drifted, fingerprint
from breakeven.control.fleet import pool_of
from breakeven.control.moves import Move, Step
from breakeven.control.ports import Manifest, ObjectId, object_id
from breakeven.control.resource_state import Applied
from breakeven.control.snapshot import Snapshot
from breakeven.domain.counters.observation import Fleet
from breakeven.render.objects import Rendering

OLD_KEPT = 2
"""Deployments at zero replicas that are kept: the last verified one and those that were used last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Objects to apply and to delete."""

    apply: Sequence[Manifest] = ()
    """In the order to apply: what stops comes before what starts, for a replica must find its GPU free. Those with a
    `resourceVersion` change an object of ours, the others are to be created."""
    delete: Sequence[Manifest] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not self.apply and not self.delete


def diff(
    rendering: Rendering,
    snapshot: Snapshot,
    applied: Mapping[ObjectId, Applied],
    fleet: Mapping[str, Fleet],
    *,
    move: Move,
    keep: Set[str],
    frozen: bool,
) -> Writes:
    """Find what differs.

    Parameters
    ----------
    applied
        What was applied before, and what the API server made of it.
    keep
        Variants whose Deployments are never deleted.
    frozen
        Whether every Deployment stays as it is.
    """
    shared = [_fenced(m, snapshot) for m in rendering.shared if _differs(m, snapshot, applied)]
    unwanted = _not_wanted_any_more(rendering, snapshot)
    if frozen:
        return Writes(apply=shared, delete=unwanted)
    live = {pool_of(d): d for d in snapshot.deployments}
    # A variant without replicas gets its Deployment when its first replica is due.
    due = [m for name, m in rendering.deployments.items() if name in live or m["spec"]["replicas"] > 0]
    leaving = {name: d for name, d in live.items() if name not in rendering.deployments}
    steps = move.replicas if isinstance(move, Step) else {}
    changed = [m for m in due if _differs(m, snapshot, applied)]
    changed += [resized(leaving[name], count) for name, count in steps.items() if name in leaving]
    ordered = [_fenced(m, snapshot) for m in sorted(changed, key=lambda m: _grows(m, snapshot))]
    empty = {name: d for name, d in leaving.items() if _empty(fleet.get(name))}
    used = [*live.values(), *rendering.deployments.values()]
    return Writes(
        apply=[*shared, *ordered], delete=[*unwanted, *_superfluous(empty, keep), *_left_over(snapshot, used)]
    )


def resized(live: Manifest, replicas: int) -> Manifest:
    """The apply body of a Deployment on its way out: exactly as it is, with another number of replicas.

    Rendering it again could change its pod template and restart what still serves.
    """
    meta = live["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": copy.deepcopy(meta.get("labels", {})),
            "ownerReferences": copy.deepcopy(meta.get("ownerReferences", [])),
        },
        "spec": {**copy.deepcopy(live["spec"]), "replicas": replicas},
    }


def fenced(manifest: Manifest, live: Manifest) -> Manifest:
    """What is applied only to this very object, as it is now: not after somebody else wrote it, nor to a new one."""
    version = {name: live["metadata"][name] for name in ("uid", "resourceVersion")}
    return {**manifest, "metadata": {**manifest["metadata"], **version}}


def _fenced(manifest: Manifest, snapshot: Snapshot) -> Manifest:
    live = snapshot.find(*object_id(manifest))
    return fenced(manifest, live) if live is not None else manifest


def _not_wanted_any_more(rendering: Rendering, snapshot: Snapshot) -> Sequence[Manifest]:
    """What is ours and not rendered any more: a Service where another is in front now, a budget that was taken back."""
    wanted = {object_id(m) for m in rendering.shared}
    there = [o for kind in ("Service", "PodDisruptionBudget") for o in snapshot.by_kind.get(kind, ())]
    return [o for o in there if object_id(o) not in wanted]


def _differs(manifest: Manifest, snapshot: Snapshot, applied: Mapping[ObjectId, Applied]) -> bool:
    name = object_id(manifest)
    live = snapshot.find(*name)
    if not drifted(live, manifest):
        return False
    # The server may write a value in another way than we do; then its answer to this very manifest is as good.
    return live is None or applied.get(name) != Applied(fingerprint(manifest), fingerprint(live))


def _grows(deployment: Manifest, snapshot: Snapshot) -> bool:
    live = snapshot.find(*object_id(deployment))
    before = int(live["spec"].get("replicas", 1)) if live else 0
    return bool(deployment["spec"]["replicas"] > before)


def _superfluous(empty: Mapping[str, Manifest], keep: Set[str]) -> Sequence[Manifest]:
    """Empty Deployments that nothing refers to, beyond the few that were made last."""
    newest = sorted(empty, key=lambda n: str(empty[n]["metadata"].get("creationTimestamp", "")), reverse=True)
    room = max(0, OLD_KEPT - sum(1 for name in newest if name in keep))
    return [empty[name] for name in [n for n in newest if n not in keep][room:]]


def _left_over(snapshot: Snapshot, deployments: Sequence[Manifest]) -> Sequence[Manifest]:
    """ConfigMaps of warm replicas whose Deployment is gone; they are named after it."""
    used = tuple(f"{d['metadata']['name']}-" for d in deployments)
    return [m for m in snapshot.by_kind["ConfigMap"] if not m["metadata"]["name"].startswith(used)]


def _empty(fleet: Fleet | None) -> bool:
    return fleet is not None and not (fleet.wanted or fleet.existing or fleet.terminating)

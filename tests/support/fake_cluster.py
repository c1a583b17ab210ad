"""An API server in memory, with the semantics that the loop rests on, and controllers that are told when to act.

Server-side apply: fields of the last apply that are missing in the next one are removed, fields of others stay, an
apply that changes nothing bumps no version. `generation` follows `spec` only. The status is a subresource that cannot
create. A stale `resourceVersion` or a wrong `uid` is a Conflict, and so is an apply without them to what exists.
"""

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from breakeven.api.scalars import format_time
from breakeven.control.errors import Conflict, ControlError, Gone

Manifest = dict[str, Any]
_DEFAULTS: dict[str, Manifest] = {
    "Deployment": {"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    "Service": {"clusterIP": "10.0.0.1", "sessionAffinity": "None", "type": "ClusterIP"},
}
_HASH = "5d4f8c7b9"


@dataclass(slots=True)
class Call:
    """One request that was made."""

    verb: str
    kind: str
    name: str
    body: Manifest | None = None


@dataclass(slots=True)
class FakeCluster:
    """`control.ports.Cluster` over a dict."""

    now: Callable[[], datetime]
    gpus: int = 100
    """Replicas that find a place; a pod more is unschedulable."""
    calls: list[Call] = field(default_factory=list)
    objects: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    """Further kinds that are served."""
    meanwhile: tuple[tuple[str, str], Callable[[], object]] | None = None
    """What somebody else does while the next call of this verb and kind is on its way."""
    _applied: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _failures: list[tuple[str, str, ControlError]] = field(default_factory=list)

    def fail_next(self, verb: str, kind: str, error: ControlError) -> None:
        """Let the next such call fail before it does anything."""
        self._failures.append((verb, kind, error))

    def of(self, kind: str) -> list[Manifest]:
        """All objects of one kind, by name."""
        return [o for (k, _, _), o in sorted(self.objects.items()) if k == kind]

    def writes(self) -> list[Call]:
        """Calls that changed or could change something."""
        return [c for c in self.calls if c.verb not in ("get", "list")]

    # what a user does

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object as a user."""
        obj = copy.deepcopy(manifest)
        n = next(self._numbers)
        obj["metadata"].update(
            uid=f"uid-{n}",
            resourceVersion=str(n),
            generation=1,
            creationTimestamp=format_time(self.now().replace(microsecond=0)),
        )
        self.objects[self._id(obj)] = obj
        return copy.deepcopy(obj)

    def edit(self, kind: str, name: str, change: Callable[[Manifest], None]) -> None:
        """Change an object as somebody else."""
        obj = next(o for o in self.of(kind) if o["metadata"]["name"] == name)
        self._store(obj, change)

    def remove(self, kind: str, name: str) -> None:
        """Delete an object; what it owns goes with it."""
        gone = next(o for o in self.of(kind) if o["metadata"]["name"] == name)
        del self.objects[self._id(gone)]
        for child in list(self.objects.values()):
            owners = child["metadata"].get("ownerReferences") or []
            if any(o["uid"] == gone["metadata"]["uid"] for o in owners):
                self.objects.pop(self._id(child), None)

    # the port

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest:
        self._call("get", kind, name)
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError:
            raise Gone(f"{kind} {name}") from None

    async def list(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Manifest]:
        self._call("list", kind, selector)
        wanted = dict(p.split("=") for p in selector.split(",")) if selector else {}
        return [
            copy.deepcopy(o)
            for o in self.of(kind)
            if (not namespace or o["metadata"]["namespace"] == namespace)
            and wanted.items() <= (o["metadata"].get("labels") or {}).items()
        ]

    async def apply(self, manifest: Manifest) -> Manifest:
        self._call("apply", manifest["kind"], manifest["metadata"]["name"], manifest)
        key, meta = self._id(manifest), manifest["metadata"]
        obj, version = self.objects.get(key), (meta.get("uid"), meta.get("resourceVersion"))
        if version != (_version(obj) if obj else (None, None)):
            raise Conflict(f"{version} is not {_version(obj) if obj else 'there'}")
        wanted = copy.deepcopy(manifest)
        wanted["metadata"] = {k: v for k, v in wanted["metadata"].items() if k not in ("uid", "resourceVersion")}
        if obj is None:
            made = copy.deepcopy(wanted)
            made["spec"] = {**copy.deepcopy(_DEFAULTS.get(manifest["kind"], {})), **made.get("spec", {})}
            self._applied[key] = wanted
            return self.create(made)
        before = self._applied.get(key, {})

        def change(o: Manifest) -> None:
            for part in [p for p in ("spec", "metadata", "data") if p in wanted]:
                o[part] = _merged(o.get(part, {}), wanted.get(part, {}), before.get(part, {}))

        self._store(obj, change)
        self._applied[key] = wanted
        return copy.deepcopy(obj)

    async def apply_status(self, manifest: Manifest) -> Manifest:
        meta = manifest["metadata"]
        self._call("status", manifest["kind"], meta["name"], manifest)
        obj = self.objects.get(self._id(manifest))
        if obj is None:
            raise Gone(meta["name"])
        for name in ("uid", "resourceVersion"):
            if name in meta and meta[name] != obj["metadata"][name]:
                raise Conflict(f"{name} {meta[name]} is not {obj['metadata'][name]}")
        self._store(obj, lambda o: o.__setitem__("status", copy.deepcopy(manifest["status"])))
        return copy.deepcopy(obj)

    async def serves(self, api_version: str, kind: str) -> bool:
        return kind in self.kinds

    async def delete(self, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        self._call("delete", manifest["kind"], name)
        obj = self.objects.get(self._id(manifest))
        if obj is not None and _version(obj) != _version(manifest):
            raise Conflict(f"{_version(manifest)} is not {_version(obj)}")
        if obj is not None:
            self.remove(manifest["kind"], name)

    def _call(self, verb: str, kind: str, name: str, body: Manifest | None = None) -> None:
        self.calls.append(Call(verb, kind, name, copy.deepcopy(body)))
        if self.meanwhile is not None and (verb, kind) == self.meanwhile[0]:
            meanwhile, self.meanwhile = self.meanwhile[1], None
            meanwhile()
        for failure in self._failures:
            if failure[:2] == (verb, kind):
                self._failures.remove(failure)
                raise failure[2]

    def _store(self, obj: Manifest, change: Callable[[Manifest], None]) -> None:
        before = copy.deepcopy(obj)
        change(obj)
        if obj == before:
            return
        if obj.get("spec") != before.get("spec"):
            obj["metadata"]["generation"] += 1
        obj["metadata"]["resourceVersion"] = str(next(self._numbers))

    @staticmethod
    def _id(obj: Manifest) -> tuple[str, str, str]:
        return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]


@dataclass(slots=True)
class FakeControllers:
    """Deployment controller, scheduler and kubelet; a pod loads in one `step` and stops in one."""

    cluster: FakeCluster
    broken: set[str] = field(default_factory=set)
    """Names of Deployments whose engines crash."""
    on_dead_nodes: set[str] = field(default_factory=set)
    """Names of pods that never stop."""
    peak_gpus: int = 0

    def step(self) -> None:
        """Pods that were stopping are gone, pods that were loading are ready, then replicas are created or stopped."""
        for pod in self.cluster.of("Pod"):
            if pod["metadata"].get("deletionTimestamp") and pod["metadata"]["name"] not in self.on_dead_nodes:
                self.cluster.remove("Pod", pod["metadata"]["name"])
        for pod in self.cluster.of("Pod"):
            self._bring_up(pod)
        owners = {d["metadata"]["uid"]: d for d in self.cluster.of("Deployment")}
        for pod in self.cluster.of("Pod"):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in owners:
                self._stop(pod)
        for deployment in owners.values():
            self._scale(deployment)
        self.peak_gpus = max(self.peak_gpus, sum(1 for p in self.cluster.of("Pod") if _placed(p)))

    def lose_node_of(self, pod: str) -> None:
        """Its node dies, and the pod is evicted: it is to stop, and nobody is there to stop it."""
        self.on_dead_nodes.add(pod)
        self._stop(next(p for p in self.cluster.of("Pod") if p["metadata"]["name"] == pod))

    def settle(self) -> None:
        """Until nothing moves."""
        for _ in range(4):
            self.step()

    def _mine(self, deployment: Manifest) -> list[Manifest]:
        uid = deployment["metadata"]["uid"]
        return [
            p
            for p in self.cluster.of("Pod")
            if p["metadata"]["ownerReferences"][0]["uid"] == uid and not p["metadata"].get("deletionTimestamp")
        ]

    def _scale(self, deployment: Manifest) -> None:
        pods, wanted = self._mine(deployment), deployment["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            self._create(deployment)
        # Like the ReplicaSet controller: pods that are not ready go first.
        for pod in sorted(pods, key=_ready)[: max(0, len(pods) - wanted)]:
            self._stop(pod)

    def _create(self, deployment: Manifest) -> None:
        template = deployment["spec"]["template"]["metadata"]
        number = next(self.cluster._numbers)
        used = sum(1 for p in self.cluster.of("Pod") if _placed(p))
        placed = used < self.cluster.gpus
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{deployment['metadata']['name']}-{number}",
                    "namespace": deployment["metadata"]["namespace"],
                    "labels": {**template["labels"], "pod-template-hash": _HASH},
                    "ownerReferences": [_replica_set(deployment)],
                },
                "spec": {},
                "status": {
                    "phase": "Pending",
                    "podIP": f"10.1.0.{number % 250}" if placed else "",
                    "startTime": format_time(self.cluster.now().replace(microsecond=0)),
                    "conditions": [
                        {"type": "PodScheduled", "status": "True"}
                        if placed
                        else {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
                        }
                    ],
                },
            }
        )

    def _bring_up(self, pod: Manifest) -> None:
        if pod["metadata"].get("deletionTimestamp") or _ready(pod):
            return
        name = pod["metadata"]["name"]
        if not _placed(pod):
            used = sum(1 for p in self.cluster.of("Pod") if _placed(p))
            if used < self.cluster.gpus:
                self.cluster.edit("Pod", name, _place)
            return
        moment = format_time(self.cluster.now().replace(microsecond=0))
        if any(name.startswith(f"{b}-") for b in self.broken):
            self.cluster.edit("Pod", name, _crash)
        else:
            self.cluster.edit("Pod", name, lambda p: _serve(p, moment))

    def _stop(self, pod: Manifest) -> None:
        moment = format_time((self.cluster.now() + timedelta(seconds=30)).replace(microsecond=0))
        self.cluster.edit(
            "Pod", pod["metadata"]["name"], lambda p: p["metadata"].__setitem__("deletionTimestamp", moment)
        )


def _version(obj: Manifest) -> tuple[str, str]:
    return obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]


def _replica_set(deployment: Manifest) -> Manifest:
    """The controller of a pod. ReplicaSets are left out here: its uid is that of the Deployment."""
    meta = deployment["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{meta['name']}-{_HASH}",
        "uid": meta["uid"],
        "controller": True,
    }


def _placed(pod: Manifest) -> bool:
    return any(c["type"] == "PodScheduled" and c["status"] == "True" for c in pod["status"]["conditions"])


def _ready(pod: Manifest) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


def _place(pod: Manifest) -> None:
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
    pod["status"]["podIP"] = "10.1.0.251"


def _serve(pod: Manifest, moment: str) -> None:
    pod["status"]["phase"] = "Running"
    pod["status"]["conditions"].append({"type": "Ready", "status": "True", "lastTransitionTime": moment})
    pod["status"]["containerStatuses"] = [
        {"name": "engine", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": moment}}}
    ]


def _crash(pod: Manifest) -> None:
    pod["status"]["containerStatuses"] = [
        {
            "name": "engine",
            "ready": False,
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "Completed", "exitCode": 0, "message": "engine died"}},
        }
    ]


def _merged(live: Any, wanted: Any, before: Any) -> Any:
    """Server-side apply for maps: wanted wins, what was ours and is no longer wanted goes, the rest stays."""
    if not isinstance(live, dict) or not isinstance(wanted, dict):
        return copy.deepcopy(wanted)
    before = before if isinstance(before, dict) else {}
    kept = {k: v for k, v in live.items() if k in wanted or k not in before}
    return {**kept, **{k: _merged(live.get(k), v, before.get(k)) for k, v in wanted.items()}}

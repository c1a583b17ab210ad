"""The pod around the engine as `podTemplate` and `hardware`: what the original says, without what defaults say."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from breakeven.adopt.notes import Note
from breakeven.adopt.workload import Manifest, Workload, texts
from breakeven.api.names import MANAGED_LABELS
from breakeven.planning.gpus import LABELS, known_gpus
from breakeven.render.names import CONTAINER
from breakeven.render.pod_fields import REMOVE

DEFAULTS: Mapping[str, Any] = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": True,
    "nodeSelector": {},
    "serviceAccountName": "default",
    "serviceAccount": "default",
    "runtimeClassName": "",
    "priorityClassName": "",
    "hostNetwork": False,
    "hostPID": False,
    "hostIPC": False,
}
_ELSEWHERE = frozenset({"containers", "initContainers", "volumes", "nodeSelector", "tolerations"})
OF_CONTROLLERS = ("pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/", "apps.kubernetes.io/")
_NOT_KEPT = ("kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/restartedAt")
_OUR_VOLUME = "cache"
_OUR_SHM = "shm"


def pod_of(workload: Workload, container: Manifest, *, as_root: bool) -> tuple[Manifest, Manifest, list[Note]]:
    """`podTemplate`, fields of `hardware`, and what could not be kept; `container` is the engine's override."""
    notes: list[Note] = []
    spec = workload.template.get("spec") or {}
    kept: Manifest = {
        key: deepcopy(value)
        for key, value in spec.items()
        if key not in _ELSEWHERE and value is not None and value != DEFAULTS.get(key)
    }
    if kept.get("serviceAccount") == kept.get("serviceAccountName"):
        kept.pop("serviceAccount", None)
    if as_root and "securityContext" not in kept:
        kept["securityContext"] = dict(REMOVE)
    others = [deepcopy(c) for c in spec.get("containers") or [] if c is not workload.engine]
    inits = [deepcopy(c) for c in spec.get("initContainers") or []]
    everyone = [container, *others, *inits]
    _rename_volume(spec.get("volumes") or [], everyone, kept)
    _shared_memory(container, kept)
    for other in (*others, *inits):
        if other.get("name") == CONTAINER:
            other["name"] = f"{CONTAINER}-0"
            notes.append(Note(f"container {CONTAINER}", f"is called {CONTAINER}-0 now: the engine has that name here"))
    kept["containers"] = [c for c in (container, *others) if c.keys() - {"name"}]
    if not kept["containers"]:
        del kept["containers"]
    if inits:
        kept["initContainers"] = inits
    if tolerations := [t for t in spec.get("tolerations") or [] if t]:
        kept["tolerations"] = tolerations
    hardware = _hardware(spec, notes)
    template: Manifest = {}
    if about := _metadata(workload, notes):
        template["metadata"] = about
    if kept:
        template["spec"] = kept
    return template, hardware, notes


def _metadata(workload: Workload, notes: list[Note]) -> Manifest:
    metadata = workload.template.get("metadata") or {}
    labels = {k: v for k, v in texts(metadata.get("labels")).items() if not k.startswith(OF_CONTROLLERS)}
    for key in sorted(MANAGED_LABELS & labels.keys()):
        message = f"{labels.pop(key)!r} is not kept, since it is managed: a Service must not select by it"
        notes.append(Note(f"label {key}", message))
    annotations = {k: v for k, v in texts(metadata.get("annotations")).items() if k not in _NOT_KEPT}
    return {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}


def _hardware(spec: Mapping[str, Any], notes: list[Note]) -> Manifest:
    """Where pods land stays as it is: no nodes are chosen that the original did not choose."""
    selector = texts(spec.get("nodeSelector"))
    products = {selector[label] for label in LABELS.values() if label in selector}
    products |= set(_products(((spec.get("affinity") or {}).get("nodeAffinity")) or {}))
    names = sorted({gpu.name for gpu in known_gpus() if products & set(gpu.products)})
    if not names:
        notes.append(
            Note(
                "hardware.accelerators",
                "no node label tells the GPU model: name it, since plans are made for H100 and H200",
            )
        )
    return {"nodeSelector": selector} | ({"accelerators": names} if names else {})


def _products(affinity: Mapping[str, Any]) -> Iterable[str]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for expression in (term or {}).get("matchExpressions") or []:
            if expression.get("key") in LABELS.values() and expression.get("operator") == "In":
                yield from map(str, expression.get("values") or [])


def _rename_volume(volumes: list[Manifest], containers: list[Manifest], kept: Manifest) -> None:
    """A volume of the name of ours would take its place under our mount too."""
    found = [deepcopy(v) for v in volumes]
    renamed = f"{_OUR_VOLUME}-0"
    for volume in found:
        if volume.get("name") == _OUR_VOLUME:
            volume["name"] = renamed
            for container in containers:
                for mount in container.get("volumeMounts") or []:
                    if mount.get("name") == _OUR_VOLUME:
                        mount["name"] = renamed
    if found:
        kept["volumes"] = found


def _shared_memory(container: Manifest, kept: Manifest) -> None:
    """Where the original brings its own /dev/shm, ours is not made beside it."""
    mounts = container.get("volumeMounts") or []
    theirs = next((m["name"] for m in mounts if m.get("mountPath") == "/dev/shm"), None)
    if theirs is not None and theirs != _OUR_SHM:
        kept.setdefault("volumes", []).append({"name": _OUR_SHM, **REMOVE})

"""The engine's container as an override of the rendered one: what the original says, without what only defaults say."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from breakeven.adopt.notes import Note
from breakeven.adopt.workload import Manifest
from breakeven.planning.gpus import AMD, NVIDIA
from breakeven.render.names import CONTAINER
from breakeven.render.pod_fields import REMOVE

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HANDLERS = ("httpGet", "exec", "tcpSocket", "grpc", "sleep")
_ELSEWHERE = frozenset({"name", "image", "command", "args", "env", "ports", "resources", "volumeMounts", *_PROBES})
"""Fields of a container that are fields of the resource, or taken apart here."""
_DEFAULTS: Mapping[str, Any] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
    "securityContext": {},
    "resources": {},
    "stdin": False,
    "tty": False,
}
"""What the API server fills in: kept where it says something else."""
_PROBE_DEFAULTS = {"successThreshold": 1, "timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
ROOT_CACHES = {
    "/root/.cache/huggingface": "/cache/huggingface",
    "/root/.cache/vllm": "/cache/vllm",
    "/root/.cache": "/cache",
}
"""Folders of root's, which the user of our pods may not enter, and where the same is looked for."""


def container_of(engine: Manifest, port: int, *, as_root: bool) -> tuple[Manifest, Manifest, list[Note]]:
    """The override of the container, the fields of `engine` and `hardware` that it sets, and what could not be kept."""
    notes: list[Note] = []
    override: Manifest = {
        key: deepcopy(value)
        for key, value in engine.items()
        if key not in _ELSEWHERE and value is not None and value != _DEFAULTS.get(key)
    }
    if as_root and "securityContext" not in override:
        override["securityContext"] = REMOVE
    if "lifecycle" in override:
        hook = override["lifecycle"].get("preStop")
        if isinstance(hook, dict):
            override["lifecycle"]["preStop"] = _handler(hook, "sleep")
    fields, names = _ports(engine, port, override)
    for kind in _PROBES:
        if isinstance(engine.get(kind), Mapping):
            override[kind] = _probe(engine[kind], names, port)
    hardware = _resources(engine.get("resources") or {}, override, notes)
    if mounts := [_mount(m, notes, as_root=as_root) for m in engine.get("volumeMounts") or []]:
        override["volumeMounts"] = mounts
    return {"name": CONTAINER, **override}, {"engine": fields, "hardware": hardware}, notes


def startup_seconds(engine: Manifest) -> int:
    """How long the original gives an engine to load; 0 where it does not say."""
    probe = engine.get("startupProbe") or engine.get("readinessProbe") or {}
    if not isinstance(probe, Mapping) or not engine.get("startupProbe"):
        return int(probe.get("initialDelaySeconds") or 0) if isinstance(probe, Mapping) else 0
    period, failures = int(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
    return int(probe.get("initialDelaySeconds") or 0) + period * failures


def _ports(engine: Manifest, port: int, override: Manifest) -> tuple[Manifest, set[str]]:
    """The name of the engine's own port, and the other ports as they are."""
    ours: Manifest = {}
    names: set[str] = set()
    others = []
    for item in engine.get("ports") or []:
        if not isinstance(item, Mapping):
            continue
        if item.get("containerPort") == port:
            if item.get("name"):
                names.add(str(item["name"]))
                if item["name"] != "http":
                    ours["portName"] = item["name"]
            continue
        others.append({k: v for k, v in item.items() if (k, v) != ("protocol", "TCP")})
    if others:
        override["ports"] = others
    return ours, names


def _probe(probe: Mapping[str, Any], names: set[str], port: int) -> Manifest:
    kept = {k: deepcopy(v) for k, v in probe.items() if v is not None and v != _PROBE_DEFAULTS.get(k)}
    kept |= {k: v for k, v in probe.items() if k in _PROBE_DEFAULTS}  # ours are others than the API server's
    request = kept.get("httpGet")
    if isinstance(request, dict):
        if request.get("scheme") == "HTTP":
            request.pop("scheme")
        if str(request.get("port")) == str(port) or request.get("port") in names:
            request.pop("port", None)  # the rendered one, by its name
    return _handler(kept, "httpGet")


def _handler(kept: Manifest, rendered: str) -> Manifest:
    """With the rendered handler taken away where another one is asked for: two in one are refused."""
    other = any(kind in kept for kind in _HANDLERS if kind != rendered)
    return {**kept, rendered: dict(REMOVE)} if other and rendered not in kept else kept


def _resources(resources: Mapping[str, Any], override: Manifest, notes: list[Note]) -> Manifest:
    """GPUs as fields of `hardware`; everything else as an override."""
    limits, requests = (dict(resources.get(part) or {}) for part in ("limits", "requests"))
    gpus = {k: v for k, v in (limits or requests).items() if _is_gpu(k)}
    rest = {
        part: {k: v for k, v in amounts.items() if k not in gpus}
        for part, amounts in (("limits", limits), ("requests", requests))
    }
    kept: Manifest = {part: amounts for part, amounts in rest.items() if amounts}
    if resources.get("claims"):
        kept["claims"] = resources["claims"]
    if kept:
        override["resources"] = kept
    if len(gpus) > 1:
        notes.append(Note("resources", f"{', '.join(gpus)}: a replica asks for one kind of GPU; the first is kept"))
    if not gpus:
        if not resources.get("claims"):
            notes.append(Note("resources", "no GPU is asked for, and replicas here ask for one: look at spec.hardware"))
        return {}
    name, count = next(iter(gpus.items()))
    hardware: Manifest = {} if name in (NVIDIA,) else {"resource": name}
    if str(count).isdigit() and int(count) > 1:
        hardware["gpusPerReplica"] = int(count)
    return hardware


def _is_gpu(name: str) -> bool:
    return name in (NVIDIA, AMD) or ("/" in name and re.search(r"gpu|mig-|gaudi|i915|\bxe\b|tpu", name) is not None)


def _mount(mount: Manifest, notes: list[Note], *, as_root: bool) -> Manifest:
    path = str(mount.get("mountPath", "")).rstrip("/") or "/"
    kept = {k: deepcopy(v) for k, v in mount.items() if v is not None}
    kept["mountPath"] = path
    if as_root or not path.startswith("/root"):
        return kept
    if path in ROOT_CACHES:
        kept["mountPath"] = ROOT_CACHES[path]
        message = (
            f"mounted at {ROOT_CACHES[path]}, since pods run as user 2000, who may not enter /root: its files have "
            "to be readable by group 2000; or adopt with --as-root"
        )
    else:
        message = (
            "is kept, but pods run as user 2000, who may not enter /root: mount it elsewhere, or adopt with --as-root"
        )
    notes.append(Note(f"volumeMounts {path}", message))
    return kept

"""The objects of warm replicas: pods that hold two variants, one awake (docs/adr/0021-warm-replica.md)."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from breakeven.api.names import SWITCHING, WARM
from breakeven.api.serving import DEFAULT_PORT
from breakeven.api.variant import Variant
from breakeven.engines import Refusal
from breakeven.render.arguments import COMMAND, engine_env, serve_arguments
from breakeven.render.lifetime import LAST_WORDS_S
from breakeven.render.merge import merged
from breakeven.render.names import (
    Manifest,
    Owner,
    deployment_name,
    labels,
    metadata,
    variant_labels,
    variant_selector,
)
from breakeven.render.probes import probes
from breakeven.render.request import Request, read
from breakeven.render.warm_programs import FOLDER, PROGRAM, programs_map, programs_volume
from breakeven.render.warm_refusals import cannot_be_warm
from breakeven.render.workload import deployment_of, own_template

PROXY = "proxy"
"""Name of the sidecar."""
WARM_PORT = 8001
"""The supervisor's own port: state, and orders with the token."""
WARM_PORT_NAME = "warm"
CONTROL = "/run/breakeven"
"""Folder of the proxy's socket, shared by both containers."""
SLOTS = "/etc/breakeven"
"""Folder of slots.json."""
PROXY_IMAGE = "haproxy:2.6"
"""The release line that the tests run (2.6.12); it needs Lua, which the official image has."""
LEFT_BEHIND = 1331 << 20
"""Bytes that a sleeping engine keeps on a GPU: 982 MiB plain and 1,236 MiB with EAGLE-3 were measured (8B, 0.26.0)."""
_SHARE = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmSettings:
    """What the caller decides or knows of a warm replica."""

    token_sha256: str
    """SHA-256, in hexadecimal digits, of the token that opens the switch."""
    host_memory_bytes: int
    """Memory request of the engine container: the weights of both variants and what two servers need beside them."""
    gpu_memory_bytes: int
    """Of one GPU; for the share that is left to an engine beside one that sleeps."""
    left_behind_bytes: int = LEFT_BEHIND
    """What a sleeping engine keeps of one GPU."""
    drain_timeout: timedelta = timedelta(minutes=2)
    """Requests in flight may take so long before a switch."""
    abort_on_drain_timeout: bool = False
    """Cut off what still runs then; else the switch is given up."""
    proxy_image: str = PROXY_IMAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmObjects:
    """Manifests, or why there are none."""

    deployment: Manifest | None = None
    programs: Manifest | None = None
    """Immutable ConfigMap of the supervisor and of the proxy's configuration."""
    slots: Manifest | None = None
    """ConfigMap with slots.json."""
    revision: str = ""
    """Of slots.json, as `/state` of a pod answers it."""
    refusals: tuple[Refusal, ...] = ()

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """In the order to apply: the pods mount the maps."""
        return tuple(made for made in (self.programs, self.slots, self.deployment) if made is not None)


def warm_name(owner: Owner, baseline: Variant) -> str:
    """Name of the Deployment of warm replicas."""
    return f"{deployment_name(owner, baseline)}-{WARM.lower()}"


def warm_objects(owner: Owner, held: Sequence[Variant], *, replicas: int, settings: WarmSettings) -> WarmObjects:
    """Replicas that hold one or two variants of the same baseline; a pod that starts wakes the first.

    Never raises: what cannot be warm is in `refusals`. The Deployment depends on the baseline alone: another candidate,
    another first variant and another token change slots.json and move no pod.
    """
    refused = cannot_be_warm(held, host_memory_bytes=settings.host_memory_bytes)
    if refused:
        return WarmObjects(refusals=refused)
    baseline = held[0].baseline
    name = warm_name(owner, baseline)
    programs = programs_map(owner, name)
    slots = _slots(held, settings)
    about = metadata(owner, name, variant_labels(owner, baseline) | {SWITCHING: WARM})
    template = merged(
        _template(owner, _request(baseline), settings, programs=programs["metadata"]["name"], slots=f"{name}-slots"),
        baseline.pod_template,
    )
    deployment = deployment_of(
        about,
        template,
        selector=variant_selector(owner, baseline) | {SWITCHING: WARM},
        replicas=replicas,
        startup=2 * baseline.engine.startup_timeout,
    )
    slots_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, f"{name}-slots", labels(owner)),
        "data": {"slots.json": json.dumps(slots, indent=1, sort_keys=True) + "\n"},
    }
    return WarmObjects(deployment=deployment, programs=programs, slots=slots_map, revision=slots["revision"])


def _slots(held: Sequence[Variant], settings: WarmSettings) -> Manifest:
    first = held[0]
    content = {
        "first": first.name,
        "model": first.target.served_name or first.target.model,
        "startupTimeout": first.engine.startup_timeout.total_seconds(),
        "drainTimeout": settings.drain_timeout.total_seconds(),
        "onDrainTimeout": "Abort" if settings.abort_on_drain_timeout else "Wait",
        "loadBeside": False,
        "tokenSha256": settings.token_sha256,
        "variants": [_engine(variant, settings) for variant in held],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {"revision": digest[:10], **content}


def _engine(variant: Variant, settings: WarmSettings) -> Manifest:
    """One engine: today's arguments, a little less memory, and sleep mode. Address and port are the supervisor's."""
    share = variant.target.gpu_memory_utilization or _request(variant).engine.gpu_memory_utilization
    left = share - Decimal(settings.left_behind_bytes) / Decimal(settings.gpu_memory_bytes)
    lowered = left.quantize(_SHARE, rounding=ROUND_FLOOR)
    target = variant.target.model_copy(update={"gpu_memory_utilization": lowered})
    request = _request(variant.model_copy(update={"target": target}))
    arguments = [a for a in serve_arguments(request) if not a.startswith("--port=")]
    return {
        "variant": variant.name,
        "speculates": variant.speculates,
        "argv": [*COMMAND, *arguments, "--enable-sleep-mode"],
        "env": engine_env(request),
    }


def _request(variant: Variant) -> Request:
    request = read(variant)
    assert isinstance(request, Request)  # else `cannot_be_warm` had said so
    return request


def _template(owner: Owner, request: Request, settings: WarmSettings, *, programs: str, slots: str) -> Manifest:
    """The plain pod of the baseline, with the supervisor in the engine's place and the proxy beside it."""
    template = own_template(owner, request)
    template["metadata"]["labels"][SWITCHING] = WARM
    spec = template["spec"]
    spec["containers"] = [_supervisor(spec["containers"][0], request, settings)]
    spec["initContainers"] = [_proxy(settings.proxy_image)]
    spec["volumes"] += [
        {"name": "control", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        programs_volume(programs),
        {"name": "slots", "configMap": {"name": slots}},
    ]
    return template


_MOUNTS: list[dict[str, Any]] = [
    {"name": "control", "mountPath": CONTROL},
    {"name": "programs", "mountPath": FOLDER, "readOnly": True},
]


def _supervisor(plain: Manifest, request: Request, settings: WarmSettings) -> Manifest:
    engine = request.variant.engine
    health = probes(2 * engine.startup_timeout, WARM_PORT_NAME)
    grace = math.ceil(engine.shutdown_timeout.total_seconds()) + LAST_WORDS_S - 5
    resources = plain["resources"]
    requests = {**resources.get("requests", {}), "memory": str(settings.host_memory_bytes)}
    port = {"port": WARM_PORT_NAME}
    return {
        **plain,
        "command": ["python3", "-m", "warm"],
        "args": [f"--slots={SLOTS}/slots.json", f"--proxy={CONTROL}/proxy.sock", f"--grace={grace}"],
        "workingDir": FOLDER,
        # Port 8000 is the proxy's; it is named here because older clusters find a Service's port among containers only.
        "ports": [*plain["ports"], {"name": WARM_PORT_NAME, "containerPort": WARM_PORT}],
        "resources": {**resources, "requests": requests},
        "startupProbe": {**health.startup, "httpGet": {"path": "/health", **port}},
        "readinessProbe": {**health.readiness, "httpGet": {"path": "/health", **port}},
        "livenessProbe": {**health.liveness, "httpGet": {"path": "/live", **port}},
        "volumeMounts": [
            *plain["volumeMounts"],
            *_MOUNTS,
            {"name": "slots", "mountPath": SLOTS, "readOnly": True},
        ],
    }


def _proxy(image: str) -> Manifest:
    port = {"port": DEFAULT_PORT}
    return {
        "name": PROXY,
        "image": image,
        "restartPolicy": "Always",
        "command": ["haproxy", "-db", "-f", f"{PROGRAM}/haproxy.cfg"],
        "env": [
            {"name": "BREAKEVEN_CONTROL", "value": CONTROL},
            {"name": "BREAKEVEN_PROGRAM", "value": PROGRAM},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": DEFAULT_PORT},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
        },
        "livenessProbe": {"tcpSocket": port, "periodSeconds": 10, "timeoutSeconds": 5},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [dict(mount) for mount in _MOUNTS],
    }

"""The Deployment of one variant. Its pod template never changes for a given variant; only `replicas` does."""

from datetime import timedelta
from typing import Any

from breakeven.api.names import ROLE
from breakeven.api.status import Role
from breakeven.render.arguments import COMMAND, engine_env, serve_arguments
from breakeven.render.lifetime import grace_s, pre_stop_s, progress_deadline_s
from breakeven.render.merge import merged
from breakeven.render.names import (
    CONTAINER,
    Manifest,
    Owner,
    deployment_name,
    metadata,
    variant_labels,
    variant_selector,
)
from breakeven.render.placement import gpu_resources, placement
from breakeven.render.probes import probes
from breakeven.render.request import Request

USER_ID = 2000
"""The user `vllm` of current images."""
CACHE = "/cache"
"""Writable folder of a pod: home, model files, compiled kernels. Persist it through podTemplate to load faster."""
SHARED_MEMORY = "16Gi"
"""Most that /dev/shm may take; it counts against a memory limit when one is set."""
MIN_READY_S = 5
"""A ready engine may die on its first request, so ready is not yet available."""


def deployment(owner: Owner, request: Request, *, role: Role, replicas: int) -> Manifest:
    """The Deployment of a variant that `check` did not refuse."""
    variant = request.variant
    about = metadata(owner, deployment_name(owner, variant), variant_labels(owner, variant))
    about["annotations"] = {ROLE: role.value}
    return deployment_of(
        about,
        pod_template(owner, request),
        selector=variant_selector(owner, variant),
        replicas=replicas,
        startup=variant.engine.startup_timeout,
    )


def deployment_of(
    about: Manifest, template: Manifest, *, selector: dict[str, str], replicas: int, startup: timedelta
) -> Manifest:
    """A Deployment whose pods take that long to start."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "minReadySeconds": MIN_READY_S,
            "progressDeadlineSeconds": progress_deadline_s(startup) + MIN_READY_S,
            "selector": {"matchLabels": selector},
            # A surge would wait for a GPU that is not there, for ever.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": template,
        },
    }


def pod_template(owner: Owner, request: Request) -> Manifest:
    """The pod template, overrides of `podTemplate` included."""
    return merged(own_template(owner, request), request.variant.pod_template)


def own_template(owner: Owner, request: Request) -> Manifest:
    """The pod template as we write it."""
    variant = request.variant
    return {
        "metadata": {
            "labels": dict(sorted(variant_labels(owner, variant).items())),
            "annotations": {
                "kubectl.kubernetes.io/default-container": CONTAINER,
                "prometheus.io/path": "/metrics",
                "prometheus.io/port": str(variant.engine.port),
                "prometheus.io/scrape": "true",
            },
        },
        "spec": {
            **placement(variant.hardware),
            "automountServiceAccountToken": False,
            "containers": [_container(request)],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER_ID,
                "runAsGroup": USER_ID,
                "fsGroup": USER_ID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": grace_s(variant.engine.shutdown_timeout),
            "volumes": [
                {"name": "cache", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": SHARED_MEMORY}},
            ],
        },
    }


def _container(request: Request) -> Manifest:
    engine = request.variant.engine
    health = probes(engine.startup_timeout, engine.port_name)
    return {
        "name": CONTAINER,
        "image": engine.image,
        "command": list(COMMAND),
        "args": serve_arguments(request),
        "env": _env(request),
        "ports": [{"name": engine.port_name, "containerPort": engine.port}],
        "resources": gpu_resources(request.variant.hardware, request.variant.pod_template),
        "startupProbe": health.startup,
        "readinessProbe": health.readiness,
        "livenessProbe": health.liveness,
        # What an engine said last stands in the pod's status, and so in our conditions.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": {"preStop": {"sleep": {"seconds": _sleep(engine.shutdown_timeout, request)}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "cache", "mountPath": CACHE}, {"name": "shm", "mountPath": "/dev/shm"}],
    }


def _env(request: Request) -> list[dict[str, Any]]:
    # USER keeps getpass from looking up an id that the image does not know.
    ours = {
        "HOME": CACHE,
        "USER": "vllm",
        "HF_HOME": f"{CACHE}/huggingface",
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "VLLM_NO_USAGE_STATS": "1",
        **engine_env(request),
    }
    theirs = request.variant.engine.env
    named = {item.get("name") for item in theirs}
    return [{"name": k, "value": v} for k, v in ours.items() if k not in named] + [dict(item) for item in theirs]


def _sleep(shutdown_timeout: timedelta, request: Request) -> int:
    return pre_stop_s(shutdown_timeout, drains=request.engine.drains)

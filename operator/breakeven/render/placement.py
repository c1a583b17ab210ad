"""Where pods of an engine may land: nodes by GPU product, tolerations, GPUs."""

from collections.abc import Mapping
from typing import Any

from breakeven.api.spec import HardwareSpec
from breakeven.planning.gpus import AMD, LABELS, NVIDIA, accelerators, vendors
from breakeven.render.names import CONTAINER, Manifest

_CLAIM = "gpus"
"""Name of the resource claim inside the pod."""


def resource_of(hardware: HardwareSpec) -> str:
    """The extended resource that GPUs are asked for by."""
    return hardware.resource or (AMD if vendors(hardware) == {AMD} else NVIDIA)


def placement(hardware: HardwareSpec) -> Manifest:
    """Scheduling fields of a pod: node selector or affinity by GPU product, the GPU toleration, the claim."""
    key = AMD if vendors(hardware) == {AMD} else NVIDIA
    tolerations = [{"key": key, "operator": "Exists", "effect": "NoSchedule"}]
    resource = resource_of(hardware)
    if resource.partition("/")[0] != key.partition("/")[0]:
        tolerations.append({"key": resource, "operator": "Exists", "effect": "NoSchedule"})
    fields: Manifest = {"tolerations": tolerations}
    if hardware.resource_claim_template is not None:
        fields["resourceClaims"] = [{"name": _CLAIM, "resourceClaimTemplateName": hardware.resource_claim_template}]
    if hardware.node_selector is not None:
        return {"nodeSelector": dict(sorted(hardware.node_selector.items())), **fields}
    # In the order of the catalog and not of the resource: the order of two names is no other pod.
    by_name = {gpu.name: gpu.products for gpu in accelerators(hardware)}
    products = [product for name in sorted(by_name) for product in by_name[name]]
    term = {"matchExpressions": [{"key": LABELS[key], "operator": "In", "values": products}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}, **fields}


def gpu_resources(hardware: HardwareSpec, overrides: Mapping[str, Any] | None) -> Manifest:
    """Resources of the engine container; Kubernetes wants limit and request equal.

    A claim, or another GPU resource that `podTemplate` asks for, takes the place of whole GPUs and does
    not add to them.
    """
    if hardware.resource_claim_template is not None:
        return {"claims": [{"name": _CLAIM}]}
    if brings_gpus(overrides):
        return {}
    count = {resource_of(hardware): str(hardware.gpus_per_replica)}
    return {"limits": count, "requests": dict(count)}


def brings_gpus(overrides: Mapping[str, Any] | None) -> bool:
    """Whether `podTemplate` gives the engine container GPUs of its own: a claim, MIG devices, another vendor's."""
    spec = (overrides or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    for container in containers if isinstance(containers, list) else []:
        if isinstance(container, Mapping) and container.get("name") == CONTAINER:
            resources = container.get("resources")
            if isinstance(resources, Mapping) and (resources.get("claims") or _asks_for_gpus(resources)):
                return True
    return False


def _asks_for_gpus(resources: Mapping[str, Any]) -> bool:
    parts = [resources.get(name) for name in ("limits", "requests")]
    return any(_is_gpu(str(name)) for part in parts if isinstance(part, Mapping) for name in part)


def _is_gpu(name: str) -> bool:
    """Whether an extended resource is a GPU or a part of one: `nvidia.com/mig-…`, `amd.com/gpu` …"""
    return "/" in name and ("gpu" in name or name.startswith("nvidia.com/mig-"))

"""Where pods of an engine may land: nodes by GPU product, tolerations, GPUs."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from breakeven.api.spec import Accelerator, HardwareSpec
from breakeven.render.names import Manifest

GPU = "nvidia.com/gpu"
PRODUCT_LABEL = "nvidia.com/gpu.product"
"""Node label of NVIDIA's GPU feature discovery."""
PRODUCTS: Mapping[Accelerator, Sequence[str]] = MappingProxyType(
    {
        Accelerator.H100: ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-NVL", "NVIDIA-H100-PCIe"),
        Accelerator.H200: ("NVIDIA-H200", "NVIDIA-H200-NVL"),
    }
)
"""One accelerator is several values of that label."""


def placement(hardware: HardwareSpec) -> Manifest:
    """Scheduling fields of a pod: the declared node selector, or affinity by GPU product; and the GPU toleration."""
    tolerations = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    if hardware.node_selector is not None:
        return {"nodeSelector": dict(sorted(hardware.node_selector.items())), "tolerations": tolerations}
    products = [p for a in Accelerator if a in hardware.accelerators for p in PRODUCTS[a]]
    term = {"matchExpressions": [{"key": PRODUCT_LABEL, "operator": "In", "values": products}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}, "tolerations": tolerations}


def gpu_resources(count: int) -> Manifest:
    """Resources of a container with that many GPUs; Kubernetes wants limit and request equal."""
    return {"limits": {GPU: str(count)}, "requests": {GPU: str(count)}}

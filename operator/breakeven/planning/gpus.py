"""GPU models that a replica may land on: what the catalog, the resource and a MIG profile say of each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import yaml

from breakeven.api.spec import GpuFacts, HardwareSpec
from breakeven.planning import catalog

NVIDIA, AMD = "nvidia.com/gpu", "amd.com/gpu"
"""Extended resources of the two device plugins."""
LABELS = {NVIDIA: "nvidia.com/gpu.product", AMD: "amd.com/gpu.product-name"}
"""Node labels of the two discoveries."""
MEASURED = frozenset({"H100", "H200"})
"""GPU models whose step times were measured here."""
PER_NODE = 8
"""GPUs of one machine where nothing says otherwise."""

_MIG = re.compile(r"^nvidia\.com/mig-(\d)g\.(\d+)gb")
_MIG_SLICES = 8
_MIG_ENGINES = 7
"""A GPU that is cut up has eight slices of memory and seven of arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU of a replica, or the part of one that a MIG profile gives. None is unknown."""

    name: str
    memory_gib: float | None
    """What the driver reports, not the marketing figure."""
    bandwidth: float | None
    """Bytes a second."""
    flops16: float | None
    flops8: float | None
    """None also where it has no 8-bit arithmetic."""
    products: tuple[str, ...]
    """Values of the node label that names it; empty when not known."""
    vendor: str = NVIDIA
    per_node: int = PER_NODE
    marketed_gb: float | None = None
    """Memory in its name, which MIG profiles are named by."""

    @property
    def measured(self) -> bool:
        """Whether step times were measured on this model."""
        return self.name in MEASURED

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not known of it, with the field to set."""
        facts = {
            "memoryGiB": ("memory", self.memory_gib),
            "bandwidthGBps": ("memory bandwidth", self.bandwidth),
            "tflops": ("16-bit arithmetic", self.flops16),
        }
        return tuple(
            f"{words} of {self.name}: set hardware.gpuFacts[{self.name}].{field}"
            for field, (words, value) in facts.items()
            if value is None
        )


@cache
def _catalog() -> dict[str, tuple[Gpu, ...]]:
    """GPU models by name in lower case without punctuation; a family stands for all of its members."""
    text = resources.files(__package__).joinpath("data", "gpus.yaml").read_text(encoding="utf-8")
    framework = {name: gpu.memory_gib for name, gpu in catalog.gpus().items()}
    marketed = {"H100": 80.0, "H200": 141.0}
    found: dict[str, tuple[Gpu, ...]] = {}
    for entry in yaml.safe_load(text):
        if "products" not in entry:
            continue
        name = entry.get("id", entry["name"])
        gpu = Gpu(
            name=name,
            memory_gib=framework.get(name, entry.get("memory")),
            bandwidth=entry["bandwidth"],
            flops16=entry["flops16"],
            flops8=entry.get("flops8"),
            products=tuple(entry["products"]),
            vendor=AMD if name.startswith("MI") else NVIDIA,
            per_node=entry["per_node"],
            marketed_gb=marketed.get(name, entry.get("gb")),
        )
        for key in {name, entry.get("family", name)}:
            found[_plain(key)] = (*found.get(_plain(key), ()), gpu)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def known_gpus() -> tuple[Gpu, ...]:
    """GPU models of the catalog, by name."""
    every = {gpu.name: gpu for members in _catalog().values() for gpu in members}
    return tuple(every[name] for name in sorted(every))


def known_names() -> tuple[str, ...]:
    """Names of the catalog, families left out."""
    return tuple(gpu.name for gpu in known_gpus())


def accelerators(hardware: HardwareSpec, *, mig: str | None = None) -> tuple[Gpu, ...]:
    """Every GPU model that a replica may land on, once, in the order of the resource.

    `mig` is a MIG resource that the pod template asks for; absent, the one of the resource counts.
    """
    declared = {_plain(facts.name): facts for facts in hardware.gpu_facts}
    found: dict[str, Gpu] = {}
    for name in hardware.accelerators:
        for gpu in _catalog().get(_plain(name), (_unknown(name),)):
            facts = declared.get(_plain(gpu.name)) or declared.get(_plain(name))
            found.setdefault(gpu.name, _cut(_declared(gpu, facts), mig or hardware.resource))
    return tuple(found.values())


def _unknown(name: str) -> Gpu:
    vendor = AMD if re.match(r"mi\d", name.lower()) else NVIDIA
    return Gpu(name=name, memory_gib=None, bandwidth=None, flops16=None, flops8=None, products=(), vendor=vendor)


def _declared(gpu: Gpu, facts: GpuFacts | None) -> Gpu:
    if facts is None:
        return gpu

    def number(value: Decimal | None, unit: float, known: float | None) -> float | None:
        return known if value is None else float(value) * unit

    return replace(
        gpu,
        memory_gib=number(facts.memory_gib, 1.0, gpu.memory_gib),
        bandwidth=number(facts.bandwidth_gbps, 1e9, gpu.bandwidth),
        flops16=number(facts.tflops, 1e12, gpu.flops16),
        flops8=number(facts.fp8_tflops, 1e12, gpu.flops8),
        products=tuple(facts.products) or gpu.products,
        per_node=facts.per_node or gpu.per_node,
    )


def is_mig(resource: str | None) -> bool:
    """Whether an extended resource is a part of a GPU."""
    return resource is not None and resource.startswith("nvidia.com/mig-")


def mig_of(overrides: Mapping[str, Any] | None) -> str | None:
    """The MIG resource that a pod template asks for; None when it asks for none."""
    spec = (overrides or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    for container in containers if isinstance(containers, list) else []:
        limits = (container.get("resources") or {}).get("limits") if isinstance(container, Mapping) else None
        for name in limits if isinstance(limits, Mapping) else ():
            if is_mig(str(name)):
                return str(name)
    return None


def _cut(gpu: Gpu, resource: str | None) -> Gpu:
    """The part of a GPU that a MIG profile gives: eighths of memory and bandwidth, sevenths of arithmetic."""
    if not is_mig(resource) or resource is None:
        return gpu
    name = f"{gpu.name}/{resource.removeprefix('nvidia.com/')}"
    profile = _MIG.match(resource)
    if profile is None or gpu.marketed_gb is None or gpu.memory_gib is None:
        return replace(gpu, name=name, memory_gib=None, bandwidth=None, flops16=None, flops8=None)
    engines, memory = int(profile.group(1)), float(profile.group(2))
    slices = max(1, round(_MIG_SLICES * memory / gpu.marketed_gb))
    # The small profiles hold a little less than their eighth: never more than what they are named by.
    part = min(gpu.memory_gib * slices / _MIG_SLICES, memory * 1e9 / 2**30) if slices < _MIG_SLICES else gpu.memory_gib
    share = engines / _MIG_ENGINES
    return replace(
        gpu,
        name=name,
        memory_gib=part,
        bandwidth=None if gpu.bandwidth is None else gpu.bandwidth * slices / _MIG_SLICES,
        flops16=None if gpu.flops16 is None else gpu.flops16 * share,
        flops8=None if gpu.flops8 is None else gpu.flops8 * share,
    )


def unknown_share(hardware: HardwareSpec) -> str:
    """What is not known of how a replica gets its GPUs, in words; empty where whole GPUs or MIG profiles are named."""
    if hardware.resource_claim_template is not None:
        return f"what the claim {hardware.resource_claim_template} brings: planned as whole GPUs"
    resource = hardware.resource
    if resource is None or is_mig(resource) or resource in LABELS:
        return ""
    return f"how much of a GPU {resource} is: planned as whole GPUs"


def vendors(hardware: HardwareSpec) -> frozenset[str]:
    """Device plugins of the accelerators."""
    return frozenset(gpu.vendor for gpu in accelerators(hardware))


def unplaceable(hardware: HardwareSpec) -> Iterator[str]:
    """Accelerators that no node label is known for."""
    yield from (gpu.name for gpu in accelerators(hardware) if not gpu.products)

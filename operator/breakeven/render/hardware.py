"""Whether the GPUs of a pod are as many as the engine wants, in one machine, and known by name."""

from collections.abc import Iterator

from breakeven.api.spec import HardwareSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.planning.gpus import LABELS, PER_NODE, accelerators, is_mig, known_names, unplaceable, vendors
from breakeven.render.placement import brings_gpus
from breakeven.render.pod_values import check_node_selector
from breakeven.render.request import Request

_SEVERAL_NODES = (
    "--nnodes",
    "--node-rank",
    "--master-addr",
    "--data-parallel-address",
    "--data-parallel-rank",
    "--data-parallel-start-rank",
    "--data-parallel-hybrid-lb",
    "--data-parallel-external-lb",
)
"""Flags of an engine that spans machines."""


def check_hardware(request: Request) -> Iterator[EngineRemark]:
    """Find GPUs that do not add up, that no single machine has, or that no node can be chosen by."""
    yield from _count(request)
    yield from _one_machine(request)
    yield from check_node_selector(request.variant.hardware.node_selector, "hardware.nodeSelector")
    hardware = request.variant.hardware
    if len(vendors(hardware)) > 1:
        yield _refuse(
            "hardware.accelerators",
            "one engine image runs on the GPUs of one vendor: name those of one here, and the others in a resource of "
            "their own",
        )
    nameless = ", ".join(unplaceable(hardware))
    if nameless and hardware.node_selector is None:
        yield _refuse(
            "hardware.accelerators",
            f"{nameless} is not in the catalog ({', '.join(known_names())}): choose its nodes with "
            "hardware.nodeSelector, or name its node label under hardware.gpuFacts[].products",
        )
    if is_mig(hardware.resource) and hardware.gpus_per_replica > 1:
        yield _refuse("hardware.gpusPerReplica", "NCCL does not join parts of GPUs: write 1, or ask for whole GPUs")
    own = "resourceClaimTemplate" if hardware.resource_claim_template else "resource" if hardware.resource else None
    if own is not None and brings_gpus(request.variant.pod_template):
        yield _refuse(f"hardware.{own}", "podTemplate brings GPUs too: remove one of them")
    yield from _names(hardware)


def _names(hardware: HardwareSpec) -> Iterator[Caution]:
    """Names that do not go together: facts of GPUs that are not used, nodes of other GPUs."""
    used = {gpu.name.partition("/")[0] for gpu in accelerators(hardware)}
    for facts in hardware.gpu_facts:
        if facts.name not in {*used, *hardware.accelerators}:
            yield Caution(
                field="hardware.gpuFacts",
                message=f"{facts.name} is none of hardware.accelerators: these facts are not used",
            )
    chosen = hardware.node_selector or {}
    label = next((label for label in LABELS.values() if label in chosen), None)
    products = {product for gpu in accelerators(hardware) for product in gpu.products}
    if label is not None and chosen[label] not in products:
        yield Caution(
            field="hardware.accelerators",
            message=f"hardware.nodeSelector chooses {chosen[label]}, and planned for is "
            f"{' or '.join(hardware.accelerators)}: name the GPU model of those nodes",
        )
    elif chosen and label is None and hardware.accelerators == HardwareSpec().accelerators:
        yield Caution(
            field="hardware.accelerators",
            message="planned for H100 and H200, while hardware.nodeSelector chooses the nodes: name their GPU model",
        )


def _count(request: Request) -> Iterator[EngineRemark]:
    hardware = request.variant.hardware
    tensor, pipeline, data = hardware.tensor_parallel, request.pipeline_parallel, request.data_parallel
    needed = tensor * pipeline * data
    if needed == hardware.gpus_per_replica:
        return
    named = {"tensor": tensor, "pipeline": pipeline, "data": data}
    product = " × ".join(f"{name} parallel {size}" for name, size in named.items() if size > 1 or name == "tensor")
    cures = [f"set hardware.gpusPerReplica to {needed} and hardware.tensorParallelSize to {tensor}"]
    each, rest = divmod(hardware.gpus_per_replica, pipeline * data)
    if each and not rest:
        cures.append(f"hardware.tensorParallelSize to {each}")
    yield _refuse(
        "hardware.gpusPerReplica",
        f"{product} = {needed} GPUs for a pod with {hardware.gpus_per_replica}; {', or '.join(cures)}",
    )


def _one_machine(request: Request) -> Iterator[EngineRemark]:
    flag = next((f for f in _SEVERAL_NODES if request.extra.has(f)), None)
    if flag is not None and not (flag == "--nnodes" and request.extra.number(flag) == 1):
        yield Refusal(
            field="engine.extraArgs",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"{flag} spreads an engine over machines, and a replica here is one pod: remove it; split the "
            "model over the GPUs of one node, quantize it, or serve it with a LeaderWorkerSet outside of this resource",
        )
    hardware = request.variant.hardware
    most = max((gpu.per_node for gpu in accelerators(hardware)), default=PER_NODE)
    if hardware.gpus_per_replica > most:
        yield _refuse(
            "hardware.gpusPerReplica",
            f"no node has {hardware.gpus_per_replica} GPUs of {' or '.join(hardware.accelerators)} ({most} at most), "
            "and a replica here is one pod: quantize the target or take larger GPUs; where a node has more, say so "
            "under hardware.gpuFacts[].perNode",
        )


def _refuse(field: str, message: str) -> Refusal:
    return Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=message)

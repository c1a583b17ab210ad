"""Where replicas run: GPU models, how many, and how a pod asks for them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from breakeven.api.base import SpecModel
from breakeven.api.lists import SET, once
from breakeven.api.rules import DecimalRange, Pattern, Rule
from breakeven.api.scalars import DecimalString

AcceleratorName = Annotated[
    str,
    Field(min_length=1, max_length=32),
    Pattern(r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$", "write the name of a GPU model, for example H100, A100-80GB or MI300X"),
]
Rate = Annotated[DecimalString, DecimalRange("0", "1000000", above=True)]


class GpuFacts(SpecModel):
    """What a GPU model offers, where the packaged catalog does not know it or has it otherwise."""

    name: AcceleratorName
    """The GPU model, as in `accelerators`."""
    memory_gib: Rate | None = Field(default=None, alias="memoryGiB")
    """Memory of one GPU in GiB, as the driver reports it. Absent: from the catalog, or unknown."""
    bandwidth_gbps: Rate | None = Field(default=None, alias="bandwidthGBps")
    """Memory bandwidth of one GPU in GB a second. Absent: from the catalog, or unknown."""
    tflops: Rate | None = None
    """Dense 16-bit arithmetic of one GPU in TFLOPS, without sparsity. Absent: from the catalog, or unknown."""
    fp8_tflops: Rate | None = None
    """Dense 8-bit arithmetic of one GPU in TFLOPS. Absent: from the catalog, or none."""
    per_node: Annotated[int, Field(ge=1, le=64)] | None = None
    """GPUs of one machine at most. Absent: from the catalog, or 8."""
    products: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=63)]],
        AfterValidator(once),
        Field(max_length=16, json_schema_extra=SET),
    ] = []
    """Values of the node label `nvidia.com/gpu.product` (`amd.com/gpu.product-name`) that name it. Absent: from the catalog."""


def _gpus_named_once(gpus: list[GpuFacts]) -> list[GpuFacts]:
    if len({gpu.name for gpu in gpus}) < len(gpus):
        raise ValueError("write each name once")
    return gpus


class HardwareSpec(SpecModel):
    """Where replicas run."""

    rules = (
        Rule(
            field="resourceClaimTemplate",
            message="write either resource or resourceClaimTemplate: a pod gets its GPUs in one way",
            cel="!has(self.resource) || !has(self.resourceClaimTemplate)",
            holds=lambda h: h.resource is None or h.resource_claim_template is None,
        ),
    )

    accelerators: Annotated[
        list[AcceleratorName], AfterValidator(once), Field(min_length=1, max_length=8, json_schema_extra=SET)
    ] = ["H100", "H200"]
    """GPU models a replica may land on. Default H100 and H200, which are measured. Others, such as A100-80GB, L40S, B200, GB200, H20, RTX-PRO-6000 or MI300X, are planned from their data sheets; A100 stands for both sizes. One that is not known needs `nodeSelector`, or `gpuFacts` with its products."""
    gpu_facts: Annotated[
        list[GpuFacts],
        AfterValidator(_gpus_named_once),
        Field(
            max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Facts of GPU models for planning and placement; each wins over the packaged catalog. Absent: only the catalog."""
    gpus_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of one replica, all in one pod. Default 1."""
    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] | None = None
    """GPUs over which one copy of the target is split. Times --pipeline-parallel-size and --data-parallel-size of engine.extraArgs it is gpusPerReplica. Absent: gpusPerReplica."""
    resource: (
        Annotated[
            str,
            Field(max_length=253),
            Pattern(
                r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
                "write an extended resource such as nvidia.com/mig-3g.40gb or amd.com/gpu",
            ),
        ]
        | None
    ) = None
    """Extended resource asked for instead of whole GPUs, for example nvidia.com/mig-3g.40gb. Absent: nvidia.com/gpu, or amd.com/gpu for MI accelerators."""
    resource_claim_template: (
        Annotated[
            str,
            Field(max_length=253),
            Pattern(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "write the name of a ResourceClaimTemplate in this namespace"),
        ]
        | None
    ) = None
    """ResourceClaimTemplate (dynamic resource allocation) that brings the GPUs, instead of an extended resource. Absent: none."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=253)]], Field(max_length=16)] | None = None
    """Replaces the built-in node affinity by accelerator. Absent: nodes whose `nvidia.com/gpu.product` is one of the accelerators."""

    @property
    def tensor_parallel(self) -> int:
        """GPUs over which one copy of the target is split."""
        return self.tensor_parallel_size or self.gpus_per_replica

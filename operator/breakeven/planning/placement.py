"""The plan on one GPU model, and what its memory says about the declared hardware."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from breakeven.planning.memory import Capacity
from breakeven.planning.outlook import Outlook
from breakeven.planning.pairing import Remark, refusal, warning

LARGE_LOSS = 0.15
"""Share of KV tokens lost to the draft from which the plan warns."""


class Start(StrEnum):
    """Whether a replica starts."""

    YES = "Yes"
    TIGHT = "Tight"
    NO = "No"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPlan:
    """The plan on one GPU model."""

    gpu: str
    memory_gib: float | None
    """Memory of one GPU; None when not known."""
    starts: Start
    baseline: Capacity | None
    """KV capacity without speculation; None when a fact is unknown."""
    variant: Capacity | None
    lost: float | None
    """Share of the baseline's KV tokens lost to speculation."""
    over: float | None
    """GiB that a V0 draft needs beyond what `gpuMemoryUtilization` leaves free; None where it fits."""
    outlook: Outlook | None


def room_remarks(placements: Sequence[GpuPlan], sequence: int, *, drafts: bool) -> Iterator[Remark]:
    """What cannot start, what may not, and what the draft takes; `sequence` is the longest one that must fit."""
    names = [placement.gpu for placement in placements]
    for placement in placements:
        found = placement.variant
        if found is None:
            continue
        if placement.over is not None and placement.memory_gib is not None:
            yield _outside(placement, placement.over / placement.memory_gib)
        elif placement.starts is Start.NO:
            others = [name for name in names if name != placement.gpu]
            yield refusal("hardware.gpusPerReplica", _too_small(placement, found, sequence, drafts, others))
        elif placement.starts is Start.TIGHT:
            yield warning(
                "hardware.gpusPerReplica",
                f"on {placement.gpu} about {found.kv_tokens} KV tokens are left, fewer than one sequence "
                f"of {sequence}: it may not start; lower target.maxModelLen",
            )
        elif placement.lost is not None and placement.lost > LARGE_LOSS:
            yield warning(
                "draft.model",
                f"on {placement.gpu} the draft takes {placement.lost:.0%} of the KV tokens; "
                "a head or n-gram takes a few percent",
            )


def _outside(placement: GpuPlan, share: float) -> Remark:
    """A V0 draft that has no room beside what the engine takes for itself."""
    said = (
        f"V0 sizes its KV cache as if there were no draft, which then lacks about {placement.over:.1f} GiB: "
        f"lower target.gpuMemoryUtilization by {max(0.01, share):.2f} or more"
    )
    if placement.starts is Start.NO:
        return refusal("target.gpuMemoryUtilization", f"does not start on {placement.gpu}: {said}")
    return warning(
        "target.gpuMemoryUtilization",
        f"may run out of memory on {placement.gpu} at its first large batch: {said}",
    )


def _too_small(placement: GpuPlan, found: Capacity, sequence: int, drafts: bool, others: Sequence[str]) -> str:
    tight = min(found.shares, key=lambda share: share.free_gib)
    if tight.free_gib <= 0:
        head = f"weights of {tight.weights_gib:.1f} GiB per GPU do not fit"
    else:
        head = f"{found.kv_tokens} KV tokens are left, fewer than one sequence of {sequence}"
    alone = placement.baseline is not None and placement.baseline.kv_tokens >= sequence
    cure = "the target alone fits: use a smaller draft" if alone and drafts else "use more GPUs"
    only = f", or leave {placement.gpu} out of hardware.accelerators" if others else ""
    return f"does not start on {placement.gpu}: {head}; {cure}, quantize, lower target.maxModelLen{only}"

"""What it takes to hold two variants in one replica, one asleep: host memory, and a little of each GPU."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from breakeven.api.variant import Variant
from breakeven.engines import Refusal, load
from breakeven.planning.brief import Brief
from breakeven.planning.footprint import Footprint, Room
from breakeven.planning.question import Question
from breakeven.planning.weights import GIB

LEFT_BEHIND = 1331 << 20
"""Bytes that a sleeping engine keeps of each GPU: 982 MiB plain and 1,236 MiB with EAGLE-3 were measured (8B, vLLM
0.26.0, H100), and some room."""
PINNED = 1.2
"""Host memory that sleeping weights take, as a multiple of them: 20 to 21 GiB resident an engine were measured for 15
GiB of weights and `PROCESS_GIB`, and kept while it is awake (vLLM 0.26.0)."""
PROCESS_GIB = 3.0
"""Host memory of an engine that has not slept yet, for each GPU: 2.9 to 3.0 GiB were measured on one."""
SWITCH_SECONDS = 0.8
"""From the order to the first token of the other variant: 0.73 to 0.85 s in twenty switches (8B, vLLM 0.26.0, H100)."""
MEASURED_GIB = 15.0
"""Weights on the GPU where that was measured. Both halves of a switch copy weights, so more of them take longer in
proportion: an assumption, nothing larger was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmMemory:
    """Memory of one replica that holds several variants."""

    host_bytes: int | None
    """Host memory that they keep together, asleep or awake. None: the weights of one are not known."""
    gpu_bytes: int | None
    """Of the smallest GPU that a replica may land on. None: not known."""
    unknowns: tuple[str, ...] = ()
    """What was missing, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPlan:
    """What Warm costs and saves, on the GPU model with the least memory."""

    memory: WarmMemory
    seconds: float | None
    """From the order to the first token of the other variant. None: the weights are not known."""
    share: Decimal | None
    """Share of GPU memory that each engine gets. None: the GPU is not known."""
    room: Room | None
    """What is left for the KV cache with that share. None likewise."""


def warm_memory(variants: Sequence[Variant]) -> WarmMemory:
    """Memory of a replica that holds these. Never raises."""
    total, unknowns = 0.0, []
    known = True
    for variant in variants:
        brief = _brief(variant)
        found = _host_bytes(brief)
        unknowns += brief.unknowns
        known = known and found is not None
        total += found or 0.0
    smallest = _smallest_gpu(_brief(variants[0]))
    return WarmMemory(
        host_bytes=math.ceil(total) if known else None,
        gpu_bytes=None if smallest is None else round(smallest * GIB),
        unknowns=tuple(dict.fromkeys(unknowns)),
    )


def warm_plan(variant: Variant) -> WarmPlan:
    """What it takes to hold a variant and its baseline in one replica. Never raises."""
    memory = warm_memory((variant.baseline, variant) if variant.speculates else (variant,))
    brief = _brief(variant)
    weights = _weights(brief)
    seconds = None if weights is None else max(1.0, weights / brief.gpus / GIB / MEASURED_GIB) * SWITCH_SECONDS
    if memory.gpu_bytes is None:
        return WarmPlan(memory=memory, seconds=seconds, share=None, room=None)
    share = share_beside_one_asleep(Decimal(str(brief.utilization)), memory.gpu_bytes)
    lowered = variant.target.model_copy(update={"gpu_memory_utilization": share})
    beside = replace(brief, variant=variant.model_copy(update={"target": lowered}))
    smallest = min((g for g in beside.accelerators if g.memory_gib), key=lambda g: g.memory_gib or math.inf)
    return WarmPlan(memory=memory, seconds=seconds, share=share, room=Footprint(beside).room(smallest))


def share_beside_one_asleep(share: Decimal, gpu_bytes: int, left_behind: int = LEFT_BEHIND) -> Decimal:
    """The share of GPU memory of an engine that has a sleeping one beside it, rounded down to a thousandth."""
    left = share - Decimal(left_behind) / Decimal(gpu_bytes)
    return max(Decimal(0), left.quantize(Decimal("0.001"), rounding=ROUND_FLOOR))


def _host_bytes(brief: Brief) -> float | None:
    """Host memory of one engine that has slept."""
    weights = _weights(brief)
    return None if weights is None else PINNED * weights + PROCESS_GIB * brief.gpus * GIB


def _weights(brief: Brief) -> float | None:
    """Bytes of target and draft; None when not known, which is then said."""
    footprint = Footprint(brief)
    weights = footprint.weights(brief.target, brief.variant.target.quantization)
    draft = footprint.draft()
    if weights is None or (draft is None and not brief.hostless):
        return None
    return weights + (draft.weight_bytes if draft is not None else 0.0)


def _smallest_gpu(brief: Brief) -> float | None:
    """GiB of the smallest GPU model; None when the memory of one is not known."""
    sizes = [gpu.memory_gib for gpu in brief.accelerators]
    return min((size for size in sizes if size is not None), default=None) if None not in sizes else None


def _brief(variant: Variant) -> Brief:
    known = load().engine_of(variant.engine)
    return Brief(variant=variant, question=Question(), engine=load().newest if isinstance(known, Refusal) else known)

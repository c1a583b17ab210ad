"""The plan of one variant: does it start, what does the draft cost, and where is it likely to pay."""

from dataclasses import dataclass, replace

from breakeven.api.spec import DraftMethod
from breakeven.api.variant import Variant
from breakeven.engines import Refusal, load
from breakeven.planning import advice
from breakeven.planning.acceptance import Assumption
from breakeven.planning.architecture import Architecture
from breakeven.planning.article import Rule, article_rules
from breakeven.planning.brief import Brief
from breakeven.planning.footprint import Footprint
from breakeven.planning.gpus import Gpu, unknown_share
from breakeven.planning.memory import lost_share
from breakeven.planning.pairing import Remark, Severity, length_remarks, pair_remarks, split_remarks
from breakeven.planning.placement import GpuPlan, Start, room_remarks
from breakeven.planning.prospect import Prospect
from breakeven.planning.question import Question
from breakeven.planning.switching import SwitchCost, switch_cost
from breakeven.planning.trained import head_remarks, prediction_remarks, target_remarks
from breakeven.planning.weights import weight_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What planning says of one variant."""

    variant: str
    engine: str
    """vLLM version the plan is for."""
    gpus: int
    replicas: int
    target: Architecture
    draft: Architecture | None
    method: DraftMethod | None
    k: int | None
    acceptance: Assumption | None
    """Conditional acceptance at the asked temperature."""
    temperature: float
    placements: tuple[GpuPlan, ...]
    switch: SwitchCost | None
    remarks: tuple[Remark, ...]
    rules: tuple[Rule, ...]
    """The usual rules of thumb beside the better number."""
    unknowns: tuple[str, ...]
    """Facts that were missing, in words."""

    @property
    def starts(self) -> Start:
        """Whether memory lets it start: the worst over GPU models that a replica may land on."""
        every = {placement.starts for placement in self.placements}
        return next(s for s in (Start.NO, Start.UNKNOWN, Start.TIGHT, Start.YES) if s in every)

    @property
    def outcome(self) -> Start:
        """The same with everything that is refused for other reasons than memory: then it does not start."""
        return Start.NO if any(remark.severity is Severity.REFUSAL for remark in self.remarks) else self.starts


def plan(variant: Variant, question: Question | None = None) -> Plan:
    """Plan a variant. Never raises for what a resource can say; what is not known is named in `unknowns`."""
    asked = question or Question()
    known = load().engine_of(variant.engine)
    engine = load().newest if isinstance(known, Refusal) else known
    brief = Brief(variant=variant, question=asked, engine=engine)
    if isinstance(known, Refusal):
        brief.unknowns.append(f"engine version: the image does not tell it, planned as for {engine.release}")
    share = unknown_share(variant.hardware)
    if share:
        brief.unknowns.append(share)
    return _planned(brief, Footprint(brief), Prospect(brief))


def _planned(brief: Brief, footprint: Footprint, prospect: Prospect) -> Plan:
    spec, variant, asked = brief.spec, brief.variant, brief.question
    acceptance = prospect.acceptance()
    placements = tuple(_placement(gpu, brief, footprint, prospect, acceptance) for gpu in brief.accelerators)
    weights = footprint.weights(brief.target, variant.target.quantization)
    drafted = footprint.draft()
    total = None if weights is None else weights + (drafted.weight_bytes if drafted is not None else 0.0)
    draft_bytes = 0.0 if brief.hostless else None if drafted is None else drafted.weight_bytes
    return Plan(
        variant=variant.name,
        engine=str(brief.engine.version),
        gpus=variant.hardware.gpus_per_replica,
        replicas=asked.replicas,
        target=brief.target,
        draft=brief.draft,
        method=spec.method if spec is not None else None,
        k=spec.num_speculative_tokens if spec is not None else None,
        acceptance=acceptance,
        temperature=asked.temperature,
        placements=placements,
        switch=switch_cost(total, replicas=asked.replicas, measured_minutes=asked.loading_minutes),
        remarks=(
            *_remarks(brief),
            *(replace(r, memory=True) for r in room_remarks(placements, brief.sequence, drafts=spec is not None)),
            *advice.pay_remarks([p.outlook for p in placements if p.outlook is not None], spec),
            *advice.limit_remarks(spec, on_v1=not brief.on_v0),
        ),
        rules=_rules(brief, placements, draft_bytes),
        unknowns=tuple(dict.fromkeys(brief.unknowns)),
    )


def _placement(
    gpu: Gpu, brief: Brief, footprint: Footprint, prospect: Prospect, acceptance: Assumption | None
) -> GpuPlan:
    room = footprint.room(gpu)
    both = room.baseline is not None and room.variant is not None and brief.spec is not None
    return GpuPlan(
        gpu=gpu.name,
        memory_gib=gpu.memory_gib,
        starts=room.starts,
        baseline=room.baseline,
        variant=room.variant,
        lost=lost_share(room.baseline, room.variant) if both and room.baseline and room.variant else None,
        over=room.over,
        outlook=prospect.outlook(gpu, acceptance, None if room.variant is None else room.variant.kv_tokens),
    )


def _remarks(brief: Brief) -> tuple[Remark, ...]:
    spec, target, engine = brief.spec, brief.target, brief.engine
    split = "hardware.tensorParallelSize" if brief.variant.hardware.tensor_parallel_size else "hardware.gpusPerReplica"
    remarks = [*target_remarks(brief.variant.target.model), *split_remarks(target, brief.gpus, field=split)]
    longest = brief.variant.target.max_model_len
    remarks += length_remarks(target, brief.draft, longest, on_v1=not brief.on_v0)
    if spec is None:
        return tuple(remarks)
    if brief.draft is not None:
        size = engine.draft_tensor_parallel_size(spec.method, brief.gpus, forced=brief.forced) or brief.gpus
        remarks += split_remarks(brief.draft, size, field="draft.model")
    remarks += pair_remarks(target, brief.draft, spec=spec, engine=engine)
    if spec.method is DraftMethod.MTP and spec.model is None:
        remarks += prediction_remarks(target, spec.num_speculative_tokens)
    remarks += head_remarks(target, spec=spec, served=longest or target.max_position, engine=engine)
    remarks += advice.temperature_remarks(spec, brief.question.temperature)
    return tuple(remarks)


def _rules(brief: Brief, placements: tuple[GpuPlan, ...], draft_bytes: float | None) -> tuple[Rule, ...]:
    first = placements[0]
    if brief.spec is None or first.memory_gib is None:
        return ()
    return article_rules(
        brief.target,
        brief.draft,
        draft_bytes=draft_bytes,
        target_bytes=weight_bytes(brief.target, brief.variant.target.quantization),
        node_gib=first.memory_gib * brief.variant.hardware.gpus_per_replica,
        lost=first.lost,
        outlook=first.outlook,
        draft_model=brief.spec.method is DraftMethod.DRAFT_MODEL,
    )

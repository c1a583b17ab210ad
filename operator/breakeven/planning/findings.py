"""A plan as the conditions and the status the controller reports."""

from decimal import Decimal

from breakeven.api.conditions import ConditionType, Reason
from breakeven.api.planned import PlannedSpeedup, PlanStatus
from breakeven.domain.decision import Finding
from breakeven.planning.pairing import Remark, Severity
from breakeven.planning.placement import GpuPlan, Start
from breakeven.planning.plan import Plan
from breakeven.planning.verdict import headline

_REASONS = {
    Start.YES: (True, Reason.FITS),
    Start.TIGHT: (True, Reason.TIGHT),
    Start.NO: (False, Reason.EXCEEDED),
    Start.UNKNOWN: (None, Reason.FACTS_UNKNOWN),
}
_REPORTED_BATCHES = (1, 8, 32, 64, 128)
_MESSAGE_LIMIT = 2000
_NAME_LIMIT = 32
_ANSWER_LIMIT = 512


def plan_findings(plan: Plan) -> tuple[Finding, ...]:
    """Conditions of a plan: MemoryBudget always, ConfigurationValid only when something is wrong or will hurt."""
    findings = [_memory(plan)]
    pair = [remark for remark in plan.remarks if not remark.memory]
    refusals = [remark for remark in pair if remark.severity is Severity.REFUSAL]
    chosen = refusals or pair
    if chosen:
        findings.append(
            Finding(
                type=ConditionType.CONFIGURATION_VALID,
                status=not refusals,
                reason=Reason.INVALID_CONFIGURATION if refusals else Reason.ADVICE,
                message=_joined(chosen),
            )
        )
    return tuple(findings)


def plan_refuses(plan: Plan) -> bool:
    """Whether no pod may be made: something certain not to start."""
    return any(remark.severity is Severity.REFUSAL for remark in plan.remarks)


def _joined(remarks: list[Remark]) -> str:
    return "; ".join(f"{remark.field}: {remark.message}" for remark in remarks)[:_MESSAGE_LIMIT]


def _memory(plan: Plan) -> Finding:
    status, reason = _REASONS[plan.starts]
    said = [remark for remark in plan.remarks if remark.memory]
    message = _joined(said) if said else "; ".join(_figures(placement) for placement in plan.placements)
    if plan.starts is Start.UNKNOWN:
        message = "not known: " + "; ".join(plan.unknowns) if plan.unknowns else "model facts are not known"
    return Finding(type=ConditionType.MEMORY_BUDGET, status=status, reason=reason, message=message[:_MESSAGE_LIMIT])


def _figures(placement: GpuPlan) -> str:
    found = placement.variant
    if found is None:
        return f"{placement.gpu}: not known"
    lost = "" if placement.lost is None else f", {placement.lost:.0%} fewer than without speculation"
    return f"{placement.gpu}: room for {found.kv_tokens} KV tokens{lost} (estimated)"


def tightest(plan: Plan) -> GpuPlan:
    """The GPU model with the least room."""

    def room(placement: GpuPlan) -> int:
        return placement.variant.kv_tokens if placement.variant is not None else 0

    return min(plan.placements, key=room)


def plan_status(plan: Plan) -> PlanStatus:
    """The compact report of a plan for `plan` in `status.details`, for the GPU model with the least room."""
    placement = tightest(plan)
    seen, answer = placement.outlook, headline(plan)
    return PlanStatus(
        answer="" if answer is None else str(answer)[:_ANSWER_LIMIT],
        gpu=placement.gpu[:_NAME_LIMIT],
        starts=placement.starts.value,
        baseline_kv_tokens=placement.baseline.kv_tokens if placement.baseline is not None else None,
        kv_tokens=placement.variant.kv_tokens if placement.variant is not None else None,
        lost_percent=None if placement.lost is None else round(100 * placement.lost),
        assumed_acceptance=None if plan.acceptance is None else _decimal(plan.acceptance.alpha),
        speedups=[
            PlannedSpeedup(
                batch=p.batch,
                speedup=_decimal(p.speedup),
                lower=_decimal(p.interval.low),
                upper=_decimal(p.interval.high),
                inflation=_decimal(p.inflation),
                break_even_acceptance=_decimal(p.break_even),
            )
            for p in (seen.predictions if seen is not None else ())
            if p.batch in _REPORTED_BATCHES
        ],
        crossover_batch=seen.crossover if seen is not None else None,
        best_k=seen.predictions[0].best_k if seen is not None and seen.predictions else None,
        switch_replica_minutes=None if plan.switch is None else round(plan.switch.replica_minutes),
        source=seen.source[:256] if seen is not None else "",
    )


def _decimal(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")

"""A plan as plain data, for JSON: numbers rounded to what the model can tell."""

from collections.abc import Sequence
from typing import Any

from breakeven.planning.architecture import Architecture
from breakeven.planning.memory import Capacity
from breakeven.planning.outlook import Outlook
from breakeven.planning.placement import GpuPlan
from breakeven.planning.plan import Plan
from breakeven.planning.verdict import headline


def plan_document(plan: Plan, advice: Sequence[str] = ()) -> dict[str, Any]:
    """The whole plan, and advice that goes with it; absent values are unknown."""
    answer = headline(plan)
    return {
        "variant": plan.variant,
        "answer": None if answer is None else {"answer": answer.answer.value, "reason": answer.reason},
        "engine": plan.engine,
        "gpusPerReplica": plan.gpus,
        "replicas": plan.replicas,
        "starts": plan.outcome.value,
        "target": _model(plan.target),
        "draft": _model(plan.draft) if plan.draft is not None else None,
        "method": plan.method.value if plan.method is not None else None,
        "numSpeculativeTokens": plan.k,
        "temperature": plan.temperature,
        "acceptance": None
        if plan.acceptance is None
        else {
            "perPosition": round(plan.acceptance.alpha, 3),
            "source": plan.acceptance.source,
            "draftingShare": round(plan.acceptance.drafting, 4),
        },
        "accelerators": [_placement(placement) for placement in plan.placements],
        "switch": None
        if plan.switch is None
        else {
            "loadingMinutes": round(plan.switch.loading_minutes, 1),
            "replicaMinutes": round(plan.switch.replica_minutes, 1),
            "measured": plan.switch.measured,
        },
        "remarks": [
            {"severity": remark.severity.value, "field": remark.field, "message": remark.message}
            for remark in plan.remarks
        ],
        "rulesOfThumb": [
            {"rule": rule.rule, "value": rule.value, "holds": rule.holds, "better": rule.better} for rule in plan.rules
        ],
        "advice": list(advice),
        "unknown": list(plan.unknowns),
    }


def _model(model: Architecture) -> dict[str, Any]:
    return {
        "name": model.name,
        "origin": model.origin,
        "family": model.family,
        "tokenizerGroup": model.tokenizer_group,
        "vocabSize": model.vocab_size,
        "paramsBillions": None if model.params is None else round(model.params / 1e9, 3),
        "activeParamsBillions": None if model.active_params is None else round(model.active_params / 1e9, 3),
        "maxPosition": model.max_position,
    }


def _placement(placement: GpuPlan) -> dict[str, Any]:
    return {
        "gpu": placement.gpu,
        "starts": placement.starts.value,
        "baseline": _capacity(placement.baseline),
        "variant": _capacity(placement.variant),
        "kvTokensLostPercent": None if placement.lost is None else round(100 * placement.lost, 1),
        "requestsLost": None
        if placement.lost is None or placement.baseline is None or placement.variant is None
        else placement.baseline.requests - placement.variant.requests,
        "outlook": _outlook(placement.outlook),
    }


def _capacity(found: Capacity | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "kvTokens": found.kv_tokens,
        "countedForSequence": found.sequence,
        "requests": found.requests,
        "gpuMemoryUtilization": found.utilization,
        "perGpu": [
            {
                "rank": share.rank,
                "weightsGiB": round(share.weights_gib, 2),
                "overheadGiB": round(share.overhead_gib, 2),
                "freeGiB": round(share.free_gib, 2),
                "kvBytesPerToken": round(share.kv_bytes_per_token),
            }
            for share in found.shares
        ],
    }


def _outlook(found: Outlook | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "source": found.source,
        "crossoverBatch": found.crossover,
        "context": round(found.context),
        "byBatch": [
            {
                "batch": p.batch,
                "plainStepMs": round(p.plain_ms, 2),
                "stepInflation": round(p.inflation, 3),
                "breakEvenAcceptance": round(p.break_even, 3),
                "breakEvenPerPosition": None if p.break_even_alpha is None else round(p.break_even_alpha, 3),
                "tokensPerStep": round(p.tokens, 3),
                "speedup": round(p.speedup, 3),
                "speedupLow": round(p.interval.low, 3),
                "speedupHigh": round(p.interval.high, 3),
                "verdict": p.interval.verdict.value,
                "kind": p.interval.kind.value,
                "draftedTokens": p.k,
                "fits": p.fits,
                "bestK": p.best_k,
            }
            for p in found.predictions
        ],
    }

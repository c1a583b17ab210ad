"""`draft.disableAboveBatchSize`: no drafting at or above so many running requests.

V0 has it as a flag or key. V1 never had; from 0.24.0 the schedule of draft length by batch size comes nearest. It keeps
the draft's memory and the engine's path, so it is not the same as speculation off.
"""

from collections.abc import Iterator
from typing import Any

from breakeven.api.spec import AcceptanceMethod, DraftMethod
from breakeven.api.vocabulary import Reason
from breakeven.domain.rules.schedules import ON_RUNNER_V1
from breakeven.engines import Caution, Engine, EngineRemark, Refusal
from breakeven.render.request import Request

DEFAULT_MAX_NUM_SEQS = 1024
"""Largest batch of the V1 API server on H100 and H200 unless `--max-num-seqs` says otherwise."""
RUNNER_V1 = {"VLLM_USE_V2_MODEL_RUNNER": "0"}
"""Model runner V2 ignores the schedule while it drafts with a draft model; V1 honours it."""
_FIELD = "draft.disableAboveBatchSize"
_SCHEDULED = ON_RUNNER_V1 | {DraftMethod.DSPARK}
"""Methods that a schedule reaches; DSpark runs on model runner V2 only."""


def schedule_keys(request: Request) -> dict[str, Any]:
    """Keys that stop drafting at large batches; empty when that is not asked for."""
    draft = request.variant.draft
    if draft is None or draft.disable_above_batch_size is None:
        return {}
    limit = draft.disable_above_batch_size
    if not request.on_v1:
        return {"disable_by_batch_size": limit}
    if request.engine.dynamic_k_key is None:
        return {}
    largest = max(limit, request.extra.number("--max-num-seqs") or DEFAULT_MAX_NUM_SEQS)
    return {request.engine.dynamic_k_key: [[1, limit - 1, draft.num_speculative_tokens], [limit, largest, 0]]}


def schedule_env(request: Request) -> dict[str, str]:
    """Environment that makes the schedule count; empty where none is needed or the user set it."""
    draft = request.variant.draft
    wanted = (
        draft is not None
        and draft.disable_above_batch_size is not None
        and draft.method is DraftMethod.DRAFT_MODEL
        and draft.acceptance.method is not AcceptanceMethod.BLOCK
        and request.engine.runs_on_v2(DraftMethod.DRAFT_MODEL)
    )
    return RUNNER_V1 if wanted and "VLLM_USE_V2_MODEL_RUNNER" not in request.env else {}


def check_schedule(request: Request) -> Iterator[EngineRemark]:
    """Find a batch-size limit that this engine would refuse or ignore."""
    draft, engine = request.variant.draft, request.engine
    if draft is None or draft.disable_above_batch_size is None or not request.on_v1:
        return
    if engine.dynamic_k_key is None:
        yield _missing(request, draft.method)
        return
    if draft.method not in _SCHEDULED:
        names = ", ".join(sorted(m.value for m in _SCHEDULED if engine.supports(m)))
        yield Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            rule="ScheduleMethod",
            message=f"vLLM {engine.version} drops the schedule with {draft.method.value}, "
            f"{_can(engine, draft.method)} can limit it by batch size; "
            f"remove {_FIELD}, or set draft.method to one of {names}",
        )
    if request.data_parallel > 1 and engine.applies("ScheduleDataParallel"):
        can = engine.versions(lambda e: e.dynamic_k_key is not None and not e.applies("ScheduleDataParallel"))
        yield Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            rule="ScheduleDataParallel",
            message=f"vLLM {engine.version} drops the schedule with data parallelism, {can} can; "
            f"remove {_FIELD}, or remove --data-parallel-size from engine.extraArgs",
        )
    yield from _caution(request)


def _missing(request: Request, method: DraftMethod) -> Refusal:
    engine = request.engine
    if engine.generation(method) == "v0":
        return Refusal(
            field="engine.env",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"VLLM_USE_V1=1 makes vLLM {engine.version} run {method.value} on its V1 engine, which has no "
            f"limit by batch size; remove VLLM_USE_V1, or remove {_FIELD}",
        )
    rule = next(
        (r for r in ("DisableByBatchSizeOnV1", "DisableByBatchSizeNoEffect") if engine.applies(r)),
        "DisableByBatchSizeRejected",
    )
    return Refusal(
        field=_FIELD,
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        rule=rule,
        message=f"vLLM {engine.version} has no limit by batch size for {method.value}, {_can(engine, method)} can; "
        f"remove {_FIELD}",
    )


def _can(engine: Engine, method: DraftMethod) -> str:
    return engine.versions(
        lambda e: (
            e.supports(method)
            and (e.generation(method) == "v0" or (e.dynamic_k_key is not None and method in _SCHEDULED))
        )
    )


def _caution(request: Request) -> Iterator[Caution]:
    draft, engine = request.variant.draft, request.engine
    if draft is None or not request.on_runner_v2 or schedule_env(request):
        return
    runs_on = engine.applies("ScheduleDrafterRunsOn") or draft.method is DraftMethod.DRAFT_MODEL
    if runs_on and not engine.before("0.25.0"):
        yield Caution(
            field=_FIELD,
            rule="ScheduleDrafterRunsOn",
            message=f"vLLM {engine.version} shortens only verification; the drafter still drafts every token",
        )

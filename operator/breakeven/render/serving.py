"""What the target's own fields may say on an engine version."""

from collections.abc import Iterator
from decimal import Decimal

from breakeven.engines import Finding, Reason, Refusal
from breakeven.render.request import Request


def check_serving(request: Request) -> Iterator[Finding]:
    """Find target fields that this engine does not take."""
    target, engine = request.variant.target, request.engine
    if target.model.startswith("-"):
        yield Refusal(
            field="target.model",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"{target.model!r} would be read as a flag; write a model name or path",
        )
    if target.kv_cache_dtype not in engine.kv_cache_dtypes:
        can = engine.versions_with("kv_cache_dtypes", target.kv_cache_dtype)
        yield Refusal(
            field="target.kvCacheDtype",
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no KV cache of {target.kv_cache_dtype}, {can} can; "
            "set target.kvCacheDtype to auto or fp8",
        )
    share = target.gpu_memory_utilization
    if share is not None and not Decimal(0) < share <= Decimal(1):
        yield Refusal(
            field="target.gpuMemoryUtilization",
            reason=Reason.INVALID_CONFIGURATION,
            message=f'{share} is no share of memory; write a number above 0 and up to 1, for example "0.9"',
        )

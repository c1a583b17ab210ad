"""Flags of the user's that do not go together with speculation, by release: the table's list, put into code."""

from collections.abc import Iterator

from breakeven.api.spec import DraftMethod
from breakeven.engines import Caution, Finding, Reason, Refusal
from breakeven.render.request import Request
from breakeven.render.schedule import DEFAULT_MAX_NUM_SEQS

_FIELD = "engine.extraArgs"
_UNSUPPORTED_MODES = ("--enable-dbo", "--ubatch-size", "--enable-prompt-embeds")
_EAGLE_LIKE = frozenset({DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.MTP})


def check_conflicts(request: Request) -> Iterator[Finding]:
    """Find flags in `engine.extraArgs` that this engine does not take together with what is drafted."""
    if request.method is None:
        if request.extra.has("--per-request-spec-decode-metrics"):
            yield _refuse(
                "PerRequestMetrics",
                "--per-request-spec-decode-metrics does not start without speculation, which every variant "
                "must: remove it",
            )
        return
    yield from _parallelism(request)
    yield from _scheduling(request)
    yield from _features(request)


def _parallelism(request: Request) -> Iterator[Finding]:
    engine = request.engine
    if request.pipeline_parallel <= 1:
        return
    if engine.applies("PipelineParallel"):
        can = engine.versions(lambda e: not e.applies("PipelineParallel"))
        yield _refuse(
            "PipelineParallel",
            f"vLLM {engine.version} cannot speculate with pipeline parallelism, {can} can; remove "
            f"--pipeline-parallel-size",
        )
    else:
        yield Caution(
            field=_FIELD,
            rule="PipelineParallelYoung",
            message="speculation with pipeline parallelism is young and has crashed; prefer tensor parallelism",
        )


def _scheduling(request: Request) -> Iterator[Finding]:
    engine, extra = request.engine, request.extra
    if extra.has("--enable-chunked-prefill") and extra.value("--enable-chunked-prefill") != "False":
        yield from _unless(request, "ChunkedPrefill", "--enable-chunked-prefill")
    if (extra.number("--num-scheduler-steps") or 1) > 1:
        yield from _unless(request, "MultiStep", "--num-scheduler-steps above 1")
    if extra.has("--async-scheduling"):
        yield from _async_scheduling(request)
    if request.method is DraftMethod.DRAFT_MODEL and engine.applies("BatchedTokensTooFew"):
        tokens, seqs = extra.number("--max-num-batched-tokens"), extra.number("--max-num-seqs") or DEFAULT_MAX_NUM_SEQS
        if tokens is not None and tokens <= seqs:
            yield _refuse(
                "BatchedTokensTooFew",
                f"--max-num-batched-tokens={tokens} must be above --max-num-seqs={seqs}: a draft model takes a "
                f"slot per sequence",
            )


def _async_scheduling(request: Request) -> Iterator[Finding]:
    yield from _unless(request, "AsyncScheduling", "--async-scheduling")
    if request.method is DraftMethod.DRAFT_MODEL:
        yield from _unless(request, "AsyncSchedulingDraftModel", "--async-scheduling with DraftModel")
    if request.method is DraftMethod.NGRAM:
        yield from _unless(request, "AsyncSchedulingNGram", "--async-scheduling with NGram")
    elif request.method not in _EAGLE_LIKE:
        yield from _unless(
            request, "AsyncSchedulingNotEagle", "--async-scheduling with other methods than EAGLE and MTP"
        )


def _features(request: Request) -> Iterator[Finding]:
    extra = request.extra
    if extra.has("--logits-processors"):
        yield from _unless(request, "LogitsProcessors", "--logits-processors")
    for flag in _UNSUPPORTED_MODES:
        if extra.has(flag):
            yield from _unless(request, "UnsupportedMode", flag)
    pooling = {"--runner": ("pooling",), "--task": ("embed", "embedding", "classify", "score", "reward")}
    for flag, values in pooling.items():
        if extra.value(flag) in values:
            yield from _unless(request, "UnsupportedMode", f"{flag} {extra.value(flag)}")
    if extra.has("--enable-lora"):
        yield from _unless(request, "LoraV0", "--enable-lora")
        if request.engine.applies("Lora"):
            yield Caution(
                field=_FIELD, rule="Lora", message="the drafter never applies a LoRA adapter: expect less acceptance"
            )
    if extra.has("--enforce-eager"):
        yield Caution(
            field=_FIELD,
            rule="EnforceEager",
            message="--enforce-eager makes the drafting loop wait for launches: expect less",
        )


def _unless(request: Request, rule: str, what: str) -> Iterator[Refusal]:
    engine = request.engine
    if engine.applies(rule):
        yield _refuse(
            rule,
            f"vLLM {engine.version} does not take {what} with speculation, "
            f"{engine.versions(lambda e: not e.applies(rule))} can; remove it from engine.extraArgs",
        )


def _refuse(rule: str, message: str) -> Refusal:
    return Refusal(field=_FIELD, reason=Reason.UNSUPPORTED_BY_ENGINE, rule=rule, message=message)

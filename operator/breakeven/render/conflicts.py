"""Flags of the user's that do not go together with speculation, by release: the table's list, put into code."""

from collections.abc import Iterator

from breakeven.api.spec import AcceptanceMethod, DraftMethod
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, Engine, EngineRemark, Refusal
from breakeven.render.request import Request
from breakeven.render.schedule import DEFAULT_MAX_NUM_SEQS

_FIELD = "engine.extraArgs"
_UNSUPPORTED_MODES = ("--enable-dbo", "--ubatch-size", "--enable-prompt-embeds")
_EAGLE_LIKE = frozenset({DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.MTP})
_ASYNCHRONOUS = {
    DraftMethod.EAGLE: ("AsyncScheduling",),
    DraftMethod.DRAFT_MODEL: ("AsyncScheduling", "AsyncSchedulingDraftModel"),
    DraftMethod.NGRAM: ("AsyncScheduling", "AsyncSchedulingNGram"),
    None: ("AsyncScheduling", "AsyncSchedulingNotEagle"),
}
"""Rules against --async-scheduling: those of EAGLE hold for its like, those of None for every other method."""


def check_conflicts(request: Request) -> Iterator[EngineRemark]:
    """Find flags in `engine.extraArgs` that this engine does not take together with what is drafted."""
    if request.method is None:
        if request.extra.has("--per-request-spec-decode-metrics") and request.engine.applies("PerRequestMetrics"):
            yield Refusal(
                field=_FIELD,
                reason=Reason.INVALID_CONFIGURATION,
                rule="PerRequestMetrics",
                message="--per-request-spec-decode-metrics does not start without speculation, which every variant "
                "must: remove it",
            )
        return
    yield from _parallelism(request)
    yield from _scheduling(request)
    yield from _features(request)


def _parallelism(request: Request) -> Iterator[EngineRemark]:
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


def _scheduling(request: Request) -> Iterator[EngineRemark]:
    engine, extra = request.engine, request.extra
    if extra.has("--enable-chunked-prefill") and extra.value("--enable-chunked-prefill") != "False":
        yield from _unless(request, "--enable-chunked-prefill", "ChunkedPrefill")
    if (extra.number("--num-scheduler-steps") or 1) > 1:
        yield from _unless(request, "--num-scheduler-steps", "MultiStep", what="--num-scheduler-steps above 1")
    if extra.has("--async-scheduling"):
        yield from _unless(request, "--async-scheduling", *_ASYNCHRONOUS[_kind(request.method)])
    if request.method is DraftMethod.DRAFT_MODEL and engine.applies("BatchedTokensTooFew"):
        tokens, seqs = extra.number("--max-num-batched-tokens"), extra.number("--max-num-seqs") or DEFAULT_MAX_NUM_SEQS
        if tokens is not None and tokens <= seqs:
            yield _refuse(
                "BatchedTokensTooFew",
                f"--max-num-batched-tokens={tokens} must be above --max-num-seqs={seqs}: a draft model takes "
                f"a slot per sequence up to 0.32.0, {_draft_models_without(engine, 'BatchedTokensTooFew')} can",
            )


def _draft_models_without(engine: Engine, rule: str) -> str:
    return engine.versions(lambda e: e.supports(DraftMethod.DRAFT_MODEL) and not e.applies(rule))


def _kind(method: DraftMethod | None) -> DraftMethod | None:
    if method in (DraftMethod.DRAFT_MODEL, DraftMethod.NGRAM):
        return method
    return DraftMethod.EAGLE if method in _EAGLE_LIKE else None


def _features(request: Request) -> Iterator[EngineRemark]:
    extra = request.extra
    if extra.has("--logits-processors"):
        yield from _unless(request, "--logits-processors", "LogitsProcessors")
    for flag in _UNSUPPORTED_MODES:
        if extra.has(flag):
            yield from _unless(request, flag, "UnsupportedMode")
    pooling = {"--runner": ("pooling",), "--task": ("embed", "embedding", "classify", "score", "reward")}
    for flag, values in pooling.items():
        if extra.value(flag) in values:
            yield from _unless(request, flag, "UnsupportedMode", what=f"{flag} {extra.value(flag)}")
    yield from _watermark(request)
    if extra.has("--guided-decoding-backend"):
        yield from _unless(request, "--guided-decoding-backend", "StructuredOutputV0")
    if extra.has("--enable-lora"):
        yield from _lora(request)
    if extra.has("--enforce-eager"):
        yield Caution(
            field=_FIELD,
            rule="EnforceEager",
            message="--enforce-eager makes the drafting loop wait for launches: expect less",
        )


def _watermark(request: Request) -> Iterator[Refusal]:
    draft = request.variant.draft
    flag = next((a.given for a in request.extra.arguments if "watermark" in a.given.lower()), None)
    if draft is None or flag is None or not request.engine.applies("Watermark"):
        return
    if draft.acceptance.method is not AcceptanceMethod.PROBABILISTIC:
        yield Refusal(
            field=_FIELD,
            reason=Reason.INVALID_CONFIGURATION,
            rule="Watermark",
            message=f"{flag} needs probabilistic drafts while speculating; "
            "set draft.acceptance.method to Probabilistic, or remove it from engine.extraArgs",
        )


def _lora(request: Request) -> Iterator[EngineRemark]:
    engine, method = request.engine, request.method
    if request.on_v1 or method is None:
        message = "the drafter never applies a LoRA adapter: expect less acceptance"
        yield Caution(field=_FIELD, rule="Lora", message=message)
        return
    can = engine.versions(lambda e: e.supports(method) and e.generation(method) == "v1")
    yield _refuse(
        "LoraV0",
        f"vLLM {engine.version} drafts with {method.value} on its V0 engine, which takes no LoRA; {can} can; "
        "remove --enable-lora from engine.extraArgs",
    )


def _unless(request: Request, flag: str, *rules: str, what: str = "") -> Iterator[Refusal]:
    """Refuse a flag that one of these rules forbids here, with the releases that have it and forbid it not."""
    engine, method = request.engine, request.method
    rule = next((r for r in rules if engine.applies(r)), None)
    if rule is None or method is None:
        return
    followed = flag in engine.cli_flags | engine.removed_flags
    can = engine.versions(
        lambda e: (
            e.supports(method)
            and not any(e.applies(r) for r in rules)
            and (flag in e.cli_flags if followed else e.generation(method) == "v1")
        )
    )
    yield _refuse(
        rule,
        f"vLLM {engine.version} does not take {what or flag} with {method.value}, {can} can; "
        f"remove {flag} from engine.extraArgs",
    )


def _refuse(rule: str, message: str) -> Refusal:
    return Refusal(field=_FIELD, reason=Reason.UNSUPPORTED_BY_ENGINE, rule=rule, message=message)

"""Which ways of drafting an engine version has, and what each of them needs."""

from collections.abc import Iterator

from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, Engine, EngineRemark, Refusal
from breakeven.render.request import Request
from breakeven.render.speculation import NGRAMS

_NO_MODEL = frozenset({DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX})
_EITHER = frozenset({DraftMethod.MTP})
_SNIFFED = (("eagle-", "0.8.3"), ("eagle3", "0.8.3"), ("dflash", "0.20.0"), ("dspark", "0.25.0"))
"""Words in a draft's path that overwrite even an explicit method (0.33.0 config/speculative.py:1430-1475)."""
_KEEPS = {
    DraftMethod.EAGLE: ("eagle-", "eagle3"),
    DraftMethod.EAGLE3: ("eagle-", "eagle3"),
    DraftMethod.DFLASH: ("dflash",),
    DraftMethod.DSPARK: ("dspark",),
}
_OTHER_FAMILIES = ("llama", "qwen", "minicpm", "gpt-oss", "hunyuan", "afmoe", "nemotron", "deepseek", "kimi", "gemma")


def check_drafting(request: Request) -> Iterator[EngineRemark]:
    """Find a way of drafting that this engine lacks, or that misses what it needs."""
    draft, engine = request.variant.draft, request.engine
    if draft is None:
        return
    if not engine.supports(draft.method):
        yield _missing(engine, draft.method)
        return
    yield from _check_engine(request, draft)
    yield from _check_model(draft, engine)
    yield from _check_lookup(draft)
    yield from _check_method(request, draft)


def _missing(engine: Engine, method: DraftMethod) -> Refusal:
    others = [m.value for m in DraftMethod if engine.supports(m)]
    return Refusal(
        field="draft.method",
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        rule="DraftModelMissing" if method is DraftMethod.DRAFT_MODEL else "",
        message=f"vLLM {engine.version} cannot draft with {method.value}, "
        f"{engine.versions(lambda e: e.supports(method))} "
        f"can; use such an image, or set draft.method to one of {', '.join(others)}",
    )


def _check_engine(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    engine = request.engine
    if not engine.drafts_on(draft.method, request.generation):
        yield Refusal(
            field="engine.env",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"VLLM_USE_V1={request.forced_engine} makes vLLM {engine.version} draft on its "
            f"{request.generation.upper()} engine, which has no {draft.method.value}; remove VLLM_USE_V1",
        )
    if request.forced_engine == "0" and engine.at_least("0.10.0"):
        yield Caution(
            field="engine.env",
            message=f"VLLM_USE_V1=0 asks for an engine that vLLM {engine.version} does not draft on; remove it",
        )
    if draft.method is DraftMethod.DSPARK and request.env.get("VLLM_USE_V2_MODEL_RUNNER") == "0":
        yield Refusal(
            field="engine.env",
            reason=Reason.INVALID_CONFIGURATION,
            message="DSpark runs on model runner V2 only; remove VLLM_USE_V2_MODEL_RUNNER",
        )
    if not request.on_v1 and draft.method is DraftMethod.DRAFT_MODEL:
        yield Caution(
            field="target.gpuMemoryUtilization",
            rule="MemoryV0",
            message=f"vLLM {engine.version} sizes its KV cache as if there were no draft; "
            "lower target.gpuMemoryUtilization by the draft's share of GPU memory",
        )


def _check_model(draft: DraftSpec, engine: Engine) -> Iterator[Refusal]:
    if draft.model is None:
        if draft.method not in _NO_MODEL | _EITHER:
            yield _wrong("draft.model", f"{draft.method.value} needs a draft; set draft.model to its name or path")
        if draft.revision is not None:
            yield _wrong("draft.revision", "there is no draft model it could belong to; remove draft.revision")
        return
    if draft.method in _NO_MODEL:
        yield _wrong("draft.model", f"{draft.method.value} drafts without a model; remove draft.model")
    if draft.method is DraftMethod.MTP and engine.before("0.9.0"):
        yield _wrong("draft.model", f"vLLM {engine.version} takes MTP layers from the target only; remove draft.model")
    if draft.revision is not None and not engine.speaks_json:
        yield Refusal(
            field="draft.revision",
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no revision for the draft, "
            f"{engine.versions(lambda e: e.speaks_json)} can; "
            "remove draft.revision, or set draft.model to a local path of that revision",
        )
    yield from _check_path(draft, draft.model, engine)


def _check_path(draft: DraftSpec, model: str, engine: Engine) -> Iterator[Refusal]:
    own = _KEEPS.get(draft.method, ())
    for word, since in _SNIFFED:
        if engine.at_least(since) and word in model.lower() and not any(w in model.lower() for w in own):
            yield Refusal(
                field="draft.model",
                reason=Reason.INVALID_CONFIGURATION,
                rule="NeutralDraftPath",
                message=f"vLLM {engine.version} reads {word!r} in this name as a drafting method and overwrites "
                f"{draft.method.value}; mount the draft under a neutral path such as /models/draft and name that path",
            )
            return


def _check_lookup(draft: DraftSpec) -> Iterator[Refusal]:
    longest, shortest = draft.prompt_lookup_max, draft.prompt_lookup_min
    for field, value in (("draft.promptLookupMax", longest), ("draft.promptLookupMin", shortest)):
        if value is not None and draft.method not in NGRAMS:
            yield _wrong(field, f"{draft.method.value} looks up no n-grams; remove {field}")
    if longest is not None and shortest is not None and shortest > longest:
        yield _wrong("draft.promptLookupMin", f"{shortest} is above draft.promptLookupMax; set it to {longest} or less")


def _check_method(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    engine, target = request.engine, request.variant.target.model.lower()
    match draft.method:
        case DraftMethod.SUFFIX:
            yield Caution(
                field="engine.image",
                message="Suffix needs the package arctic-inference in the image; without it the engine ends at start",
            )
        case DraftMethod.MTP:
            literal = engine.method_literal(draft.method, target)
            if literal is not None and literal not in engine.methods:
                yield Refusal(
                    field="draft.method",
                    reason=Reason.UNSUPPORTED_BY_ENGINE,
                    message=f"vLLM {engine.version} has no {literal}, {engine.versions_with('methods', literal)} can; "
                    "use such an image",
                )
            if draft.num_speculative_tokens > 1:
                yield Caution(
                    field="draft.numSpeculativeTokens",
                    rule="MtpLength",
                    message="must be a multiple of the checkpoint's n_predict; more than one reuses the same "
                    "layer, and acceptance falls fast",
                )
        case DraftMethod.EAGLE if engine.before("0.9.0"):
            yield Caution(
                field="draft.model", message=f"vLLM {engine.version} needs an EAGLE checkpoint converted for it"
            )
        case DraftMethod.EAGLE3:
            yield from _check_family(engine, target)
        case _:
            return


def _check_family(engine: Engine, target: str) -> Iterator[EngineRemark]:
    families = engine.eagle3_target_families
    if not families or any(f in target for f in families):
        return
    other = next((f for f in _OTHER_FAMILIES if f in target), None)
    message = (
        f"vLLM {engine.version} takes EAGLE-3 heads for {', '.join(families)} targets only, 0.22.0 and newer for any"
    )
    if other:
        yield Refusal(field="draft.method", reason=Reason.UNSUPPORTED_BY_ENGINE, rule="EagleFamilies", message=message)
    else:
        yield Caution(field="draft.method", rule="EagleFamilies", message=message)


def _wrong(field: str, message: str) -> Refusal:
    return Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=message)

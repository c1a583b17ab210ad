"""Checkpoints and combinations that start and then crash, or serve something else, by release and by name.

Weights are not opened here, so what a checkpoint is comes from its name and from `draft.facts`.
"""

import re
from collections.abc import Iterator

from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.request import Request

_EAGLE = frozenset({DraftMethod.EAGLE, DraftMethod.EAGLE3})
_DENSE_DRAFTS = frozenset({DraftMethod.DRAFT_MODEL, DraftMethod.DFLASH, DraftMethod.DSPARK})
_SHORT_HEADS = re.compile(r"(?:^|/)(?:sglang-)?eagle3?-(?:llama-?3|deepseek-r1-distill)")
"""Heads by the authors of EAGLE and those trained with their code, whose config.json says 2,048 positions."""
SHORT_HEAD_POSITIONS = 2048
_HYBRID = re.compile(
    r"qwen-?3\.[56]|qwen-?3-(?:coder-)?next|nemotron-?(?:h|3|nano-(?:9|12)b-v2)|granite-4\.\d-h|jamba|zamba|bamba|"
    r"falcon-h1|kimi-linear|minimax-text|lfm-?2|plamo-?2|(?:ring|ling)-[^/]*linear"
)
"""Targets that mix attention with recurrent layers."""
_GEMMA4 = re.compile(r"gemma-?4")
_SPECULATORS = re.compile(r"[-._]speculator\.[a-z0-9]+$")
"""How the speculators project names its checkpoints: `Qwen3-8B-speculator.eagle3`."""


def check_known_crashes(request: Request) -> Iterator[EngineRemark]:
    """Find what is known to crash, or to draft although no draft is declared."""
    yield from _speculators_target(request)
    draft = request.variant.draft
    if draft is None:
        return
    yield from _head_context(request, draft)
    yield from _context_parallel(request, draft)
    yield from _hybrid_target(request, draft)
    yield from _gemma4(request, draft)


def _speculators_target(request: Request) -> Iterator[EngineRemark]:
    name = request.variant.target.model.lower().rstrip("/")
    if _SPECULATORS.search(name):
        yield Refusal(
            field="target.model",
            reason=Reason.INVALID_CONFIGURATION,
            rule="SpeculatorsTarget",
            message="this is a draft of the speculators project: as a target it loads its verifier and drafts by "
            "itself, so the variant without speculation would speculate too; write the verifier as target.model, and "
            "this as draft.model",
        )
    elif "speculator" in name.rpartition("/")[2]:
        yield Caution(
            field="target.model",
            rule="SpeculatorsTarget",
            message="if this is a checkpoint of the speculators project, it drafts by itself and the variant without "
            "speculation is not plain: write its verifier as target.model, and this as draft.model",
        )


def _head_context(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    """An EAGLE head reads rotary positions from a table as long as its own config says (vllm issue 48894)."""
    if draft.method not in _EAGLE or draft.model is None:
        return
    known = draft.facts.max_position_embeddings if draft.facts is not None else None
    if known is None and _SHORT_HEADS.search(draft.model.lower()):
        known = SHORT_HEAD_POSITIONS
    served = request.variant.target.max_model_len
    if known is None or (served is not None and served <= known):
        return
    beyond = f"{served} are served" if served is not None else "target.maxModelLen is not set"
    if request.engine.applies("EagleContext"):
        can = request.engine.versions(lambda e: e.supports(draft.method) and not e.applies("EagleContext"))
        yield Caution(
            field="target.maxModelLen",
            rule="EagleContext",
            message=f"the head {draft.model} has {known} positions and {beyond}: vLLM {request.engine.version} ends "
            f"with a device-side assert at the first longer request; write {known} or less, use a head trained for "
            f"longer contexts, or an engine that raises the limit: {can}",
        )
    else:
        yield Caution(
            field="target.maxModelLen",
            rule="EagleContextTrained",
            message=f"the head {draft.model} was trained on {known} positions and {beyond}: expect less acceptance "
            "beyond",
        )


def _context_parallel(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    ranks = request.extra.number("--decode-context-parallel-size") or 1
    if ranks > 1 and request.engine.applies("DecodeContextParallel"):
        crashes = (
            "crashes at the first request" if draft.method in _EAGLE else "is not supported throughout and has crashed"
        )
        yield Caution(
            field="engine.extraArgs",
            rule="DecodeContextParallel",
            message=f"{draft.method.value} with --decode-context-parallel-size {crashes} (vllm issues 40791, 50391): "
            "remove the flag, or try it before it serves",
        )


def _hybrid_target(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    engine = request.engine
    if draft.method not in _DENSE_DRAFTS or not engine.applies("DraftOnHybrid"):
        return
    if _HYBRID.search(request.variant.target.model.lower()):
        can = engine.versions(lambda e: e.supports(draft.method) and not e.applies("DraftOnHybrid"))
        yield Caution(
            field="draft.method",
            rule="DraftOnHybrid",
            message=f"{draft.method.value} on a target that mixes attention with recurrent layers has ended vLLM at "
            f"start (AssertionError in unify_kv_cache_spec_page_size, vllm issues 46480, 43626); use {can}, or MTP",
        )


def _gemma4(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    engine = request.engine
    if draft.method is not DraftMethod.MTP or not _GEMMA4.search(request.variant.target.model.lower()):
        return
    if engine.applies("Gemma4Mtp") and request.env.get("VLLM_USE_V2_MODEL_RUNNER") != "1":
        yield Caution(
            field="draft.method",
            rule="Gemma4Mtp",
            message=f"MTP of Gemma 4 ends vLLM {engine.version} at start (a and b must have same reduction dim, vllm "
            "issue 48848): set VLLM_USE_V2_MODEL_RUNNER to 1 in engine.env, or use 0.27.1 or newer",
        )
    if str(request.variant.target.kv_cache_dtype).startswith("fp8") and engine.applies("Gemma4MtpFp8"):
        if "attention_backend" in draft.extra_keys:
            return
        yield Caution(
            field="target.kvCacheDtype",
            rule="Gemma4MtpFp8",
            message="with an FP8 KV cache the drafter of Gemma 4 is given FlashInfer on Hopper and ends at start (vllm "
            "issues 48848, 48495): set target.kvCacheDtype to auto, or draft.extraKeys to "
            "{attention_backend: TRITON_ATTN}",
        )

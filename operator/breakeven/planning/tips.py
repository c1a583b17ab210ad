"""What else could be done with the same target, in figures: a narrower draft, n-gram drafting, nothing at all."""

from collections.abc import Iterator

from breakeven.api.spec import DraftMethod, DraftSpec, Quantization
from breakeven.api.variant import Variant
from breakeven.planning.outlook import Prediction
from breakeven.planning.plan import Plan, plan
from breakeven.planning.question import Question

_LOADED = 32
"""Batch beside 1 that the figures are given for, or the nearest one asked."""
_PREFILL = {
    DraftMethod.DRAFT_MODEL: "a draft model makes reading a prompt 16 to 21 % slower",
    DraftMethod.EAGLE: "a head makes reading a prompt 2 to 7 % slower",
    DraftMethod.EAGLE3: "a head makes reading a prompt 2 to 7 % slower",
}
"""Measured on one H200, vLLM 0.26.0, prompts of 512 tokens."""


def tips(variant: Variant, question: Question, made: Plan) -> tuple[str, ...]:
    """Advice on a plan that was made of this variant and question; empty without a draft."""
    if variant.draft is None:
        return ()
    return (
        *_narrower(variant, variant.draft, question, made),
        *_lookup(variant, variant.draft, question, made),
        _first_token(variant.draft),
    )


def _pair(made: Plan) -> tuple[Prediction, Prediction] | None:
    """Predictions at the smallest batch and at a loaded one, on the first GPU model."""
    seen = made.placements[0].outlook
    if seen is None or not seen.predictions:
        return None
    return seen.predictions[0], min(seen.predictions, key=lambda p: abs(p.batch - _LOADED))


def _figures(made: Plan) -> str:
    pair = _pair(made)
    if pair is None:
        return "speed-up unknown"
    return f"S {pair[0].speedup:.2f} at {pair[0].batch}, {pair[1].speedup:.2f} at {pair[1].batch}"


def _room(made: Plan) -> str:
    found = made.placements[0].variant
    return "KV tokens unknown" if found is None else f"{found.kv_tokens:,} KV tokens"


def _narrower(variant: Variant, draft: DraftSpec, question: Question, made: Plan) -> Iterator[str]:
    """Quantize the draft before relaxing the family."""
    if draft.method is not DraftMethod.DRAFT_MODEL or draft.quantization is not Quantization.NONE:
        return
    if made.draft is None or made.draft.weight_bits != 16.0:
        return
    narrow = draft.model_copy(update={"quantization": Quantization.FP8})
    other = plan(variant.with_draft(narrow), question)
    room = "" if _room(other) == _room(made) else f"{_room(other)} instead of {_room(made)}, "
    yield (
        f"quantize the draft before you take one of another family or size: in FP8 {room}{_figures(other)} instead of "
        f"{_figures(made)}; what another family costs in acceptance nobody has measured"
    )


def _lookup(variant: Variant, draft: DraftSpec, question: Question, made: Plan) -> Iterator[str]:
    """N-gram drafting beside what is declared."""
    if draft.method in (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX):
        drafting = made.acceptance.drafting if made.acceptance is not None else 1.0
        yield (
            "n-gram drafting pays where answers repeat their prompts (code editing, summaries, retrieval): "
            f"{_figures(made)} if {drafting:.0%} of the steps find a match; measure it as drafts / (generated − "
            "accepted tokens) of your traffic and give --drafting-share; without matches it only slows steps down"
        )
        return
    asked = Question(
        replicas=question.replicas,
        batches=question.batches,
        temperature=question.temperature,
        context=question.context,
        target_config=question.target_config,
    )
    lookup = DraftSpec(method=DraftMethod.NGRAM, num_speculative_tokens=draft.num_speculative_tokens)
    other = plan(variant.with_draft(lookup), asked)
    share = "half of the steps find a match" if other.acceptance is not None else "steps find matches"
    yield (
        f"n-gram instead of {draft.method.value}: {_figures(other)} if {share}, against {_figures(made)}, and "
        f"{_room(other)} instead of {_room(made)}; it is the better one only where answers repeat their prompts (code "
        "editing, summaries, retrieval)"
    )


def _first_token(draft: DraftSpec) -> str:
    slower = _PREFILL.get(draft.method)
    return (
        "bound by time to first token? Then leave it off: speculation shortens decoding only"
        + (f", and {slower}" if slower else "")
        + "; prefix caching, chunked prefill or more replicas shorten it"
    )

"""Whether target and draft can run together on this many GPUs, and what about the pair will hurt."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.engines import Engine
from breakeven.planning.architecture import Architecture

LARGE_DRAFT = 0.33
"""Active parameters of the draft over those of the target above which one drafted token costs too much to try longer
drafts."""

_VOCABULARY_PAD = 64
"""vLLM pads vocabularies to a multiple of this before it splits them."""


class Severity(StrEnum):
    """What a remark means for the pods."""

    REFUSAL = "Refusal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that planning found wrong, and the field to change."""

    severity: Severity
    field: str
    message: str
    memory: bool = False
    """Whether it is about the room that is left, which a condition of its own reports."""


def refusal(field: str, message: str) -> Remark:
    """What cannot start."""
    return Remark(severity=Severity.REFUSAL, field=field, message=message)


def warning(field: str, message: str) -> Remark:
    """What will hurt."""
    return Remark(severity=Severity.WARNING, field=field, message=message)


def split_remarks(model: Architecture, gpus: int, *, field: str) -> Iterator[Remark]:
    """Whether a model can be split over this many GPUs, as vLLM checks it at start-up. Unknown counts are passed
    over."""
    if gpus == 1:
        return
    if model.heads is not None and model.heads % gpus:
        yield refusal(field, f"{model.name} has {model.heads} attention heads, which {gpus} GPUs do not divide")
    kv = model.kv_heads
    if kv is not None and model.latent_width is None and kv % gpus and gpus % kv:
        yield refusal(
            field, f"{model.name} has {kv} KV heads, which neither divide {gpus} GPUs nor are divided by them"
        )
    if model.vocab_size is not None:
        padded = -(-model.vocab_size // _VOCABULARY_PAD) * _VOCABULARY_PAD
        if padded % gpus:
            yield refusal(
                field, f"{model.name} has a vocabulary of {padded} after padding, which {gpus} GPUs do not divide"
            )


def related(target: Architecture, draft: Architecture) -> bool | None:
    """Whether two models are of one family; None where it is not known, or where two sources name families each in its
    own way."""
    if target.family is None or draft.family is None:
        return None
    if target.family == draft.family:
        return True
    same_words = any(source in target.origin and source in draft.origin for source in ("catalog", "config.json"))
    return False if same_words else None


def pair_remarks(
    target: Architecture, draft: Architecture | None, *, spec: DraftSpec, engine: Engine
) -> Iterator[Remark]:
    """What is wrong with a pair of models: vocabularies, token ids, family, size."""
    method = spec.method
    if method is DraftMethod.DRAFT_MODEL and draft is not None:
        yield from _draft_model_remarks(target, draft, mapped=spec.extra_keys.get("use_heterogeneous_vocab") is True)
        if engine.applies("MultimodalDraft") and (target.multimodal or draft.multimodal):
            yield refusal(
                "draft.method",
                f"vLLM {engine.version} takes no draft model where target or draft is multimodal, "
                f"{engine.versions(lambda e: e.supports(method) and not e.applies('MultimodalDraft'))} can",
            )


def _draft_model_remarks(target: Architecture, draft: Architecture, *, mapped: bool) -> Iterator[Remark]:
    if mapped:
        yield warning(
            "draft.extraKeys",
            "use_heterogeneous_vocab drafts only tokens that both vocabularies have: expect less acceptance",
        )
    elif target.vocab_size is not None and draft.vocab_size is not None and target.vocab_size != draft.vocab_size:
        yield refusal(
            "draft.model",
            f"vocabularies differ ({target.name} {target.vocab_size}, {draft.name} {draft.vocab_size}); "
            "vLLM refuses such a pair at start-up, unless draft.extraKeys says use_heterogeneous_vocab: true "
            "(0.25.0 and newer)",
        )
    elif target.tokenizer_group and draft.tokenizer_group and target.tokenizer_group != draft.tokenizer_group:
        # The names of the catalog are those of families: Qwen 2.5 and 3 share most ids. Declared names are taken at
        # their word.
        declared = "resource" in target.origin and "resource" in draft.origin
        yield (refusal if declared else warning)(
            "draft.model",
            f"token ids differ ({target.tokenizer_group}, {draft.tokenizer_group}) though vocabularies are of one "
            "size: vLLM starts and may accept next to nothing; choose a draft with the target's tokenizer",
        )
    elif related(target, draft) is False:
        yield warning(
            "draft.model",
            f"{draft.name} is of another family ({draft.family}) than {target.name} ({target.family}); "
            "expect less acceptance than within one",
        )
    ratio = size_ratio(target, draft)
    if ratio is not None and ratio > LARGE_DRAFT:
        sparse = " (active parameters: the target reads few per token)" if target.is_sparse else ""
        yield warning(
            "draft.model",
            f"one drafted token reads {ratio:.2f} of what a target token reads{sparse}; "
            "a smaller draft or a head pays sooner",
        )


def size_ratio(target: Architecture, draft: Architecture) -> float | None:
    """Active parameters of the draft over those of the target; None when unknown."""
    if target.active_params is None or draft.active_params is None or target.active_params <= 0:
        return None
    return draft.active_params / target.active_params


def length_remarks(
    target: Architecture, draft: Architecture | None, max_model_len: int | None, *, on_v1: bool
) -> Iterator[Remark]:
    """Whether the context that is served, as declared or else the target's longest, is one the models take."""
    served = max_model_len or target.max_position
    if draft is not None and draft.max_position is not None and served is not None and served > draft.max_position:
        said = f"{draft.name} takes {draft.max_position} tokens, fewer than the {served} that are served"
        if on_v1:
            yield refusal(
                "target.maxModelLen",
                f"{said}: beyond that acceptance falls to nothing or the engine crashes, by release; "
                f"write {draft.max_position} or less, or choose another draft.model",
            )
        else:
            yield warning("draft.model", f"{said}: sequences beyond that are not drafted for")
    if max_model_len is None:
        return
    if target.max_position is not None and max_model_len > target.max_position:
        yield warning(
            "target.maxModelLen",
            f"{max_model_len} is more than the {target.max_position} tokens {target.name} is known for; "
            "vLLM refuses it unless the checkpoint or extraArgs extend the context",
        )

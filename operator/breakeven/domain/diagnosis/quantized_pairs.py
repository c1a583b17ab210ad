"""Which pairs are quantized, and what their acceptance is compared with."""

import hashlib
from decimal import Decimal

from breakeven.api.spec import Quantization
from breakeven.api.variant import Variant
from breakeven.domain.situation import Situation


def reference_of(situation: Situation, variant: Variant) -> Decimal | None:
    """Acceptance that a quantized pair is compared with; None where it is not quantized or nothing is known."""
    if not quantized(situation, variant):
        return None
    declared, known = situation.spec.quantization_reference.acceptance, situation.memory.unquantized
    if declared is not None:
        return declared
    same = known is not None and known.pair == pair_of(variant, made_from(situation, variant))
    return known.acceptance if known is not None and same else None


def quantized(situation: Situation, variant: Variant) -> bool:
    """Whether either model of a pair is quantized, or was made from another one by `spec.quantizationReference`."""
    draft = variant.draft.quantization if variant.draft is not None else Quantization.NONE
    if variant.target.quantization is not Quantization.NONE or draft is not Quantization.NONE:
        return True
    return made_from(situation, variant) != (variant.target.model, _draft_model(variant))


def _draft_model(variant: Variant) -> str:
    return variant.draft.model or "" if variant.draft is not None else ""


def made_from(situation: Situation, variant: Variant) -> tuple[str, str]:
    """Names of the unquantized models of a pair."""
    spec, reference = situation.spec, situation.spec.quantization_reference
    target, draft = variant.target.model, _draft_model(variant)
    if reference.target is not None and target == spec.target.model:
        target = reference.target
    if reference.draft is not None and spec.draft is not None and draft and draft == spec.draft.model:
        draft = reference.draft
    return target, draft


def pair_of(variant: Variant, made_from: tuple[str, str] | None = None) -> str:
    """Names a pair whatever its quantization: the models, the method and the draft length.

    `made_from` has the names of the unquantized target and draft, where they are others.
    """
    draft = variant.draft
    target, model = made_from or (variant.target.model, _draft_model(variant))
    parts = [target]
    if draft is not None:
        parts += [str(draft.method), model, str(draft.num_speculative_tokens), str(draft.acceptance.method)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]

"""Weight formats of target and draft: which flag or key each needs, and what is refused.

Only formats made on load are written. A checkpoint that carries its own format says so itself, and a flag that
disagrees with it is a ValueError (0.33.0 config/model.py:1458).
"""

from collections.abc import Iterator

from breakeven.api.spec import DraftMethod, Quantization
from breakeven.engines import Engine, Finding, Reason, Refusal
from breakeven.render.request import Request

_BITSANDBYTES = frozenset({Quantization.INT4, Quantization.BITSANDBYTES})
"""INT4 of an unquantized checkpoint is NF4 by bitsandbytes: the only 4-bit format that vLLM makes on load."""
_SHARES_WEIGHTS = frozenset({DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX, DraftMethod.MTP})
"""Methods without weights of their own file."""
_INHERITS = frozenset({DraftMethod.MTP, DraftMethod.DSPARK})
"""Methods whose draft takes the target's format."""


def on_load(quantization: Quantization) -> str | None:
    """vLLM's name of a format made on load; None for the formats that a checkpoint brings along."""
    if quantization is Quantization.FP8:
        return "fp8"
    return "bitsandbytes" if quantization in _BITSANDBYTES else None


def target_quantization(request: Request) -> list[str]:
    """Arguments for the target's weight format, and the load format where the release does not set it itself."""
    name = on_load(request.variant.target.quantization)
    if name is None:
        return []
    arguments = [f"--quantization={name}"]
    if name == "bitsandbytes" and request.engine.before("0.8.2"):
        arguments.append("--load-format=bitsandbytes")
    return arguments


def draft_quantization(request: Request) -> str | None:
    """Value of the draft's `quantization`; None to leave it out. It is never inherited from the target's field."""
    draft = request.variant.draft
    if draft is None or draft.method in _SHARES_WEIGHTS | _INHERITS:
        return None
    return on_load(draft.quantization)


def check_quantization(request: Request) -> Iterator[Finding]:
    """Find formats that this engine cannot make, or cannot mix."""
    target, draft = request.variant.target, request.variant.draft
    yield from _check_format("target", target.quantization, request.engine)
    if draft is None:
        return
    if draft.method in _SHARES_WEIGHTS | _INHERITS:
        fine = {Quantization.NONE, Quantization.PREQUANTIZED}
        if draft.method in _INHERITS:
            fine.add(target.quantization)
        if draft.quantization not in fine:
            yield Refusal(
                field="draft.quantization",
                reason=Reason.INVALID_CONFIGURATION,
                message=f"{draft.method.value} has no weights with a format of their own; remove draft.quantization",
            )
        return
    yield from _check_format("draft", draft.quantization, request.engine)
    sides = [on_load(q) == "bitsandbytes" for q in (target.quantization, draft.quantization)]
    if sides[0] != sides[1]:
        yield Refusal(
            field="draft.quantization",
            reason=Reason.INVALID_CONFIGURATION,
            message="bitsandbytes sets one load format for target and draft; "
            "quantize both with it or neither (FP8, or checkpoints that are already quantized)",
        )


def _check_format(side: str, quantization: Quantization, engine: Engine) -> Iterator[Refusal]:
    field = f"{side}.quantization"
    if quantization is Quantization.INT8:
        yield Refusal(
            field=field,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message="no vLLM release makes INT8 weights on load; "
            f"set {side}.model to a checkpoint that is INT8 already (compressed-tensors W8A8, GPTQ 8 bit) "
            f"and {field} to Prequantized, or use FP8",
        )
        return
    name = on_load(quantization)
    if name is not None and name not in engine.quantization_methods:
        yield Refusal(
            field=field,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            rule="BitsAndBytesGone",
            message=f"vLLM {engine.version} cannot make {quantization.value} weights on load, "
            f"{engine.versions_with('quantization_methods', name)} can; set {side}.model to an AWQ, GPTQ or "
            f"compressed-tensors checkpoint and {field} to Prequantized",
        )

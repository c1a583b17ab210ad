"""Weight formats of target and draft: which flag or key each needs, and what is refused.

Only formats made on load are written. A checkpoint that carries its own format says so itself, and a flag that
disagrees with it is a ValueError (0.33.0 config/model.py:1458).
"""

from collections.abc import Iterator
from difflib import get_close_matches

from breakeven.api.spec import DraftMethod, DraftSpec, Quantization, TargetSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Engine, EngineRemark, Refusal
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


def written(side: TargetSpec | DraftSpec) -> str | None:
    """The name that is written for target or draft: the one declared in vLLM's words, else that of the format."""
    return side.quantization_method or on_load(side.quantization)


def target_quantization(request: Request) -> list[str]:
    """Arguments for the target's weight format, and the load format where the release does not set it itself."""
    name = written(request.variant.target)
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
    return written(draft)


def check_quantization(request: Request) -> Iterator[EngineRemark]:
    """Find formats that this engine cannot make, or cannot mix."""
    target, draft = request.variant.target, request.variant.draft
    yield from _check_format("target", target, request.engine)
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
        if draft.quantization_method is not None:
            yield Refusal(
                field="draft.quantizationMethod",
                reason=Reason.INVALID_CONFIGURATION,
                message=f"{draft.method.value} takes the format of the target; remove draft.quantizationMethod",
            )
        return
    yield from _check_format("draft", draft, request.engine)
    sides = [written(side) == "bitsandbytes" for side in (target, draft)]
    if sides[0] != sides[1]:
        yield Refusal(
            field="draft.quantization",
            reason=Reason.INVALID_CONFIGURATION,
            message="bitsandbytes sets one load format for target and draft; "
            "quantize both with it or neither (FP8, or checkpoints that are already quantized)",
        )


def _check_format(name: str, side: TargetSpec | DraftSpec, engine: Engine) -> Iterator[Refusal]:
    if side.quantization_method is not None:
        yield from _check_method(name, side.quantization_method, engine)
        return
    field, quantization = f"{name}.quantization", side.quantization
    if quantization is Quantization.INT8:
        yield Refusal(
            field=field,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message="no vLLM release makes INT8 weights on load; "
            f"set {name}.model to a checkpoint that is INT8 already (compressed-tensors W8A8, GPTQ 8 bit) "
            f"and {field} to Prequantized, or use FP8",
        )
        return
    method = on_load(quantization)
    if method is not None and method not in engine.quantization_methods:
        yield Refusal(
            field=field,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            rule="BitsAndBytesGone",
            message=f"vLLM {engine.version} cannot make {quantization.value} weights on load, "
            f"{engine.versions_with('quantization_methods', method)} can; set {name}.model to an AWQ, GPTQ or "
            f"compressed-tensors checkpoint and {field} to Prequantized",
        )


def _check_method(name: str, method: str, engine: Engine) -> Iterator[Refusal]:
    if method in engine.quantization_methods:
        return
    field = f"{name}.quantizationMethod"
    if method not in engine.table.every_name("quantization_methods"):
        close = get_close_matches(method, sorted(engine.quantization_methods), n=1)
        meant = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(engine.quantization_methods))}"
        yield Refusal(
            field=field,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no --quantization {method}; {meant}",
        )
        return
    yield Refusal(
        field=field,
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        message=f"vLLM {engine.version} has no --quantization {method}, "
        f"{engine.versions_with('quantization_methods', method)} can; remove {field}, or use such an image",
    )

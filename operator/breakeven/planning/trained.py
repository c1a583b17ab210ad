"""Draft heads and prediction layers: whether they belong to the target, and how long a context they take."""

import re
from collections.abc import Iterator

from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.engines import Engine
from breakeven.planning import catalog
from breakeven.planning.architecture import Architecture
from breakeven.planning.pairing import Remark, refusal, warning

_ROTARY_RAISED = "0.27.1"
"""First release that raises a head's rotary table to the target's context (vllm#49343, for vllm#48894)."""
_DRAFT_CHECKPOINT = re.compile(
    r"speculator|eagle-?3|[-_.]eagle\b|[-_.]dflash\b|[-_.]medusa\b|-assistant$", re.IGNORECASE
)
"""Names of checkpoints that hold a draft and not a model that serves."""
_DISTILLED = re.compile(r"distill", re.IGNORECASE)


def head_remarks(target: Architecture, *, spec: DraftSpec, served: int | None, engine: Engine) -> Iterator[Remark]:
    """What is wrong with a trained head: another target, or sequences beyond the positions it knows.

    `served` is the longest context that is served, None when it is not known.
    """
    head = catalog.heads().get((spec.model or "").lower())
    if head is None:
        return
    trained = catalog.models()[head.target]
    if target.hidden is not None and trained.hidden != target.hidden:
        yield refusal(
            "draft.model",
            f"{head.name} is trained for {trained.name} (width {trained.hidden}); "
            f"the target's width is {target.hidden}",
        )
    elif target.key is not None and target.key != head.target:
        yield warning(
            "draft.model", f"{head.name} is trained for {trained.name}; expect low acceptance on {target.name}"
        )
    if head.max_position is not None and served is not None and served > head.max_position:
        yield _short_head(head, head.max_position, served, engine, spec.method)


def _short_head(head: catalog.Head, positions: int, served: int, engine: Engine, method: DraftMethod) -> Remark:
    said = f"{head.name} knows {positions} positions, fewer than the {served} that are served"
    if engine.at_least(_ROTARY_RAISED):
        return warning("draft.model", f"{said}: beyond them expect less acceptance")
    if engine.generation(method) == "v0":
        return warning("draft.model", f"{said}: sequences beyond that are not drafted for")
    return warning(
        "target.maxModelLen",
        f"{said}: on vLLM {engine.version} the first longer sequence ends the engine with a device-side assert; "
        f"write {positions} or less, or use an image of {_ROTARY_RAISED} or newer",
    )


def prediction_remarks(target: Architecture, k: int) -> Iterator[Remark]:
    """Whether a target has prediction layers of its own, and whether k is a multiple of them."""
    layers = target.native_mtp_layers
    if layers == 0:
        why = ": a distilled copy has none of its teacher's" if _DISTILLED.search(target.name) else ""
        yield refusal("draft.method", f"{target.name} has no multi-token-prediction layers{why}; choose another method")
    elif layers is None and _DISTILLED.search(target.name):
        yield warning(
            "draft.method",
            f"{target.name} is a distilled copy by its name: those have none of their teacher's prediction layers, and "
            "the engine then does not start; choose another method or read num_nextn_predict_layers in its config.json",
        )
    elif layers is not None and k % layers:
        yield refusal(
            "draft.numSpeculativeTokens",
            f"{target.name} predicts {layers} tokens at a time; write a multiple of {layers} instead of {k}",
        )


def target_remarks(name: str) -> Iterator[Remark]:
    """Whether the target is a draft checkpoint, so that even the variant without a draft would draft."""
    head = catalog.heads().get(name.lower())
    if head is not None:
        verifier = catalog.models()[head.target].name
        yield refusal(
            "target.model",
            f"{name} is a draft trained for {verifier}: where vLLM serves it at all, it loads that model and drafts by "
            f"itself, so the variant without speculation would not be without; set target.model to {verifier} and "
            f"draft.model to {name}",
        )
    elif _DRAFT_CHECKPOINT.search(name):
        yield warning(
            "target.model",
            f"{name} looks like a draft checkpoint: where vLLM serves it at all, it drafts by itself, so the variant "
            "without speculation would not be without; set target.model to the model it was trained for, and "
            "draft.model to this one",
        )

"""Speculation on a command line as `spec.draft`: JSON, dotted keys, short flags, the flags of 0.6 to 0.8.2."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from breakeven.adopt.flags import Flag
from breakeven.adopt.notes import Note
from breakeven.api.choices import DraftMethod, Quantization
from breakeven.engines import load
from breakeven.render.quantization import on_load
from breakeven.render.speculation import FLAG_OF

_KEY_OF = {flag: key for key, flag in FLAG_OF.items()} | {
    "--spec-method": "method",
    "--spec-model": "model",
    "--spec-tokens": "num_speculative_tokens",
}
_NGRAM = "[ngram]"
_MTP = ("mtp", "deepseek_mtp", "ernie_mtp", "qwen3_next_mtp", "mimo_mtp", "glm4_moe_mtp")
_FIELD_OF = {
    "model": "model",
    "revision": "revision",
    "num_speculative_tokens": "numSpeculativeTokens",
    "prompt_lookup_max": "promptLookupMax",
    "prompt_lookup_min": "promptLookupMin",
}
_NUMBERS = frozenset({"num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min"})
_SIZES = ("draft_tensor_parallel_size", "tensor_parallel_size")
_LIMITS = ("disable_by_batch_size", "num_speculative_tokens_per_batch_size")


def draft_of(flags: Sequence[Flag]) -> tuple[dict[str, Any] | None, list[Note]]:
    """`spec.draft`, None without speculation, and what could not be kept of it."""
    keys, notes = _keys(flags)
    if not keys:
        return None, notes
    draft: dict[str, Any] = {"method": _method(keys, notes)}
    draft |= {_FIELD_OF[key]: _number(key, keys.pop(key)) for key in [k for k in keys if k in _FIELD_OF]}
    if "numSpeculativeTokens" not in draft:
        notes.append(Note("num_speculative_tokens", "is not written, so 5 is drafted: set draft.numSpeculativeTokens"))
    _acceptance(draft, keys)
    _quantization(draft, keys)
    for key in _SIZES:
        if key in keys:
            notes.append(
                Note(key, f"{keys.pop(key)} is not kept: the draft is split as the release and the target have it")
            )
    for key in _LIMITS:
        if key in keys:
            _limit(draft, key, keys.pop(key), notes)
    if keys:
        draft["extraKeys"] = dict(sorted(keys.items()))
    return draft, notes


def _keys(flags: Sequence[Flag]) -> tuple[dict[str, Any], list[Note]]:
    keys: dict[str, Any] = {}
    notes: list[Note] = []
    for flag in flags:
        if flag.name == "--speculative-config" and flag.key:
            keys[flag.key] = _plain(flag.value)
        elif flag.name == "--speculative-config":
            try:
                read = json.loads(flag.value)
            except ValueError:
                read = None
            if isinstance(read, Mapping):
                keys |= {key: value for key, value in read.items() if value is not None}
            else:
                notes.append(Note(" ".join(flag.words)[:120], "is no JSON object and not kept: write spec.draft"))
        elif flag.name in _KEY_OF:
            keys[_KEY_OF[flag.name]] = _plain(flag.value)
        elif flag.name != "--use-v2-block-manager":  # which is written where a release needs it
            notes.append(Note(" ".join(flag.words)[:120], "is not kept: no field of spec.draft says it"))
    return keys, notes


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _method(keys: dict[str, Any], notes: list[Note]) -> str:
    """The method by its name, or as vLLM guesses it where it is not named."""
    named, model = str(keys.pop("method", "") or ""), str(keys.get("model") or "")
    if named == "ngram" or model in (_NGRAM, "ngram"):
        keys.pop("model", None)
        return DraftMethod.NGRAM.value
    if named in _MTP or named.endswith("_mtp"):
        return DraftMethod.MTP.value
    engine = load().newest
    by_name = {engine.method_literal(m, ""): m for m in DraftMethod}
    if named in by_name:
        return by_name[named].value
    if named:
        notes.append(Note("method", f"{named!r} is not known: spec.draft.method is a guess, write the right one"))
    lowered = model.lower()
    for word, method in (("eagle3", DraftMethod.EAGLE3), ("eagle", DraftMethod.EAGLE), ("medusa", DraftMethod.MEDUSA)):
        if word in lowered:
            return method.value
    return DraftMethod.DRAFT_MODEL.value if model else DraftMethod.MTP.value


def _number(key: str, value: Any) -> Any:
    return int(value) if key in _NUMBERS and isinstance(value, str) and value.isdigit() else value


def _acceptance(draft: dict[str, Any], keys: dict[str, Any]) -> None:
    """The acceptance method, with the consent that it needs: it was in use."""
    accepted: dict[str, Any] = {}
    if keys.get("draft_sample_method") == "probabilistic":
        accepted["method"] = "Probabilistic"
        keys.pop("draft_sample_method")
    match keys.get("rejection_sample_method"):
        case "block":
            accepted["method"] = "Block"
            keys.pop("rejection_sample_method")
        case "fly":
            accepted |= {"method": "Fly", "allowLossy": True}
            keys.pop("rejection_sample_method")
            _decimal(accepted, "threshold", keys, "fly_entropy_threshold")
    match keys.pop("acceptance_method", None):
        case "typical_acceptance_sampler":
            accepted |= {"method": "Typical", "allowLossy": True}
            _decimal(accepted, "threshold", keys, "posterior_threshold")
            _decimal(accepted, "alpha", keys, "posterior_alpha")
        case None | "rejection_sampler":
            pass
        case other:
            keys["acceptance_method"] = other
    if accepted:
        draft["acceptance"] = accepted


def _decimal(into: dict[str, Any], name: str, keys: dict[str, Any], key: str) -> None:
    if key in keys:
        into[name] = str(keys.pop(key))


def _quantization(draft: dict[str, Any], keys: dict[str, Any]) -> None:
    named = keys.pop("quantization", None)
    if named is None or not draft.get("model"):
        return
    made = next((q for q in Quantization if q is not Quantization.INT4 and on_load(q) == named), None)
    draft["quantization"] = (made or Quantization.PREQUANTIZED).value
    if made is None:
        draft["quantizationMethod"] = str(named)


def _limit(draft: dict[str, Any], key: str, value: Any, notes: list[Note]) -> None:
    """A limit by batch size; of a schedule only the one that draws a line is one."""
    if isinstance(value, int) and value >= 2:
        draft["disableAboveBatchSize"] = value
        return
    if isinstance(value, list) and len(value) == 2 and all(isinstance(row, list) and len(row) == 3 for row in value):
        (low, _, most), (begin, _, none) = value
        if low == 1 and none == 0 and most == draft.get("numSpeculativeTokens"):
            draft["disableAboveBatchSize"] = begin
            return
    text = json.dumps(value)[:80]
    instead = "write draft.disableAboveBatchSize, the batch from which nothing is drafted"
    notes.append(Note(key, f"{text} is not kept: {instead}"))

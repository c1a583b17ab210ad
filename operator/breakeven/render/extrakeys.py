"""`draft.extraKeys`: keys of `--speculative-config` that have no field, each checked against the release."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from breakeven.api.spec import AcceptanceMethod, DraftSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Engine, EngineRemark, Refusal, Takes
from breakeven.render.request import Request

_FIELD = "draft.extraKeys"
_ACCEPTANCE = "set draft.acceptance.method"
_SYNTHETIC = "it emits tokens that nothing verified: remove it"
OWN_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "method": "set draft.method",
        "model": "set draft.model",
        "revision": "set draft.revision",
        "quantization": "set draft.quantization or draft.quantizationMethod",
        "num_speculative_tokens": "set draft.numSpeculativeTokens",
        "prompt_lookup_max": "set draft.promptLookupMax",
        "prompt_lookup_min": "set draft.promptLookupMin",
        "draft_tensor_parallel_size": "it follows hardware.gpusPerReplica: remove it",
        "tensor_parallel_size": "it follows hardware.gpusPerReplica: remove it",
        "disable_by_batch_size": "set draft.disableAboveBatchSize",
        "num_speculative_tokens_per_batch_size": "set draft.disableAboveBatchSize",
        "acceptance_method": _ACCEPTANCE,
        "rejection_sample_method": _ACCEPTANCE,
        "draft_sample_method": "set draft.acceptance.method to Probabilistic for probabilistic drafts",
        "posterior_threshold": "set draft.acceptance.threshold",
        "posterior_alpha": "set draft.acceptance.alpha",
        "fly_entropy_threshold": "set draft.acceptance.threshold",
        "synthetic_acceptance_length": _SYNTHETIC,
        "synthetic_acceptance_rate": _SYNTHETIC,
        "synthetic_acceptance_rates": _SYNTHETIC,
    }
)
"""Key that a field or a rule decides → what to do instead of writing it here."""


def extra_keys(draft: DraftSpec) -> dict[str, Any]:
    """The keys as they are written."""
    return dict(draft.extra_keys)


def check_extra_keys(request: Request) -> Iterator[EngineRemark]:
    """Find keys that this engine does not know, that another field decides, or that would do nothing."""
    draft = request.variant.draft
    if draft is None:
        return
    for name, value in sorted(draft.extra_keys.items()):
        why = _own(name) or _unknown(name, request.engine)
        if why is not None:
            yield why
        else:
            yield from _misused(name, value, draft, request.engine)


def _own(name: str) -> Refusal | None:
    if name not in OWN_FIELDS:
        return None
    return _refuse(f"{name} is not taken from here; {OWN_FIELDS[name]}")


def _unknown(name: str, engine: Engine) -> Refusal | None:
    if not engine.speaks_json:
        return Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} takes flags and no keys, {engine.versions(lambda e: e.speaks_json)} can; "
            f"remove {name}",
        )
    if engine.draft_key(name) is not None:
        return None
    if engine.table.draft_key(name) is not None:
        can = engine.versions(lambda e: e.speaks_json and e.draft_key(name) is not None)
        return Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no {name} in --speculative-config, {can} can; remove it",
        )
    close = get_close_matches(_snake(name), (*engine.table.draft_keys, *OWN_FIELDS), n=1)
    meant = f"did you mean {close[0]}?" if close else f"known are {', '.join(_known(engine))}"
    return _refuse(f"no release is known to have {name} in --speculative-config; {meant}")


def _known(engine: Engine) -> list[str]:
    return [name for name in engine.table.draft_keys if engine.draft_key(name) is not None]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).replace("-", "_")


def _misused(name: str, value: Any, draft: DraftSpec, engine: Engine) -> Iterator[Refusal]:
    key = engine.draft_key(name)
    if key is None:
        return
    if not key.fits(value):
        yield _refuse(f"{name}: {key.wanted} instead of {value!r}")
    elif key.takes is Takes.KV_CACHE_DTYPE and value not in engine.kv_cache_dtypes:
        can = engine.versions_with("kv_cache_dtypes", value)
        yield Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no KV cache of {value}, {can} can; remove {name}, or write fp8",
        )
    if draft.method not in key.methods:
        has = ", ".join(sorted(m.value for m in key.methods))
        yield _refuse(f"{name} does nothing with {draft.method.value}, only with {has}; remove it")
    if name.startswith("fly_") and draft.acceptance.method is not AcceptanceMethod.FLY:
        yield _refuse(f"{name} does nothing with {draft.acceptance.method.value} acceptance; remove it")


def _refuse(message: str) -> Refusal:
    return Refusal(field=_FIELD, reason=Reason.INVALID_CONFIGURATION, message=message)

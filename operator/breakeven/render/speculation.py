"""How a draft is written on the command line: one set of keys, spelled as JSON or as the flags of 0.6 to 0.8.2."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.engines import Engine
from breakeven.render.acceptance import acceptance_keys
from breakeven.render.extrakeys import extra_keys
from breakeven.render.quantization import draft_quantization
from breakeven.render.request import Request
from breakeven.render.schedule import schedule_keys

NGRAMS = frozenset({DraftMethod.NGRAM, DraftMethod.NGRAM_GPU})
DEFAULT_PROMPT_LOOKUP = 5
"""Longest n-gram that JSON releases look up by default; the flag era has no default."""

FLAG_OF: Mapping[str, str] = MappingProxyType(
    {
        "model": "--speculative-model",
        "num_speculative_tokens": "--num-speculative-tokens",
        "quantization": "--speculative-model-quantization",
        "draft_tensor_parallel_size": "--speculative-draft-tensor-parallel-size",
        "prompt_lookup_max": "--ngram-prompt-lookup-max",
        "prompt_lookup_min": "--ngram-prompt-lookup-min",
        "acceptance_method": "--spec-decoding-acceptance-method",
        "posterior_threshold": "--typical-acceptance-sampler-posterior-threshold",
        "posterior_alpha": "--typical-acceptance-sampler-posterior-alpha",
        "disable_by_batch_size": "--speculative-disable-by-batch-size",
    }
)
"""Key of the JSON era → flag of the era before."""


def speculation_keys(request: Request) -> dict[str, Any]:
    """What `--speculative-config` says; empty without speculation, which is never `num_speculative_tokens: 0`."""
    draft, engine = request.variant.draft, request.engine
    if draft is None:
        return {}
    gpus = request.variant.hardware.tensor_parallel
    size = engine.draft_tensor_parallel_size(draft.method, gpus, forced=request.forced_engine)
    keys: dict[str, Any] = {
        "method": engine.method_literal(draft.method, request.variant.target.model),
        "model": draft.model,
        "num_speculative_tokens": draft.num_speculative_tokens,
        "revision": draft.revision,
        "quantization": draft_quantization(request),
        "draft_tensor_parallel_size": size,
        **_prompt_lookup(draft, engine),
        **acceptance_keys(draft),
        **schedule_keys(request),
        **extra_keys(draft),
    }
    return {key: value for key, value in keys.items() if value is not None}


def speculation_arguments(request: Request) -> list[str]:
    """Arguments that turn speculation on as declared; none for the baseline."""
    keys = speculation_keys(request)
    if not keys:
        return []
    if request.engine.speaks_json:
        return [f"--speculative-config={json.dumps(keys, sort_keys=True, separators=(',', ':'))}"]
    return _flags(keys, request.engine)


def _flags(keys: dict[str, Any], engine: Engine) -> list[str]:
    if keys.pop("method", None) == "ngram":
        keys["model"] = "[ngram]"
    flags = [f"{FLAG_OF[key]}={keys[key]}" for key in FLAG_OF if key in keys]
    # Up to 0.6.2 speculation needs the second block manager; the entry of 0.6.0 stands for those releases.
    return flags + (["--use-v2-block-manager"] if engine.before("0.6.3.post1") else [])


def _prompt_lookup(draft: DraftSpec, engine: Engine) -> dict[str, int]:
    if draft.method not in NGRAMS:
        return {}
    longest, shortest = draft.prompt_lookup_max, draft.prompt_lookup_min
    if longest is None and not engine.speaks_json:
        longest = max(DEFAULT_PROMPT_LOOKUP, shortest or 1)
    keys = {"prompt_lookup_max": longest, "prompt_lookup_min": shortest}
    return {key: value for key, value in keys.items() if value is not None}

"""vLLM's metric names, over all releases, as the series a scrape is assembled from.

A series is named here by what follows the prefix (`vllm:`, `kserve_vllm:` …), without `_total`, and by the one label
whose values are told apart (`finished_reason`, `position`, `le`). Everything else (`engine`, `model_name`, …) is added
up.
Which release has which name: docs/metrics.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Series(NamedTuple):
    """One series of an engine, data-parallel ranks added up."""

    name: str
    """What follows the prefix, without `_total`."""
    label: str = ""
    """Value of the label that is told apart; empty when none is."""
    bare: bool = False
    """A counter written without `_total`. Ray exports each counter a second time that way (ray PR 43795)."""


ANCHOR = "generation_tokens"
"""Every release has it and no other exporter does: the name by which a vLLM and its prefix are found."""

STEP = ("inter_token_latency_seconds", "time_per_output_token_seconds")
"""Time between two outputs of one request, newest name first. 0.10.2 to 0.11.2 export both: they are never added up."""
KV_USAGE = ("kv_cache_usage_perc", "gpu_cache_usage_perc")
"""Share of the KV cache in use, newest name first."""
PREFIX_QUERIES = ("prefix_cache_queries", "gpu_prefix_cache_queries")
"""Prompt tokens looked up in the prefix cache, newest name first; 0.9.2 to 0.11.2 export both."""
PREFIX_HITS = ("prefix_cache_hits", "gpu_prefix_cache_hits")
"""Those of them that it had."""
FIRST_TOKEN = "time_to_first_token_seconds"
REQUEST_TPOT = "request_time_per_output_token_seconds"
FINISHED = "request_success"
PER_POSITION = "spec_decode_num_accepted_tokens_per_pos"
V0_ONLY = "spec_decode_num_emitted_tokens"
"""Exported by the V0 engine only, whose speculation counters are incremented by running totals and cannot be used."""
REQUEST_TOKENS = "request_generation_tokens"
"""Tokens of each finished request, in every release. A V0 engine that speculates adds one token a step to `ANCHOR`,
however many it emitted (0.8.5 engine/llm_engine.py `_get_stats`); this histogram has the true lengths."""
REQUEST_DECODE = "request_decode_time_seconds"
"""Time of each finished request from its first token to its last, from 0.6.6 on."""
DRAFTED = "spec_decode_num_draft_tokens"

COUNTERS: Mapping[str, str] = {
    ANCHOR: "",
    "prompt_tokens": "",
    "num_preemptions": "",
    **dict.fromkeys((*PREFIX_QUERIES, *PREFIX_HITS), ""),
    "spec_decode_num_drafts": "",
    DRAFTED: "",
    "spec_decode_num_accepted_tokens": "",
    PER_POSITION: "position",
    FINISHED: "finished_reason",
    V0_ONLY: "",
}
"""Counters, with the label that is told apart. On a page they end in `_total`."""

SUMS: Mapping[str, str] = {
    f"{family}_{part}": "" for family in (*STEP, FIRST_TOKEN, REQUEST_TPOT, REQUEST_TOKENS) for part in ("sum", "count")
} | {f"{REQUEST_DECODE}_sum": ""}
BUCKETS: Mapping[str, str] = {f"{FIRST_TOKEN}_bucket": "le", f"{REQUEST_TPOT}_bucket": "le"}
LEVELS: Mapping[str, str] = {"num_requests_running": "", "num_requests_waiting": "", **dict.fromkeys(KV_USAGE, "")}
OWN_LABELS = frozenset({"__name__", "engine", "model_name", "finished_reason", "position", "le", "reason"})
"""Labels that the engine gives its series; all others tell where they were scraped."""
_MAXIMA = frozenset(KV_USAGE)


def exported(*, buckets: bool) -> Iterator[str]:
    """Names as a page may show them, without prefix: the buckets, or everything else."""
    if buckets:
        yield from BUCKETS
        return
    for name in COUNTERS:
        yield f"{name}_total"
        yield name
    yield from SUMS
    yield from LEVELS


def _table() -> dict[str, tuple[str, str]]:
    table = {name: (name, label) for name, label in (*SUMS.items(), *BUCKETS.items(), *LEVELS.items())}
    for name, label in COUNTERS.items():
        table[name] = table[f"{name}_total"] = (name, label)
    return table


_TABLE = _table()


def series_of(suffix: str, labels: Mapping[str, str]) -> Series | None:
    """Which series this is; None for one that is not read.

    >>> series_of("request_success_total", {"engine": "0", "finished_reason": "stop"})
    Series(name='request_success', label='stop', bare=False)
    """
    known = _TABLE.get(suffix)
    if known is None:
        return None
    name, label = known
    return Series(name, labels.get(label, "") if label else "", suffix in COUNTERS)


def prefix_of(name: str) -> str | None:
    """The prefix of a vLLM, told by the name of its count of emitted tokens; None for any other name.

    >>> prefix_of("kserve_vllm:generation_tokens_total")
    'kserve_vllm:'
    """
    bare = name.removesuffix("_total")
    if not bare.endswith(ANCHOR):
        return None
    prefix = bare.removesuffix(ANCHOR)
    if engine_named(prefix) is not None or not prefix.endswith((":", "_", ".")) or prefix.endswith("request_"):
        return None
    return prefix


OTHER_ENGINES: Mapping[str, str] = {
    "sglang": "SGLang",
    "lmdeploy": "LMDeploy",
    "trtllm": "TensorRT-LLM",
    "tensorrt_llm": "TensorRT-LLM",
    "nv_trt_llm": "TensorRT-LLM",
    "nv_llm": "Triton",
    "nv_inference": "Triton",
    "triton": "Triton",
    "tgi": "Text Generation Inference",
    "te": "Text Embeddings Inference",
    "llamacpp": "llama.cpp",
    "ollama": "Ollama",
    "aphrodite": "Aphrodite",
    "lightllm": "LightLLM",
    "mindie": "MindIE",
    "fastdeploy": "FastDeploy",
    "xinference": "Xinference",
    "mlc": "MLC LLM",
    "dynamo": "NVIDIA Dynamo",
    "litellm": "LiteLLM",
    "llm_d": "llm-d",
    "inference_extension": "the Gateway API inference extension",
}
"""First word of the metric names of engines and gateways that are no vLLM, whatever their counters are called: what
one of them counts as a step, and whether it counts drafted tokens, is its own."""


def engine_named(name: str) -> str | None:
    """Which other engine a metric name is of, by its first word; None when no other is known to write it.

    >>> engine_named("sglang:generation_tokens_total"), engine_named("ray_vllm_generation_tokens_total")
    ('SGLang', None)
    """
    lowered = name.lower().removeprefix("ray_").removeprefix("kserve_")
    if "vllm" in lowered:
        return None
    for word, engine in OTHER_ENGINES.items():
        if lowered.startswith(word) and lowered[len(word) : len(word) + 1] in (":", "_", "."):
            return engine
    return None


def best_prefix(names: Iterable[str]) -> str | None:
    """The prefix under which most of vLLM's families stand; of equals the shortest. None when no name has one.

    A recording rule may copy one or two families under a longer prefix: `agg:vllm:generation_tokens_total`.
    """
    every = set(names)
    candidates = {p for n in every if (p := prefix_of(n)) is not None}

    def families(prefix: str) -> int:
        return len({_TABLE[s][0] for n in every if n.startswith(prefix) and (s := n.removeprefix(prefix)) in _TABLE})

    return min(candidates, key=lambda p: (-families(p), len(p), p), default=None)


def merge(into: dict[Series, float], series: Series, value: float) -> None:
    """Add the value of one more rank: levels of use by their maximum, everything else by its sum.

    A counter that comes under two names, with `_total` and without, is counted once, by the former, whichever comes
    first. A value that is no number poisons the series for this scrape, because half a sum would look like a restart.
    """
    if series.bare:
        counted = Series(series.name, series.label)
        if counted in into and series not in into:
            return
        _add(into, series, value)
        into[counted] = into[series]
    elif series in into and into.pop(Series(series.name, series.label, bare=True), None) is not None:
        into[series] = value if 0 <= value < float("inf") else float("nan")
        into.pop(_ranks_key(series), None)
    else:
        _add(into, series, value)


SEVERAL_RANKS = Series("several ranks")
"""Stands beside the series of a scrape to which more than one rank added."""


def ranks(values: Mapping[Series, float], series: Series) -> float:
    """How many ranks added to a series of one scrape."""
    return values.get(_ranks_key(series), 1.0) if series in values else 0.0


def _ranks_key(series: Series) -> Series:
    """Where the number of ranks is kept beside the sum, once there are two."""
    return Series(f"ranks of {series.name}", series.label)


def counted(value: float) -> float:
    """The value as a counter or a level has it; no number where it cannot be one."""
    return value if 0 <= value < float("inf") else float("nan")


def _add(into: dict[Series, float], series: Series, value: float) -> None:
    before = into.get(series)
    if before is not None:
        key = _ranks_key(series)
        into[key] = into.get(key, 1.0) + 1.0
        into[SEVERAL_RANKS] = 1.0
    if not 0 <= value < float("inf"):
        into[series] = float("nan")
    elif before is None:
        into[series] = value
    elif series.name in _MAXIMA:
        into[series] = max(value, before) if before == before else before
    else:
        into[series] = before + value

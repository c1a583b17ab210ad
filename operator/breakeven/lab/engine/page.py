"""The metrics page, with the names, labels and bucket bounds of vLLM 0.32/0.33."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from breakeven.lab.engine.core import BLOCK, EngineCore
from breakeven.lab.engine.tally import Histogram, SpeculationTally

NOTICE = (
    "# This page comes from a simulated engine: step times are measured tables, acceptance is assumed, no model runs."
)
_SOURCES = ("local_compute", "local_cache_hit", "external_kv_transfer")
_CACHE_SOURCES = ("device", "host", "p2p", "disk", "external_unspecified")


@dataclass(frozen=True, slots=True)
class Labels:
    """Label values that every family of one engine carries."""

    model_name: str
    created: float
    """Unix time at which the engine started counting."""
    cache_config: Mapping[str, str]
    """Labels of `vllm:cache_config_info`."""


class EngineCollector(Collector):
    """Reads one core at each scrape."""

    def __init__(self, core: EngineCore, labels: Labels) -> None:
        self._core = core
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        """Every `vllm:` family."""
        if self._core.tally.speculation is not None:
            yield from self._speculation(self._core.tally.speculation)
        yield from self._gauges()
        yield from self._counters()
        yield from self._histograms()

    def _speculation(self, counted: SpeculationTally) -> Iterator[Metric]:
        prefix = "vllm:spec_decode_num_"
        yield self._counter(prefix + "drafts", "Number of spec decoding drafts.", counted.drafts)
        yield self._counter(prefix + "draft_tokens", "Number of draft tokens.", counted.draft_tokens)
        yield self._counter(prefix + "accepted_tokens", "Number of accepted tokens.", counted.accepted_tokens)
        yield self._labelled(
            prefix + "accepted_tokens_per_pos",
            "Accepted tokens per draft position.",
            "position",
            {str(i): count for i, count in enumerate(counted.accepted_per_position)},
        )

    def _gauges(self) -> Iterator[Metric]:
        core = self._core
        waiting = len(core.waiting)
        yield self._gauge("num_requests_running", "Number of requests in model execution batches.", len(core.running))
        yield self._gauge("num_requests_waiting", "Number of requests waiting to be processed.", waiting)
        yield self._states(
            "num_requests_waiting_by_reason",
            "Number of waiting requests by reason.",
            "reason",
            {"capacity": waiting, "deferred": 0},
        )
        yield self._states(
            "engine_sleep_state",
            "Engine sleep state.",
            "sleep_state",
            {state: int(state == self._core.sleep_state) for state in ("awake", "weights_offloaded", "discard_all")},
        )
        yield self._gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", core.kv_usage)
        info = GaugeMetricFamily(
            "vllm:cache_config_info",
            "Information of the LLMEngine CacheConfig",
            labels=[*self._labels.cache_config, "engine"],
        )
        info.add_metric([*self._labels.cache_config.values(), "0"], 1)
        yield info

    def _counters(self) -> Iterator[Metric]:
        tally = self._core.tally
        for name, text in _ALWAYS_ZERO.items():
            yield self._counter("vllm:" + name, text, 0)
        yield self._counter(
            "vllm:num_preemptions", "Cumulative number of preemption from the engine.", tally.preemptions
        )
        yield self._counter("vllm:prompt_tokens", "Number of prefill tokens processed.", tally.prompt_tokens)
        yield self._labelled(
            "vllm:prompt_tokens_by_source",
            "Number of prompt tokens by source.",
            "source",
            dict.fromkeys(_SOURCES, 0) | {"local_compute": tally.prompt_tokens},
        )
        yield self._labelled(
            "vllm:prompt_tokens_cached_by_source",
            "Prefix-cache hit tokens by the cache tier that supplied them.",
            "source",
            dict.fromkeys(_CACHE_SOURCES, 0),
        )
        yield self._counter("vllm:generation_tokens", "Number of generation tokens processed.", tally.generation_tokens)
        yield self._labelled(
            "vllm:request_success", "Count of successfully processed requests.", "finished_reason", tally.finished
        )
        yield self._rejections()

    def _rejections(self) -> Metric:
        family = CounterMetricFamily(
            "vllm:admission_rejections",
            "Number of admission attempts rejected by a queue limit, by reason.",
            labels=["model_name", "reason"],
        )
        for reason in ("max_num_queued_reqs", "max_num_queued_tokens"):
            family.add_metric([self._labels.model_name, reason], 0, created=self._labels.created)
        return family

    def _histograms(self) -> Iterator[Metric]:
        tally = self._core.tally
        yield from (
            self._histogram(name, text, histogram)
            for name, text, histogram in (
                ("request_prompt_tokens", "Number of prefill tokens processed.", tally.request_prompt_tokens),
                (
                    "request_generation_tokens",
                    "Number of generation tokens processed.",
                    tally.request_generation_tokens,
                ),
                ("iteration_tokens_total", "Histogram of number of tokens per engine_step.", tally.iteration_tokens),
                (
                    "request_max_num_generation_tokens",
                    "Histogram of maximum number of requested generation tokens.",
                    tally.request_max_generation_tokens,
                ),
                ("request_params_n", "Histogram of the n request parameter.", tally.request_params_n),
                (
                    "request_params_max_tokens",
                    "Histogram of the max_tokens request parameter.",
                    tally.request_params_max_tokens,
                ),
                (
                    "request_num_preemptions",
                    "Histogram of the number of times a request was preempted.",
                    tally.request_preemptions,
                ),
                (
                    "request_prefill_kv_computed_tokens",
                    "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
                    tally.request_prefill_computed,
                ),
            )
        )
        yield from self._latencies()

    def _latencies(self) -> Iterable[Metric]:
        tally = self._core.tally
        phase = "Histogram of time spent in {} phase for request."
        return (
            self._histogram(name + "_seconds", text, histogram)
            for name, text, histogram in (
                ("time_to_first_token", "Histogram of time to first token in seconds.", tally.time_to_first_token),
                ("inter_token_latency", "Histogram of inter-token latency in seconds.", tally.inter_token_latency),
                (
                    "request_time_per_output_token",
                    "Histogram of time_per_output_token_seconds per request.",
                    tally.time_per_output_token,
                ),
                ("e2e_request_latency", "Histogram of e2e request latency in seconds.", tally.e2e_latency),
                ("request_queue_time", phase.format("WAITING"), tally.queue_time),
                ("request_inference_time", phase.format("RUNNING"), tally.inference_time),
                ("request_prefill_time", phase.format("PREFILL"), tally.prefill_time),
                ("request_decode_time", phase.format("DECODE"), tally.decode_time),
            )
        )

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(name, text, labels=["engine", "model_name"])
        family.add_metric(["0", self._labels.model_name], value, created=self._labels.created)
        return family

    def _labelled(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
        family = CounterMetricFamily(name, text, labels=["engine", "model_name", label])
        for key, value in values.items():
            family.add_metric(["0", self._labels.model_name, key], value, created=self._labels.created)
        return family

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily("vllm:" + name, text, labels=["engine", "model_name"])
        family.add_metric(["0", self._labels.model_name], value)
        return family

    def _states(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
        family = GaugeMetricFamily("vllm:" + name, text, labels=["engine", "model_name", label])
        for key, value in values.items():
            family.add_metric(["0", self._labels.model_name, key], value)
        return family

    def _histogram(self, name: str, text: str, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily("vllm:" + name, text, labels=["engine", "model_name"])
        labels = ["0", self._labels.model_name]
        cumulative = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
            cumulative += count
            buckets.append((bound, cumulative))
        family.add_metric(labels, buckets, histogram.sum)
        family.add_sample(
            f"vllm:{name}_created", {"engine": "0", "model_name": self._labels.model_name}, self._labels.created
        )
        return family


_ALWAYS_ZERO = {
    "estimated_flops_per_gpu": "Estimated number of floating point operations per GPU "
    "(for Model Flops Utilization calculations).",
    "estimated_read_bytes_per_gpu": "Estimated number of bytes read from memory per GPU "
    "(for Model Flops Utilization calculations).",
    "estimated_write_bytes_per_gpu": "Estimated number of bytes written to memory per GPU "
    "(for Model Flops Utilization calculations).",
    "prefix_cache_queries": "Prefix cache queries, in terms of number of queried tokens.",
    "prefix_cache_hits": "Prefix cache hits, in terms of number of cached tokens.",
    "external_prefix_cache_queries": "External prefix cache queries from KV connector cross-instance cache sharing, "
    "in terms of number of queried tokens.",
    "external_prefix_cache_hits": "External prefix cache hits from KV connector cross-instance cache sharing, "
    "in terms of number of cached tokens.",
    "mm_cache_queries": "Multi-modal cache queries, in terms of number of queried items.",
    "mm_cache_hits": "Multi-modal cache hits, in terms of number of cached items.",
    "prompt_tokens_cached": "Number of cached prompt tokens (local + external).",
}
"""Families that a real page has and that nothing here moves."""


_CACHE_CONFIG = {
    "_block_size_resolved": "True",
    "cache_dtype": "auto",
    "cache_hit_alignment_tokens": "None",
    "enable_mamba_shared_prefix_checkpoint": "False",
    "hash_block_size": "None",
    "is_attention_free": "False",
    "kv_cache_dtype_skip_layers": "[]",
    "kv_cache_layout": "None",
    "kv_offloading_backend": "native",
    "kv_offloading_size": "None",
    "kv_sharing_fast_prefill": "False",
    "mamba_block_size": "None",
    "mamba_cache_dtype": "auto",
    "mamba_cache_mode": "none",
    "mamba_page_size_padded": "None",
    "mamba_ssm_cache_dtype": "float32",
    "num_cpu_blocks": "None",
    "num_gpu_blocks_override": "None",
    "prefix_cache_retention_interval": "0",
    "prefix_caching_hash_algo": "sha256",
    "prefix_match_unit": "None",
    "replayssm_buffer_len": "16",
    "skip_page_size_padded": "None",
    "sliding_window": "None",
    "swa_bounded_replay": "True",
    "use_kda_recoverssm": "False",
    "use_replayssm": "False",
    "user_specified_block_size": "False",
}
"""Labels of `vllm:cache_config_info` that this engine shares with a recorded server."""


def cache_config(core: EngineCore, gpu_memory_utilization: float) -> dict[str, str]:
    """All labels of `vllm:cache_config_info`; there is no prefix cache here."""
    tokens = core.setup.kv_tokens // BLOCK * BLOCK
    return _CACHE_CONFIG | {
        "block_size": str(BLOCK),
        "effective_attention_block_size": str(BLOCK),
        "enable_prefix_caching": "False",
        "gpu_memory_utilization": str(gpu_memory_utilization),
        "kv_cache_max_concurrency": str(tokens / core.setup.max_model_len),
        "kv_cache_memory_bytes": "None",
        "kv_cache_size_tokens": str(tokens),
        "num_gpu_blocks": str(tokens // BLOCK),
    }


def page_of(core: EngineCore, labels: Labels) -> CollectorRegistry:
    """A registry with this engine's families and those of the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(EngineCollector(core, labels))
    return registry


def text_of(registry: CollectorRegistry) -> bytes:
    """The page as text, the notice first."""
    return f"{NOTICE}\n".encode() + generate_latest(registry)

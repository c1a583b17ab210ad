"""What an engine has counted since it started: the figures behind its metrics page. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")


class Histogram:
    """Counts by bucket and a sum, as Prometheus has them. `counts` is not cumulative; its last entry is +Inf."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `times` observations of one value."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self.counts)


@dataclass(slots=True)
class SpeculationTally:
    """The speculation counters; an engine without speculation has none of them."""

    accepted_per_position: list[int]
    drafts: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(slots=True)
class Tally:
    """Counters and histograms of one engine. Times are in simulated seconds."""

    time_to_first_token: Histogram
    inter_token_latency: Histogram
    time_per_output_token: Histogram
    e2e_latency: Histogram
    queue_time: Histogram
    inference_time: Histogram
    prefill_time: Histogram
    decode_time: Histogram
    iteration_tokens: Histogram
    request_prompt_tokens: Histogram
    request_generation_tokens: Histogram
    request_max_generation_tokens: Histogram
    request_params_n: Histogram
    request_params_max_tokens: Histogram
    request_preemptions: Histogram
    request_prefill_computed: Histogram
    speculation: SpeculationTally | None = None
    prompt_tokens: int = 0
    generation_tokens: int = 0
    preemptions: int = 0
    steps: int = 0
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISHED_REASONS, 0))


def new_tally(bounds: Mapping[str, Sequence[float]], k: int | None) -> Tally:
    """An empty tally with the bounds of `buckets.buckets`; `k` is absent without speculation."""
    latency, tokens = bounds["request_latency"], bounds["request_tokens"]
    gap = bounds["inter_token_latency"]
    return Tally(
        time_to_first_token=Histogram(bounds["time_to_first_token"]),
        inter_token_latency=Histogram(gap),
        time_per_output_token=Histogram(gap),
        e2e_latency=Histogram(latency),
        queue_time=Histogram(latency),
        inference_time=Histogram(latency),
        prefill_time=Histogram(latency),
        decode_time=Histogram(latency),
        iteration_tokens=Histogram(bounds["iteration_tokens"]),
        request_prompt_tokens=Histogram(tokens),
        request_generation_tokens=Histogram(tokens),
        request_max_generation_tokens=Histogram(tokens),
        request_params_n=Histogram(bounds["request_params_n"]),
        request_params_max_tokens=Histogram(tokens),
        request_preemptions=Histogram(bounds["request_num_preemptions"]),
        request_prefill_computed=Histogram(tokens),
        speculation=None if k is None else SpeculationTally(accepted_per_position=[0] * k),
    )

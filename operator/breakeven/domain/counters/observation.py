"""What one pass sees: engine counters cut into batches, per variant, and the state of the fleet.

Names follow vLLM's counters; what one increment means is in docs/metrics.md. `None` is "absent, unknown", never zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from breakeven.api.choices import MetricsSource

Buckets = tuple[tuple[float, float], ...]
"""Cumulative histogram: (upper bound in seconds, observations at or below it), ascending, last bound +inf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counters of one engine: cumulative at a scrape, or their increase over an interval, summed over replicas."""

    generation_tokens: float | None = None
    """Emitted tokens, the first token of each request included."""
    prompt_tokens: float | None = None
    first_tokens: float | None = None
    """Observations of time to first token: requests that emitted their first token."""
    ttft_seconds: float | None = None
    steps: float | None = None
    """Request-steps: one request, one engine step with output (count of inter-token latency)."""
    step_seconds: float | None = None
    """Time of those (sum of inter-token latency)."""
    finished: float | None = None
    """Requests that ended by stop or length."""
    failed: float | None = None
    """Requests that ended by abort or error."""
    finished_tpot_seconds: float | None = None
    """Sum of the per-request mean time per output token."""
    finished_tpot_count: float | None = None
    preemptions: float | None = None
    prefix_queries: float | None = None
    """Prompt tokens that were looked up in the prefix cache."""
    prefix_hits: float | None = None
    """Those that it had."""
    drafts: float | None = None
    """One request, one step with at least one drafted token."""
    drafted: float | None = None
    accepted: float | None = None
    """Accepted drafted tokens, bonus token excluded."""
    v0_emitted: float | None = None
    """Exported by the V0 engine only, once it drafts: neither its draft counters (`vllm_metrics.V0_ONLY`) nor its count
    of emitted tokens (`vllm_metrics.REQUEST_TOKENS`) can be used then."""
    request_tokens: float | None = None
    """Tokens of the finished requests."""
    request_count: float | None = None
    """How many those are."""
    request_decode_seconds: float | None = None
    """Time of those from the first token to the last."""
    accepted_at: tuple[float, ...] = ()
    """Drafts that accepted at least position i + 1. Empty when absent."""
    ttft_buckets: Buckets = ()
    tpot_buckets: Buckets = ()

    @property
    def drafts_on_v0(self) -> bool:
        """Whether this is a V0 engine that speculates, whose tokens only its finished requests tell."""
        return self.v0_emitted is not None

    @property
    def emitted_tokens(self) -> float | None:
        """Emitted tokens, the first token of each request included."""
        return self.request_tokens if self.drafts_on_v0 else self.generation_tokens

    @property
    def decoded_requests(self) -> float | None:
        """Requests that `decode_tokens` are of."""
        return self.request_count if self.drafts_on_v0 else self.first_tokens

    @property
    def decode_tokens(self) -> float | None:
        """Tokens emitted after the first one of each request: those that a decoding step made."""
        emitted, first = self.emitted_tokens, self.decoded_requests
        return None if emitted is None or first is None else max(0.0, emitted - first)

    @property
    def decode_seconds(self) -> float | None:
        """Time of the decoding that made `decode_tokens`."""
        return self.request_decode_seconds if self.drafts_on_v0 else self.step_seconds

    @property
    def decode_steps(self) -> float | None:
        """Request-steps of that decoding; of finished requests, as many mean steps as their time holds."""
        if not self.drafts_on_v0:
            return self.steps
        if self.steps is None or self.request_decode_seconds is None or not self.step_seconds:
            return None
        return self.steps * self.request_decode_seconds / self.step_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Levels at one scrape, or their mean (running, waiting) and maximum (kv_usage) over an interval, per replica."""

    running: float | None = None
    waiting: float | None = None
    kv_usage: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One reading of one engine's metric page."""

    at: float
    """Unix seconds."""
    totals: Totals
    gauges: Gauges


@dataclass(frozen=True, slots=True)
class Share:
    """What one replica added to a batch: enough to tell it from its siblings."""

    replica: str
    """Name of its pod."""
    finished: float | None
    drafted: float | None
    accepted: float | None
    steps: float | None
    step_seconds: float | None
    totals: Totals = Totals()
    """Everything it added: what is compared pod by pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Increase of one arm over one batch of the window, summed over its replicas, resets handled per replica."""

    start: float
    """Unix seconds."""
    end: float
    totals: Totals
    gauges: Gauges
    replicas: float
    """Replicas that contributed; one that was awake for half of the batch is half a replica."""
    shares: tuple[Share, ...] = ()
    """Replica by replica, by name. Empty where they are not told apart, and with one that holds one engine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What the metrics say about one variant."""

    variant: str
    """`Variant.name`."""
    batches: Sequence[Batch]
    """Complete batches, oldest first. One in which more than a fifth of the replicas was missing, warming up or
    changing is left out, so ends need not be adjacent."""
    ready: int
    """Replicas that serve, from the API server."""
    scraped: int
    """Replicas of those with fresh samples."""
    newest: Sequence[Batch] = ()
    """Increments: the last few minutes cut as finely as the scrapes allow, oldest first (`domain.increments`). They
    overlap with `batches` and have no histograms. Empty: nothing finer than the batches is known."""


class Smoke(StrEnum):
    """Outcome of real completions sent to a new variant, one of them at temperature > 0."""

    PENDING = "Pending"
    PASSED = "Passed"
    FAILED = "Failed"


class Answers(StrEnum):
    """Whether a canary answers the same greedy prompts as what serves does."""

    UNKNOWN = "Unknown"
    """It was not asked, or cannot be told."""
    PENDING = "Pending"
    ALIKE = "Alike"
    DIFFERENT = "Different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What the API server says about one variant."""

    variant: str
    wanted: int
    """spec.replicas of its Deployment."""
    existing: int
    """Pods that exist and are not terminating."""
    ready: int
    terminating: int = 0
    """Pods on their way out, without those that are stuck."""
    stuck: tuple[str, ...] = ()
    """Pods that should have stopped long ago, with their nodes: nothing waits for them any more."""
    settled_since: datetime | None = None
    """Since when wanted = existing = ready. None: not settled."""
    waiting_since: datetime | None = None
    """Since when the newest of its pods that are not ready has not been. None: all are, or there is none."""
    restarts: int = 0
    """Container restarts, summed."""
    crash: str = ""
    """How a container ended last, with what it said last; empty when none did."""
    failing: str = ""
    """Why its pods do not come up, in words; empty when they do."""
    unschedulable: str = ""
    """The scheduler's message when a pod has no place."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Node of each living pod, by name of the pod. Empty: not known."""
    smoke: Smoke = Smoke.PENDING
    smoke_message: str = ""
    answers: Answers = Answers.UNKNOWN
    answers_message: str = ""
    """The figures, or why it cannot be told; empty when nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Why there is no evidence at all."""

    reason: str
    """One word: PrometheusUnreachable, NoData, Stale, PartialData, NamesUnknown …"""
    message: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that one pass saw."""

    arms: Mapping[str, Arm] = field(default_factory=dict)
    """By variant name."""
    fleet: Mapping[str, Fleet] = field(default_factory=dict)
    """By variant name."""
    outage: Outage | None = None
    scrape_interval: float | None = None
    """Seconds between samples, as seen."""
    source: MetricsSource = MetricsSource.PROMETHEUS
    """Where they were read."""
    loading_minutes: float | None = None
    """Measured minutes from pod start to ready, median; None before any was seen."""
    switch_seconds: float | None = None
    """In Warm, measured seconds of a switch from the order to the first token of the other variant, the draining of
    requests included, median of the latest ones; None before any was seen."""

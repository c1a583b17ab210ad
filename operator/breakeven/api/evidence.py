"""The part of `status` with the figures that a verdict rests on."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from breakeven.api.base import StatusModel
from breakeven.api.scalars import Count, DecimalString, NotNegative, Positive, Text, Time


class Source(StrEnum):
    """What a verdict rests on, best first."""

    MEASURED = "Measured"
    """Both variants side by side, on pods of their own."""
    ALTERNATING = "Alternating"
    """Both variants in turns on the same pods (`spec.policy.switching.mode: Warm`)."""
    CALIBRATED = "Calibrated"
    """Against what was measured without speculation at another time."""
    FIXED = "Fixed"
    """The user's own floor."""


class SpreadStatus(StatusModel):
    """How far one figure spreads."""

    of: Count
    """How many there are: pods, or windows."""
    p10: DecimalString
    """10th percentile, interpolated."""
    p50: DecimalString
    """Median."""
    p90: DecimalString
    """90th percentile, interpolated."""


class QuantileStatus(StatusModel):
    """One quantile of a latency in both arms over the same windows."""

    off_ms: DecimalString
    """Without speculation, in milliseconds."""
    on_ms: DecimalString
    """With it."""
    ratio: DecimalString
    """With / without: below 1 is faster."""
    lower: DecimalString
    """5 % of the resampled batches lie below."""
    upper: DecimalString
    """5 % lie above."""


class LatencyStatus(StatusModel):
    """Quantiles of both arms over up to six windows. Absent: too few requests, no live control, or buckets too wide."""

    tpot_p50: QuantileStatus | None = Field(None, alias="tpotP50")
    """Median of the time per output token of a request."""
    tpot_p99: QuantileStatus | None = Field(None, alias="tpotP99")
    """99th percentile of the same."""
    ttft_p50: QuantileStatus | None = Field(None, alias="ttftP50")
    """Median of the time to first token."""
    ttft_p95: QuantileStatus | None = Field(None, alias="ttftP95")
    """95th percentile of the same."""


class JudgedBy(StrEnum):
    """What decided a verdict."""

    DECODING = "Decoding"
    END_TO_END = "EndToEnd"
    THROUGHPUT = "Throughput"
    GOODPUT = "Goodput"


class RatioStatus(StatusModel):
    """A ratio with its bounds (one-sided p = 0.001 each)."""

    value: DecimalString
    """With speculation against without: above 1 is better."""
    lower: DecimalString
    """Lower bound."""
    upper: DecimalString
    """Upper bound."""


class AttainedStatus(StatusModel):
    """How many requests keep one bound of `spec.objective`."""

    seconds: DecimalString
    """The bound."""
    quantile: DecimalString
    """Share that should keep it."""
    off: DecimalString | None = None
    """Share that does without speculation. Absent: no live control."""
    on: DecimalString
    """The same with it."""


class ObjectiveStatus(StatusModel):
    """Speculation by what it is for. Absent figures could not be measured, or are not asked for."""

    judged_by: JudgedBy
    """What decided the verdict: Decoding (S), EndToEnd, Throughput or Goodput."""
    end_to_end: RatioStatus | None = None
    """Mean time from request to last token without speculation / with it."""
    throughput: RatioStatus | None = None
    """Output tokens per second of a replica with speculation / without, while requests wait."""
    ttft: AttainedStatus | None = None
    """Requests within the bound of the time to first token."""
    tpot: AttainedStatus | None = None
    """Requests within the bound of the time per output token."""


class NodeSpeed(StatusModel):
    """How fast one node is, from plain replicas that served side by side."""

    node: Annotated[str, Field(max_length=253)]
    """Its name."""
    factor: Positive
    """Step time over that of a usual node: 1.1 is 10 % slower."""
    error: NotNegative
    """Relative standard error of that."""
    measured_at: Time
    """When."""


class NodesStatus(StatusModel):
    """What the speed of the nodes made of S."""

    correction: DecimalString
    """What S was multiplied by: step time on the nodes of what speculates over that on the nodes of the control."""
    error: DecimalString
    """Relative standard error of the correction; part of the bounds of S."""
    speeds: Annotated[list[NodeSpeed], Field(max_length=16)] = []
    """The nodes of both arms, 16 at most."""


class EvidenceStatus(StatusModel):
    """The figures the last verdict rests on. Absent figures could not be measured."""

    source: Source | None = None
    """What kind of evidence."""
    verdict: Annotated[str, Field(max_length=64)] = ""
    """What it says, in one word."""
    speedup: DecimalString | None = None
    """S: TPOT without speculation / TPOT with it."""
    speedup_lower: DecimalString | None = None
    """Lower bound of S."""
    speedup_upper: DecimalString | None = None
    """Upper bound of S."""
    tokens_per_step: DecimalString | None = None
    """E: tokens emitted per request and step with speculation."""
    inflation: DecimalString | None = None
    """R: step time with speculation / without."""
    acceptance: DecimalString | None = None
    """Accepted / drafted tokens."""
    acceptance_at: Annotated[list[DecimalString], Field(max_length=128)] = []
    """Share of drafts whose tokens were accepted up to this position, first position first. Empty: not reported, or
    drafts differ in length."""
    acceptance_p10: DecimalString | None = Field(None, alias="acceptanceP10")
    """10th percentile of accepted / drafted over the batches (tenths of a window) that were judged."""
    acceptance_p50: DecimalString | None = Field(None, alias="acceptanceP50")
    """Median of the same."""
    acceptance_p90: DecimalString | None = Field(None, alias="acceptanceP90")
    """90th percentile of the same."""
    acceptance_over_pods: SpreadStatus | None = None
    """Accepted / drafted of each pod in the judged windows. Absent: fewer than 3 pods, or the pods are not told apart."""
    acceptance_over_windows: SpreadStatus | None = None
    """Accepted / drafted of each of the last windows, 24 at most. Absent: fewer than 5."""
    break_even_acceptance: DecimalString | None = None
    """Accepted / drafted at which S would be 1: (R - 1) / k."""
    tpot_off_ms: DecimalString | None = None
    """Mean time per output token without speculation, in milliseconds."""
    tpot_on_ms: DecimalString | None = None
    """The same with speculation."""
    ttft_p95_off_ms: DecimalString | None = Field(None, alias="ttftP95OffMs")
    """95th percentile of time to first token without speculation, in milliseconds."""
    ttft_p95_on_ms: DecimalString | None = Field(None, alias="ttftP95OnMs")
    """The same with speculation."""
    tpot_p99_off_ms: DecimalString | None = Field(None, alias="tpotP99OffMs")
    """99th percentile of time per output token without speculation, in milliseconds."""
    tpot_p99_on_ms: DecimalString | None = Field(None, alias="tpotP99OnMs")
    """The same with speculation."""
    latency: LatencyStatus | None = None
    """Quantiles of both arms, side by side. Absent: none can be determined."""
    kv_usage_off: DecimalString | None = None
    """Highest share of the KV cache in use on any replica without speculation."""
    kv_usage_on: DecimalString | None = None
    """The same with speculation: the draft's own cache leaves less for requests."""
    prefix_hit_rate_off: DecimalString | None = None
    """Share of the prompt tokens that the prefix cache had, without speculation. Absent: vLLM before 0.8.5, or off."""
    prefix_hit_rate_on: DecimalString | None = None
    """The same with speculation."""
    preemptions_off: Count | None = None
    """Requests that were preempted for want of KV cache, without speculation."""
    preemptions_on: Count | None = None
    """The same with speculation."""
    waiting_off: DecimalString | None = None
    """Mean of the requests that wait on a replica without speculation."""
    waiting_on: DecimalString | None = None
    """The same with it."""
    objective: ObjectiveStatus | None = None
    """By what was judged, beside S. Absent: nothing was."""
    nodes: NodesStatus | None = None
    """Correction of S for nodes of different speed. Absent: none was made."""
    requests: Count | None = None
    """Finished requests in the window, the smaller arm."""
    load: DecimalString | None = None
    """Output tokens per second and replica with speculation."""
    replicas_saved: DecimalString | None = None
    """Plain replicas that would be needed on top for the same decoding: replicas that speculate times (S - 1)."""
    replicas_saved_lower: DecimalString | None = None
    """The same with the lower bound of S."""
    control_cost_tokens_per_day: DecimalString | None = None
    """What the live control costs: tokens a day that its replicas would decode more if they speculated. Absent: none."""
    window_end: Time | None = None
    """End of the window."""
    message: Text = ""
    """In words."""

"""`status` of a `SpeculativeDeployment`: the memory of the loop, and the report people read.

`Memory` is all that `decide` needs from the past, so that a crash repeats nothing and forgets nothing. `Status` adds what
is recomputed on every pass.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from breakeven.api.base import StatusModel
from breakeven.api.planned import PlanStatus
from breakeven.api.scalars import DecimalString, Time
from breakeven.api.value import ValueStatus as ValueStatus
from breakeven.api.variant import Variant

Text = Annotated[str, Field(max_length=1024)]


class State(StrEnum):
    """Where the loop stands."""

    BASELINE = "Baseline"
    TRIAL = "Trial"
    SPECULATING = "Speculating"
    TUNING = "Tuning"
    COOLDOWN = "Cooldown"
    FROZEN = "Frozen"


class Source(StrEnum):
    """What a verdict rests on, best first."""

    MEASURED = "Measured"
    CALIBRATED = "Calibrated"
    FIXED = "Fixed"


class Role(StrEnum):
    """What a variant is there for."""

    STABLE = "Stable"
    CANARY = "Canary"
    HOLDBACK = "Holdback"


class LastGood(StatusModel):
    """The last variant that was verified, and on what."""

    variant: Variant
    """Its configuration."""
    verified_at: Time
    """When it was verified."""
    reason: Text
    """The figures it was verified on."""


class DecisionRecord(StatusModel):
    """One line of the ledger."""

    at: Time
    """When it was decided."""
    action: Annotated[str, Field(max_length=64)]
    """What was done, in one word: StartTrial, Promote, Disable, RollBack … (docs/decisions.md has all)."""
    reason: Annotated[str, Field(max_length=64)]
    """Why, in one word."""
    message: Text
    """Why, with the figures."""
    generation: int
    """Generation of the resource it was decided for."""


class LoadBand(StatusModel):
    """What was measured in one band of load: the stored control."""

    load: DecimalString
    """Output tokens per second and replica, middle of the band: offered load, which speculation does not change."""
    off_tpot_ms: DecimalString
    """Time per output token without speculation, in milliseconds."""
    inflation: DecimalString | None = None
    """Step-time inflation R. Absent: measured before any speculation."""
    spread: DecimalString
    """Relative standard error of the time per output token."""
    measured_at: Time
    """When."""
    variant: Annotated[str, Field(max_length=16)]
    """The speculating variant it was measured with."""
    speedup: DecimalString | None = None
    """S of that variant at this load. Absent: measured before any speculation."""
    running: DecimalString | None = None
    """Mean running requests per replica with that variant. Absent: not known."""


class Remedy(StatusModel):
    """Something that was tried while speculation served."""

    action: Annotated[str, Field(max_length=16)]
    """What: Schedule, Longer or Restart."""
    variant: Annotated[str, Field(max_length=16)]
    """The declared variant it was tried for; with Longer, the one that served."""
    at: Time
    """When."""


class SpreadStatus(StatusModel):
    """How far one figure spreads."""

    of: int
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
    requests: int | None = None
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


class DiagnosisStatus(StatusModel):
    """Why speculation does worse than it did, told apart from what is done about it."""

    reason: Annotated[str, Field(max_length=64)]
    """The cause in one word: a reason of the condition Diagnosis."""
    subject: Annotated[str, Field(max_length=253)] = ""
    """The pod that it is about. Empty: all replicas alike."""
    message: Text
    """The figures that it was found on."""
    since: Time
    """When it was found."""


class PlainPair(StatusModel):
    """Acceptance of the last verified pair of which neither model was quantized."""

    pair: Annotated[str, Field(max_length=16)]
    """Hash of target, draft, method and draft length."""
    acceptance: DecimalString
    """Accepted / drafted tokens in the windows it was verified on."""
    measured_at: Time
    """When."""


class Memory(StatusModel):
    """All that `decide` keeps from one pass to the next."""

    generation: int = 0
    """Generation that this memory was last reset for."""
    state: State = State.BASELINE
    """Where the loop stands."""
    since: Time | None = None
    """When that state was entered."""
    stable: Variant | None = None
    """The variant that serves."""
    canary: Variant | None = None
    """The variant on trial."""
    holdback: bool = False
    """Whether replicas without speculation are kept as a live control."""
    last_good: LastGood | None = None
    """Where a rollback goes."""
    streak: int = 0
    """Windows in a row that agreed."""
    streak_verdict: Annotated[str, Field(max_length=64)] = ""
    """What they agreed on."""
    last_window_end: Time | None = None
    """End of the last window that was judged."""
    attempts: int = 0
    """Failed trials since speculation last paid."""
    cooldown_until: Time | None = None
    """No trial before this."""
    tuned_length: int | None = None
    """Draft length that the survival measured at the last failure predicts to pay. Absent: none is predicted to."""
    failed_at_load: DecimalString | None = None
    """Output tokens per second and replica when speculation last failed: well below it, a trial need not wait so long."""
    transitions: Annotated[list[Time], Field(max_length=1000)] = []
    """Changes of speculation in the last 24 hours."""
    tried: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=64)] = []
    """Variants that failed their trial since the last reset."""
    profile: Annotated[list[LoadBand], Field(max_length=32)] = []
    """Measured controls by load band."""
    remedies: Annotated[list[Remedy], Field(max_length=16)] = []
    """What was tried while speculation served, oldest first, so that what did not help is not repeated."""
    decisions: Annotated[list[DecisionRecord], Field(max_length=20)] = []
    """The last decisions, newest first."""
    evidence: EvidenceStatus | None = None
    """The figures the last verdict rests on. Renewed on a transition, on a new verdict, when a figure moved by more than
    5 % or left the reported bounds, and once an hour at most otherwise, so that a steady state writes nothing."""
    reference: EvidenceStatus | None = None
    """The figures of the last promotion: what a diagnosis compares with."""
    diagnosis: DiagnosisStatus | None = None
    """What was last found to be the cause of a loss. Absent: nothing stands out."""
    unverified_since: Time | None = None
    """When was rolled back to what serves, as long as that was not measured again. Absent: nothing is to be verified."""
    value: ValueStatus | None = None
    """What speculation gained and what knowing cost. Absent: nothing was judged yet."""
    unquantized: PlainPair | None = None
    """What a quantization penalty is measured against. Absent: no unquantized pair was verified."""
    command: Annotated[str, Field(max_length=64)] = ""
    """Identity of the last one-shot command that was consumed."""
    mode: Annotated[str, Field(max_length=16)] = ""
    """Mode that was last obeyed."""
    evidence_after: Time | None = None
    """Nothing measured before this counts: the end of the last outage."""
    blind_since: Time | None = None
    """Since when there has been no evidence at all. Absent: there is some."""
    answers: Annotated[str, Field(max_length=16)] = ""
    """The declared variant that what serves was chosen for."""
    profile_grew_at: Time | None = None
    """When a band of load was last seen for the first time."""
    advice: Annotated[str, Field(max_length=64)] = ""
    """What would be done if the mode were Auto. Empty: nothing, or the mode is Auto."""


class Condition(StatusModel):
    """A condition, as in metav1."""

    type: Annotated[str, Field(max_length=316)]
    """Name of the condition."""
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$", max_length=7)]
    """True, False or Unknown."""
    observed_generation: int = 0
    """Generation it was set for."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """One word in CamelCase."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """The figures, and what to do."""


class StayStatus(StatusModel):
    """Why nothing is changed at the moment. Free of moving figures, so that a steady state writes nothing."""

    reason: Annotated[str, Field(max_length=64)]
    """One word: MoreWindows, CoolingDown, DayUsedUp, SwitchDoesNotPay, LastReplica … (docs/decisions.md has all)."""
    message: Text
    """In words, with the field that decides."""


class VariantStatus(StatusModel):
    """Replicas of one variant."""

    name: Annotated[str, Field(max_length=16)]
    """Hash of the variant; its Deployment is named <resource>-<hash>."""
    role: Role
    """What it is there for."""
    speculation: Annotated[str, Field(max_length=128)]
    """What it drafts with, in words: 'off', 'DraftModel k=5' …"""
    speculates: bool | None = None
    """Whether it drafts at all. Absent: no longer known."""
    wanted: int
    """Replicas it should have."""
    ready: int
    """Replicas that serve."""


class Status(Memory):
    """What the controller reports."""

    observed_generation: int = 0
    """Generation this report is about."""
    conditions: Annotated[list[Condition], Field(max_length=32)] = []
    """Ready, Reconciling, Stalled, SpeculationActive, MetricsAvailable and others."""
    replicas: int = 0
    """Replicas that exist."""
    ready_replicas: int = 0
    """Replicas that serve."""
    selector: Annotated[str, Field(max_length=512)] = ""
    """Label selector of the pods, for the scale subresource."""
    engine_version: Annotated[str, Field(max_length=32)] = ""
    """vLLM version the arguments are rendered for."""
    variants: Annotated[list[VariantStatus], Field(max_length=8)] = []
    """Replicas by variant."""
    hold: Text = ""
    """Why nothing is judged at the moment; empty when judging."""
    stay: StayStatus | None = None
    """Why nothing is changed at the moment. Absent: what runs is what is wanted, or something was changed just now."""
    plan: PlanStatus | None = None
    """What planning predicts for the declared variant. Absent: not planned yet."""

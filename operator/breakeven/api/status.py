"""`status` of a `SpeculativeDeployment`: the report people read, and beside it the memory of the loop.

`kubectl describe` gives every field a line, so what people read is a few texts, and two more texts are JSON: `details`,
the whole report for programs, and `memory`, all that `decide` needs after a crash. Fields of earlier releases are read.
"""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from breakeven.api.base import StatusModel
from breakeven.api.evidence import EvidenceStatus as EvidenceStatus
from breakeven.api.evidence import LatencyStatus as LatencyStatus
from breakeven.api.evidence import NodeSpeed as NodeSpeed
from breakeven.api.evidence import NodesStatus as NodesStatus
from breakeven.api.evidence import QuantileStatus as QuantileStatus
from breakeven.api.evidence import Source as Source
from breakeven.api.evidence import SpreadStatus as SpreadStatus
from breakeven.api.planned import PlanStatus
from breakeven.api.price import Price
from breakeven.api.scalars import Count, DecimalString, NotNegative, Positive, Text, Time, one_line
from breakeven.api.value import ValueReport as ValueReport
from breakeven.api.value import ValueStatus as ValueStatus
from breakeven.api.variant import Variant


class State(StrEnum):
    """Where the loop stands."""

    BASELINE = "Baseline"
    TRIAL = "Trial"
    SPECULATING = "Speculating"
    TUNING = "Tuning"
    COOLDOWN = "Cooldown"
    FROZEN = "Frozen"


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
    generation: Count
    """Generation of the resource it was decided for."""


class LoadBand(StatusModel):
    """What was measured in one band of load: the stored control."""

    load: Positive
    """Output tokens per second and replica, middle of the band: offered load, which speculation does not change."""
    off_tpot_ms: Positive
    """Time per output token without speculation, in milliseconds."""
    inflation: Positive | None = None
    """Step-time inflation R. Absent: measured before any speculation."""
    spread: NotNegative
    """Relative standard error of the time per output token."""
    measured_at: Time
    """When."""
    variant: Annotated[str, Field(max_length=16)]
    """The speculating variant it was measured with."""
    speedup: Positive | None = None
    """S of that variant at this load. Absent: measured before any speculation."""
    running: NotNegative | None = None
    """Mean running requests per replica with that variant. Absent: not known."""


class Remedy(StatusModel):
    """Something that was tried while speculation served."""

    action: Annotated[str, Field(max_length=16)]
    """What: Schedule, Longer or Restart."""
    variant: Annotated[str, Field(max_length=16)]
    """The declared variant it was tried for; with Longer, the one that served."""
    at: Time
    """When."""


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
    acceptance: NotNegative
    """Accepted / drafted tokens in the windows it was verified on."""
    measured_at: Time
    """When."""


class Memory(StatusModel):
    """All that `decide` keeps from one pass to the next."""

    generation: Count = 0
    """Generation that this memory was last reset for."""
    template: Annotated[str, Field(max_length=16)] = ""
    """Checksum of the pod template of `spec.workloadRef` that it was last reset for; empty: there is none."""
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
    hours: Annotated[str, Field(pattern="^([.PL]{24})?$")] = ""
    """What speculation showed last in each hour of the day, UTC: P paid, L lost, a dot: not seen. Empty: nothing yet."""
    bursts: Annotated[list[Time], Field(max_length=16)] = []
    """When trials paid that followed an alarm: what it found was a burst. The newest is renewed by one that is waited out."""
    alarmed_at: Time | None = None
    """When the sequential alarm switched speculation off. Absent: it did not, or a trial has ended since with a verdict."""
    attempts: Count = 0
    """Failed trials since speculation last paid."""
    cooldown_until: Time | None = None
    """No trial before this."""
    tuned_length: Annotated[int, Field(ge=1, le=128)] | None = None
    """Draft length that the survival measured at the last failure predicts to pay. Absent: none is predicted to."""
    failed_at_load: NotNegative | None = None
    """Output tokens per second and replica when speculation last failed: well below it, a trial need not wait so long."""
    transitions: Annotated[list[Time], Field(max_length=1000)] = []
    """Changes of speculation in the last 24 hours."""
    tried: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=64)] = []
    """Variants that failed their trial since the last reset."""
    profile: Annotated[list[LoadBand], Field(max_length=32)] = []
    """Measured controls by load band."""
    nodes: Annotated[list[NodeSpeed], Field(max_length=256)] = []
    """How fast the nodes are, measured before trials."""
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
    command_refused: Text = ""
    """Why that command was not carried out. Empty: it was, or there is none."""
    mode: Annotated[str, Field(max_length=16)] = ""
    """Mode that was last obeyed."""
    evidence_after: Time | None = None
    """Nothing measured before this counts: the end of the last outage, or of the operator's own prompts to a canary."""
    blind_since: Time | None = None
    """Since when there has been no evidence at all. Absent: there is some."""
    answers: Annotated[str, Field(max_length=16)] = ""
    """The declared variant that what serves was chosen for."""
    compared: Annotated[str, Field(max_length=16)] = ""
    """The variant on trial whose answers were compared in this trial. Empty: not yet, or they are not to be."""
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
    message: Annotated[str, BeforeValidator(one_line), Field(max_length=32768)] = ""
    """A sentence, then the figures and what to do: one line of 1024 characters at most."""


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
    awake: int | None = None
    """Replicas in which it is awake, where they hold two variants. Absent: each replica holds one."""


class SwitchingStatus(StatusModel):
    """How replicas that hold two variants were switched."""

    switches: Count = 0
    """Switches since the operator last started, those that failed left out."""
    last_seconds: NotNegative | None = None
    """From the order to the first token of the other variant, median over the last switch of each replica. Absent: none
    was seen yet."""


class Details(StatusModel):
    """The whole report, for programs."""

    variants: Annotated[list[VariantStatus], Field(max_length=8)] = []
    """Replicas by variant."""
    decisions: Annotated[list[DecisionRecord], Field(max_length=20)] = []
    """The last five decisions, newest first."""
    evidence: EvidenceStatus | None = None
    """The figures the last verdict rests on."""
    diagnosis: DiagnosisStatus | None = None
    """What was last found to be the cause of a loss. Absent: nothing stands out."""
    stay: StayStatus | None = None
    """Why nothing is changed at the moment. Absent: what runs is what is wanted, or something was changed just now."""
    value: ValueReport | None = None
    """What speculation gained and what knowing cost. Absent: nothing was judged yet."""
    plan: PlanStatus | None = None
    """What planning predicts for the declared variant. Absent: not planned yet."""
    price: Price | None = None
    """What turns replica-hours into money. Absent: a GPU-hour has no price."""
    switching: SwitchingStatus | None = None
    """How warm replicas were switched. Absent: there are none."""


REPORTED_DECISIONS = 5
"""Decisions in the details; the memory has the last 20."""
SHOWN_DECISIONS = 3
"""Decisions among what people read."""
DETAILS_LENGTH = 65_536
"""Characters of the details: several times what the longest lists and messages come to."""
MEMORY_LENGTH = 786_432
"""Characters of the memory: more than three of the longest variants and lists, with the spec below the 1.5 MiB of etcd."""


def _from_text(value: Any) -> Any:
    """Parse the text; anything else is taken as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _text(part: BaseModel) -> str:
    return json.dumps(part.model_dump(mode="json", exclude_none=True), separators=(",", ":"), ensure_ascii=False)


MemoryText = Annotated[
    Memory,
    BeforeValidator(_from_text),
    PlainSerializer(_text),
    WithJsonSchema({"type": "string", "maxLength": MEMORY_LENGTH}),
]
DetailsText = Annotated[
    Details,
    BeforeValidator(_from_text),
    PlainSerializer(_text),
    WithJsonSchema({"type": "string", "maxLength": DETAILS_LENGTH}),
]


class Status(StatusModel):
    """What the controller reports."""

    ready: Annotated[str, Field(max_length=32)] = ""
    """Replicas that serve / declared ones, as in 3/4."""
    state: State = State.BASELINE
    """Where the loop stands."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """What is wrong now, else what was decided last, in one word."""
    message: Annotated[str, Field(max_length=256)] = ""
    """What is wrong now, else what was decided last, in a sentence; the condition that it is from has the figures."""
    since: Time | None = None
    """When `state` was entered."""
    speedup: DecimalString | None = None
    """S of what serves, or of what is on trial against no speculation. Absent: not measured since it serves."""
    cooldown_until: Time | None = None
    """No trial before this, unless the load falls. Absent: nothing is waited for."""
    observed_generation: int = 0
    """Generation this report is about."""
    conditions: Annotated[list[Condition], Field(max_length=32)] = []
    """SpeculationActive, Ready, Reconciling, Stalled, MetricsAvailable and others."""
    replicas: int = 0
    """Replicas that exist."""
    ready_replicas: int = 0
    """Replicas that serve."""
    selector: Annotated[str, Field(max_length=512)] = ""
    """Label selector of the pods, for the scale subresource."""
    engine_version: Annotated[str, Field(max_length=32)] = ""
    """vLLM version the arguments are rendered for."""
    awake: Annotated[str, Field(max_length=128)] = ""
    """What is awake in how many replicas, where they hold two variants. Empty: each replica holds one."""
    arms: Annotated[list[Text], Field(max_length=8)] = []
    """Replicas by variant, one a line: role, what it drafts with, replicas that serve / wanted, name."""
    hold: Text = ""
    """Why nothing is judged at the moment; empty when judging."""
    waiting: Text = ""
    """Why nothing is changed at the moment, one word first (docs/decisions.md has all). Empty: what runs is what is
    wanted, or something was changed just now."""
    command: Text = ""
    """What became of the annotation breakeven.dev/command. Empty: there is none."""
    history: Annotated[list[Text], Field(max_length=5)] = []
    """The last three decisions, newest first, one a line: when, what, why, and a sentence."""
    figures: Text = ""
    """What the last verdict rests on: S with its bounds, acceptance against break-even. Empty: nothing was judged yet."""
    gain: Text = ""
    """What speculation gained and what the live control cost, over 24 hours. Empty: nothing was judged yet."""
    remarks: Text = ""
    """What works and will hurt, by field of the spec. Empty: nothing to remark."""
    outlook: Text = ""
    """What the plan comes to before anything is measured. Empty: without a draft, or not planned yet."""
    details: DetailsText = Field(default_factory=Details)
    """The whole report for programs, as JSON: variants, decisions, evidence, diagnosis, stay, value, plan. `kubectl get spd NAME -o
    jsonpath='{.status.details}' | jq` shows it."""
    memory: MemoryText = Field(default_factory=Memory)
    """What the operator remembers, as JSON: `kubectl get spd NAME -o jsonpath='{.status.memory}' | jq` shows it."""

    def written(self) -> dict[str, Any]:
        """The status as it is stored: what is empty is left out, since `kubectl describe` gives it a line all the same."""
        wire = self.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in wire.items() if value not in ("", [], {})}

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_release(cls, value: Any) -> Any:
        """Read memory and details where they were before they had fields of their own."""
        if not isinstance(value, dict):
            return value
        moved = {}
        if "memory" not in value and _ONLY_REMEMBERED & value.keys():
            moved["memory"] = {key: item for key, item in value.items() if key in _REMEMBERED}
        if "details" not in value:
            moved["details"] = {key: item for key, item in value.items() if key in _DETAILED}
        return value | moved


_REMEMBERED = frozenset(field.alias or name for name, field in Memory.model_fields.items())
_DETAILED = frozenset(field.alias or name for name, field in Details.model_fields.items())
_ONLY_REMEMBERED = _REMEMBERED - _DETAILED - {field.alias or name for name, field in Status.model_fields.items()}
"""Fields that only an earlier release wrote into the status."""

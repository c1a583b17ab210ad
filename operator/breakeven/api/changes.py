"""Typed changes of frozen status models: a misspelt field or a value of another type does not pass the type checker.

A test holds the keys equal to the fields of the models.
"""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict, Unpack

from breakeven.api.evidence import ObjectiveStatus
from breakeven.api.status import (
    DecisionRecord,
    DiagnosisStatus,
    EvidenceStatus,
    LastGood,
    LatencyStatus,
    LoadBand,
    Memory,
    NodeSpeed,
    NodesStatus,
    PlainPair,
    Remedy,
    Source,
    SpreadStatus,
    State,
    ValueStatus,
)
from breakeven.api.variant import Variant


class MemoryChange(TypedDict, total=False):
    """Some fields of `Memory` with their new values."""

    generation: int
    template: str
    state: State
    since: datetime | None
    stable: Variant | None
    canary: Variant | None
    holdback: bool
    last_good: LastGood | None
    attempts: int
    hours: str
    bursts: list[datetime]
    alarmed_at: datetime | None
    cooldown_until: datetime | None
    tuned_length: int | None
    failed_at_load: Decimal | None
    transitions: list[datetime]
    tried: list[str]
    profile: list[LoadBand]
    nodes: list[NodeSpeed]
    remedies: list[Remedy]
    decisions: list[DecisionRecord]
    evidence: EvidenceStatus | None
    reference: EvidenceStatus | None
    diagnosis: DiagnosisStatus | None
    unverified_since: datetime | None
    value: ValueStatus | None
    unquantized: PlainPair | None
    command: str
    command_refused: str
    mode: str
    evidence_after: datetime | None
    blind_since: datetime | None
    answers: str
    compared: str
    profile_grew_at: datetime | None
    advice: str


class EvidenceChange(TypedDict, total=False):
    """Some fields of `EvidenceStatus` with their new values."""

    source: Source | None
    verdict: str
    speedup: Decimal | None
    speedup_lower: Decimal | None
    speedup_upper: Decimal | None
    tokens_per_step: Decimal | None
    inflation: Decimal | None
    acceptance: Decimal | None
    acceptance_at: list[Decimal]
    acceptance_p10: Decimal | None
    acceptance_p50: Decimal | None
    acceptance_p90: Decimal | None
    acceptance_over_pods: SpreadStatus | None
    acceptance_over_windows: SpreadStatus | None
    break_even_acceptance: Decimal | None
    tpot_off_ms: Decimal | None
    tpot_on_ms: Decimal | None
    ttft_p95_off_ms: Decimal | None
    ttft_p95_on_ms: Decimal | None
    tpot_p99_off_ms: Decimal | None
    tpot_p99_on_ms: Decimal | None
    latency: LatencyStatus | None
    kv_usage_off: Decimal | None
    kv_usage_on: Decimal | None
    prefix_hit_rate_off: Decimal | None
    prefix_hit_rate_on: Decimal | None
    preemptions_off: int | None
    preemptions_on: int | None
    waiting_off: Decimal | None
    waiting_on: Decimal | None
    objective: ObjectiveStatus | None
    nodes: NodesStatus | None
    requests: int | None
    load: Decimal | None
    replicas_saved: Decimal | None
    replicas_saved_lower: Decimal | None
    control_cost_tokens_per_day: Decimal | None
    window_end: datetime | None
    message: str


def changed(memory: Memory, **changes: Unpack[MemoryChange]) -> Memory:
    """The memory with these fields changed; the same object when there are none."""
    return memory.model_copy(update={**changes}) if changes else memory


def revised(report: EvidenceStatus, **changes: Unpack[EvidenceChange]) -> EvidenceStatus:
    """The report with these fields changed; the same object when there are none."""
    return report.model_copy(update={**changes}) if changes else report

"""Full reports of a resource in each usual state, as a pass makes them from everything that can be measured."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from breakeven.api.conditions import ConditionType, Reason
from breakeven.api.evidence import JudgedBy, ObjectiveStatus, RatioStatus
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import (
    DecisionRecord,
    DiagnosisStatus,
    EvidenceStatus,
    LatencyStatus,
    Memory,
    QuantileStatus,
    Role,
    Source,
    SpreadStatus,
    State,
    Status,
    ValueStatus,
)
from breakeven.api.value import ValueHour, ValueSums
from breakeven.api.variant import Variant, declared_variant
from breakeven.api.vocabulary import StayReason
from breakeven.control.fitness import fitness
from breakeven.control.moves import Arrived
from breakeven.control.report import PassSummary, status_of
from breakeven.domain.answer import Stay
from breakeven.domain.counters.observation import Fleet, Observation
from breakeven.domain.decision import Decision, Finding, Placement

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_FIGURES = "S 0.714 [0.661, 0.771], E 1.36, R 1.91, acceptance 0.123 against break-even 0.304, 25 requests an arm"
_SUMS = ValueSums(
    tokens=1_204_000,
    tokens_lower=991_000,
    replica_hours=Decimal("18.25"),
    replica_hours_lower=Decimal("15.5"),
    cost_tokens=300_000,
    cost_replica_hours=Decimal("6.1"),
)


def _evidence() -> EvidenceStatus:
    """Every figure that there is."""
    spread = SpreadStatus(of=4, p10=Decimal("0.6"), p50=Decimal("0.65"), p90=Decimal("0.7"))
    quantile = QuantileStatus(
        off_ms=Decimal("31.2"),
        on_ms=Decimal("18.4"),
        ratio=Decimal("0.59"),
        lower=Decimal("0.57"),
        upper=Decimal("0.62"),
    )
    latency = LatencyStatus(tpot_p50=quantile, tpot_p99=quantile, ttft_p50=quantile, ttft_p95=quantile)
    given: dict[str, Any] = {
        "source": Source.MEASURED,
        "verdict": "Pays",
        "acceptance_at": [Decimal("0.8"), Decimal("0.7"), Decimal("0.6"), Decimal("0.5"), Decimal("0.4")],
        "acceptance_over_pods": spread,
        "acceptance_over_windows": spread,
        "latency": latency,
        "objective": ObjectiveStatus(
            judged_by=JudgedBy.END_TO_END,
            end_to_end=RatioStatus(value=Decimal("0.731"), lower=Decimal("0.681"), upper=Decimal("0.785")),
        ),
        "requests": 1200,
        "preemptions_off": 1,
        "preemptions_on": 2,
        "window_end": NOW,
        "message": _FIGURES,
    }
    rest = {name: Decimal("0.714") for name in EvidenceStatus.model_fields if name not in given and name != "nodes"}
    return EvidenceStatus(**given, **rest)


def _decisions(*actions: tuple[str, str]) -> list[DecisionRecord]:
    lead = "Switched off: 29 % slower with the draft (at least 23 %). Accepted 12 %, needs 30 %. Next try 12:24:19 UTC."
    return [
        DecisionRecord(
            at=NOW - timedelta(hours=place), action=action, reason=reason, message=f"{lead} {_FIGURES}", generation=1
        )
        for place, (action, reason) in enumerate(actions)
    ]


_BEGUN = [("Begin", "NotYetProven")]
_TRIED = [("StartTrial", "OnTrial"), *_BEGUN]
_PROMOTED = [("KeepControl", "LoadNotMeasured"), ("Promote", "Pays"), ("RollBack", "BelowBreakEven"), *_TRIED * 2]
_STATES: Mapping[State, list[tuple[str, str]]] = {
    State.BASELINE: _BEGUN,
    State.TRIAL: _TRIED,
    State.SPECULATING: _PROMOTED,
    State.COOLDOWN: [("Disable", "BelowBreakEven"), *_PROMOTED],
}


def full_reports(spec: Mapping[str, Any]) -> Mapping[State, Status]:
    """The status of a resource with this spec in each usual state: baseline, trial, speculating beside a control, and
    switched off."""
    declared = SpeculativeDeploymentSpec.model_validate(spec)
    return {state: _report(declared, state) for state in _STATES}


def _report(spec: SpeculativeDeploymentSpec, state: State) -> Status:
    wished = declared_variant(spec)
    stable = wished if state is State.SPECULATING else wished.baseline
    beside = {State.TRIAL: (wished, Role.CANARY), State.SPECULATING: (wished.baseline, Role.HOLDBACK)}.get(state)
    placements = [Placement(variant=stable, role=Role.STABLE, replicas=spec.replicas - (1 if beside else 0))]
    if beside is not None:
        placements.append(Placement(variant=beside[0], role=beside[1], replicas=1))
    judged = state in (State.SPECULATING, State.COOLDOWN)
    off = state is State.COOLDOWN
    memory = Memory(
        state=state,
        since=NOW,
        stable=stable,
        canary=wished if state is State.TRIAL else None,
        cooldown_until=NOW + timedelta(minutes=30) if off else None,
        decisions=_decisions(*_STATES[state]),
        evidence=_evidence() if judged else None,
        value=_value() if judged else None,
        diagnosis=DiagnosisStatus(reason="DraftMismatch", message=_FIGURES, since=NOW) if off else None,
    )
    decision = Decision(
        memory=memory,
        placements=tuple(placements),
        findings=_findings(off=off, judged=judged),
        stay=Stay(reason=StayReason.COOLING_DOWN, message="spec.policy.cooldown: no trial before 12:30:00 UTC"),
        hold="" if judged else "Warmup: replicas are younger than spec.evidence.warmup",
    )
    fleet = {p.variant.name: _settled(p.variant, p.replicas) for p in placements}
    summary = PassSummary(
        name="llama-70b",
        generation=1,
        spec=spec,
        fitness=fitness({}, spec),
        observation=Observation(fleet=fleet),
        pools=fleet,
        decision=decision,
        move=Arrived(),
    )
    return status_of(summary, Status(), NOW)


def _settled(variant: Variant, replicas: int) -> Fleet:
    return Fleet(variant=variant.name, wanted=replicas, existing=replicas, ready=replicas)


def _value() -> ValueStatus:
    hours = [ValueHour(start=NOW - timedelta(hours=ago), **_SUMS.model_dump()) for ago in range(24, 0, -1)]
    return ValueStatus(counted_until=NOW, since=NOW, since_verdict=_SUMS, day=_SUMS, hours=hours)


def _findings(*, off: bool, judged: bool) -> tuple[Finding, ...]:
    acceptance = Reason.NOT_SPECULATING if off or not judged else Reason.HEALTHY
    cause = Reason.DRAFT_MISMATCH if off else Reason.NOTHING_FOUND if judged else Reason.NO_DATA
    return (
        Finding(type=ConditionType.ACCEPTANCE_HEALTHY, status=True if judged else None, reason=acceptance, message=""),
        Finding(type=ConditionType.DIAGNOSIS, status=off, reason=cause, message=_FIGURES),
    )

"""The status that a pass reports. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from breakeven.api.choices import MetricsSource
from breakeven.api.conditions import ConditionType, Reason, meaning_of, set_condition
from breakeven.api.price import Price
from breakeven.api.spec import Mode, SpeculativeDeploymentSpec
from breakeven.api.status import (
    REPORTED_DECISIONS,
    SHOWN_DECISIONS,
    Condition,
    Details,
    Role,
    State,
    Status,
)
from breakeven.api.vocabulary import StayReason
from breakeven.control.arms import arms_of, draft_in_words
from breakeven.control.core import Fitness
from breakeven.control.headline import command_answer, headline, present_speedup, value_report
from breakeven.control.lines import arm_line, awake_line, decision_line, figures_line, gain_line, waiting_line
from breakeven.control.moves import Arrived, Blocked, Move, Paused, Step
from breakeven.control.warm.telling import WarmReport
from breakeven.domain.counters.observation import Fleet, Observation
from breakeven.domain.decision import Decision, Finding
from breakeven.domain.report.publication import stay_status
from breakeven.render.names import Owner, selector

_FAILED = ("RollBack", "EndTrial")
"""Decisions about a canary that leave what serves as it was."""
_REMARKED = (Reason.ADVICE, Reason.PENALTY_UNKNOWN)
_NAMED = 3
"""Pods that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSummary:
    """What one pass knows when it reports."""

    name: str
    generation: int
    spec: SpeculativeDeploymentSpec
    fitness: Fitness
    observation: Observation
    pools: Mapping[str, Fleet]
    """The replicas as they exist, each once: a variant of `observation` may share its replicas with another."""
    warm: WarmReport = field(default_factory=WarmReport)
    decision: Decision
    move: Move
    refused: str = ""
    """Why the API server, or we for its sake, did not take an object of the last pass."""
    price: Price | None = None
    """What turns replica-hours into money; None where a GPU-hour has no price."""
    price_unread: str = ""
    """Why the resource's own price cannot be read."""
    foreign: str = ""
    """Which objects carry the labels of the resource and are not its own, and what to do."""


def status_of(summary: PassSummary, old: Status, now: datetime) -> Status:
    """The status after a pass."""
    fleet, memory = summary.pools, summary.decision.memory
    conditions, ready = _conditions(summary, old, now), sum(f.ready for f in fleet.values())
    head, details = headline(conditions), _details(summary, old)
    return Status(
        ready=f"{ready}/{summary.spec.replicas}",
        state=memory.state,
        reason=head.reason,
        message=head.message,
        since=memory.since,
        speedup=present_speedup(memory),
        cooldown_until=memory.cooldown_until,
        observed_generation=summary.generation,
        conditions=conditions,
        replicas=sum(f.existing for f in fleet.values()),
        ready_replicas=ready,
        selector=selector(Owner(name=summary.name, namespace="")),
        engine_version=summary.fitness.engine_version,
        awake=awake_line(details.variants),
        arms=[arm_line(variant) for variant in details.variants],
        hold=str(summary.decision.hold or ""),
        waiting=waiting_line(details.stay),
        command=command_answer(memory),
        history=[decision_line(decision) for decision in memory.decisions[:SHOWN_DECISIONS]],
        figures=figures_line(memory.evidence),
        gain=gain_line(details.value, summary.price),
        remarks=_remarks([*summary.fitness.findings, *summary.decision.findings], summary.price_unread),
        outlook=details.plan.answer if details.plan is not None else "",
        details=details,
        memory=memory,
    )


def _details(summary: PassSummary, old: Status) -> Details:
    """The report for programs; the plan without a prediction for each batch, which `breakeven plan` prints."""
    memory, plan = summary.decision.memory, summary.fitness.plan
    return Details(
        variants=arms_of(summary.decision, summary.observation.fleet, old, summary.warm.awake),
        decisions=memory.decisions[:REPORTED_DECISIONS],
        evidence=memory.evidence,
        diagnosis=memory.diagnosis,
        stay=stay_status(summary.decision.stay),
        value=value_report(memory.value),
        plan=plan.model_copy(update={"speedups": []}) if plan is not None else None,
        price=summary.price,
        switching=summary.warm.status(old.details.switching),
    )


def _remarks(findings: Sequence[Finding], *more: str) -> str:
    """What works and will hurt, or cannot be known: no condition, since nothing is wrong."""
    return "; ".join(text for text in (*(f.message for f in findings if f.reason in _REMARKED), *more) if text)


def refused_status(old: Status, *, reason: Reason, message: str, generation: int, now: datetime) -> Status:
    """The status of a resource that cannot be carried out: what it remembers stays, three conditions say why."""
    conditions: list[Condition] = list(old.conditions)
    for kind, value in (
        (ConditionType.CONFIGURATION_VALID, False),
        (ConditionType.STALLED, True),
        (ConditionType.READY, False),
    ):
        conditions = set_condition(
            conditions, type=kind, status=value, reason=reason, message=message, generation=generation, now=now
        )
    kept = [c for c in conditions if c.type != ConditionType.RECONCILING]
    head = headline(kept)
    return old.model_copy(
        update={
            "conditions": kept,
            "observed_generation": generation,
            "reason": head.reason,
            "message": head.message,
            "speedup": None,
        }
    )


def with_replica_counts(status: Status, fleet: Mapping[str, Fleet], *, name: str, declared: int | None) -> Status:
    """The status of a resource that is not carried out, with the replicas that exist all the same.

    `declared` is None where the spec cannot be read.
    """
    ready = sum(f.ready for f in fleet.values())
    return status.model_copy(
        update={
            "ready": f"{ready}/{'?' if declared is None else declared}",
            "replicas": sum(f.existing for f in fleet.values()),
            "ready_replicas": ready,
            "selector": selector(Owner(name=name, namespace="")),
        }
    )


def unreadable_status(raw: Mapping[str, Any], *, message: str, generation: int, now: datetime) -> dict[str, Any]:
    """A status that cannot be read, with nothing changed but the conditions that say so."""
    try:
        conditions = [Condition.model_validate(c) for c in raw.get("conditions") or []]
    except ValidationError:
        conditions = []
    for kind, value in ((ConditionType.STALLED, True), (ConditionType.READY, False)):
        conditions = set_condition(
            conditions,
            type=kind,
            status=value,
            reason=Reason.STATUS_UNREADABLE,
            message=message,
            generation=generation,
            now=now,
        )
    return {**raw, "conditions": [c.model_dump(mode="json", exclude_none=True) for c in conditions]}


def _conditions(summary: PassSummary, old: Status, now: datetime) -> list[Condition]:
    memory = summary.decision.memory
    same = old.observed_generation == summary.generation and old.state is memory.state
    conditions: list[Condition] = list(old.conditions)
    findings = [
        *_service(summary),
        _speculation(summary),
        _metrics(summary),
        _paused(summary.spec),
        _foreign(summary.foreign),
        Finding(
            type=ConditionType.CAPACITY_AVAILABLE,
            status=True,
            reason=Reason.SUFFICIENT,
            message="every replica has a node",
        ),
        Finding(type=ConditionType.CONFIGURATION_VALID, status=True, reason=Reason.VALID, message=""),
        *summary.fitness.findings,
        *summary.decision.findings,
        *([summary.move.finding] if isinstance(summary.move, Blocked) else []),
        *([summary.warm.finding] if summary.warm.finding is not None else []),
    ]
    last = {str(f.type): f for f in findings}
    speculation = last[ConditionType.SPECULATION_ACTIVE]
    last[ConditionType.SPECULATION_ACTIVE] = _as_it_runs(speculation, summary, old)
    if not same:
        conditions = [c for c in conditions if c.type in last]
    if summary.warm.finding is None:
        conditions = [c for c in conditions if c.type != ConditionType.WARM_SWITCHING]
    for finding in last.values():
        conditions = set_condition(
            conditions,
            type=finding.type,
            status=finding.status,
            reason=finding.reason,
            message=finding.message,
            generation=summary.generation,
            now=now,
        )
    return conditions[:32]


def _service(summary: PassSummary) -> list[Finding]:
    """Ready, Reconciling and Stalled."""
    declared, fleet = summary.spec.replicas, summary.pools
    ready = sum(f.ready for f in fleet.values())
    exist = sum(f.existing + f.terminating for f in fleet.values())
    failing = next((f.failing for f in fleet.values() if f.failing), "")
    stalled = _stalled(summary)
    if declared == 0 and not exist:
        state = Finding(
            type=ConditionType.READY, status=True, reason=Reason.SCALED_TO_ZERO, message="no replica is declared"
        )
    elif ready >= declared:
        state = Finding(
            type=ConditionType.READY,
            status=True,
            reason=Reason.SERVING,
            message=f"{ready} of {declared} replicas serve",
        )
    else:
        blocked = summary.move.finding if isinstance(summary.move, Blocked) else None
        reason = Reason.ENGINE_FAILING if failing else Reason.REPLICAS_UNREADY
        why = failing
        if blocked and blocked.reason == Reason.UNSCHEDULABLE:
            reason, why = Reason.UNSCHEDULABLE, blocked.message
        if summary.refused:
            reason, why = Reason.APPLY_REFUSED, summary.refused
        message = f"{ready} of {declared} replicas serve" + (f": {why}" if why else "")
        state = Finding(type=ConditionType.READY, status=False, reason=reason, message=message)
    return [state, _reconciling(summary, ready, declared, bool(stalled)), stalled or _absent(ConditionType.STALLED)]


def _reconciling(summary: PassSummary, ready: int, declared: int, stalled: bool) -> Finding:
    move = summary.move
    waiting = isinstance(move, Blocked) and ready < declared
    if stalled or isinstance(move, Arrived | Paused) or (isinstance(move, Blocked) and not waiting):
        return _absent(ConditionType.RECONCILING)
    if isinstance(move, Blocked):
        reason, message = Reason.PROGRESSING, move.finding.message
    else:
        reason, message = (Reason.MOVING_REPLICAS if isinstance(move, Step) else Reason.LOADING_ENGINE), move.reason
    return Finding(type=ConditionType.RECONCILING, status=True, reason=reason, message=message)


def _stalled(summary: PassSummary) -> Finding | None:
    """What only a person can change: an object is refused, an engine that serves keeps failing, a node is dead."""
    if summary.refused:
        return Finding(type=ConditionType.STALLED, status=True, reason=Reason.APPLY_REFUSED, message=summary.refused)
    stable = next((p.variant.name for p in summary.decision.placements if p.role is Role.STABLE), "")
    f = summary.observation.fleet.get(stable)
    if f is not None and f.failing:
        message = f"An engine keeps failing: {f.failing}"
        return Finding(type=ConditionType.STALLED, status=True, reason=Reason.ENGINE_FAILING, message=message)
    stuck = [pod for fleet in summary.pools.values() for pod in fleet.stuck]
    return _stuck(stuck) if stuck else None


def _stuck(pods: Sequence[str]) -> Finding:
    more = f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    message = (
        f"A pod does not stop, terminating beyond the grace period: {', '.join(pods[:_NAMED])}{more}. "
        "Nothing waits for it any more. "
        "Its node does not answer, or a finalizer holds it: remove the Node object, or `kubectl delete pod --force`"
    )
    return Finding(type=ConditionType.STALLED, status=True, reason=Reason.POD_NOT_STOPPING, message=message)


def _speculation(summary: PassSummary) -> Finding:
    """SpeculationActive, with the figures of the last decision, so that `kubectl describe` answers "why is it off?"."""
    memory = summary.decision.memory
    on = bool(memory.stable and memory.stable.speculates)
    last = memory.decisions[0] if memory.decisions else None
    reason: str
    if last and on and last.action in _FAILED:
        # The figures of what failed would read as those of what serves.
        reason = Reason.TRIAL_FAILED
        serving = draft_in_words(memory.stable.draft if memory.stable else None)
        message = f"{serving} serves on, and the trial beside it failed. {last.message}"
    elif last:
        reason, message = last.reason, _with_what_holds_it_up(last.message, summary)
    elif summary.spec.draft is None:
        reason, message = Reason.NO_DRAFT, "spec.draft is absent"
    elif summary.spec.policy.mode is Mode.ALWAYS_OFF:
        reason, message = Reason.PINNED_OFF, "spec.policy.mode is AlwaysOff"
    elif summary.spec.policy.mode is Mode.ALWAYS_ON:
        reason, message = Reason.PINNED_ON, "spec.policy.mode is AlwaysOn"
    elif memory.state is State.TRIAL:
        reason, message = Reason.ON_TRIAL, "a canary is being measured"
    else:
        reason, message = Reason.NOT_YET_PROVEN, "not judged yet"
    return Finding(type=ConditionType.SPECULATION_ACTIVE, status=on, reason=reason, message=message)


def _with_what_holds_it_up(message: str, summary: PassSummary) -> str:
    """The decision, and why the next try that it announced is not under way, once its time has come."""
    memory, stay = summary.decision.memory, summary.decision.stay
    if memory.state is not State.COOLDOWN or stay is None or stay.reason is StayReason.COOLING_DOWN:
        return message
    return f"{message.rstrip('.')}. Still off: {stay.message}."


def _as_it_runs(finding: Finding, summary: PassSummary, old: Status) -> Finding:
    """While a switch is decided but blocked, the condition says what serves, and that it is not carried out."""
    stable = summary.decision.memory.stable
    fleet = summary.observation.fleet
    if not isinstance(summary.move, Blocked) or stable is None or (stable.name in fleet and fleet[stable.name].ready):
        return finding
    serving = [v for v in old.details.variants if v.name in fleet and fleet[v.name].ready]
    if not serving:
        return finding
    on = None if any(v.speculates is None for v in serving) else any(v.speculates for v in serving)
    message = f"decided but not carried out ({finding.reason}): {finding.message}"
    return replace(finding, status=on, reason=Reason.SWITCH_BLOCKED, message=message)


def _metrics(summary: PassSummary) -> Finding:
    outage = summary.observation.outage
    ready = sum(f.ready for f in summary.pools.values())
    if not ready:
        reason = Reason.REPLICAS_UNREADY if summary.spec.replicas else Reason.SCALED_TO_ZERO
        return Finding(
            type=ConditionType.METRICS_AVAILABLE,
            status=None,
            reason=reason,
            message="no replica serves that could be read",
        )
    if outage:
        # The meaning of the reason is the sentence; the feed's own words come after it.
        meaning = meaning_of(ConditionType.METRICS_AVAILABLE, outage.reason) or "There are no metrics."
        message = f"{meaning} Nothing is judged meanwhile. {outage.message}"
        return Finding(type=ConditionType.METRICS_AVAILABLE, status=False, reason=outage.reason, message=message)
    words = {
        MetricsSource.PROMETHEUS: "engine metrics are fresh",
        MetricsSource.PODS: "engine metrics are fresh, read from the pods themselves since this operator began",
    }
    return Finding(
        type=ConditionType.METRICS_AVAILABLE,
        status=True,
        reason=Reason.FRESH,
        message=words[summary.observation.source],
    )


def _foreign(message: str) -> Finding:
    if not message:
        return _absent(ConditionType.FOREIGN_OBJECTS)
    kind, reason = ConditionType.FOREIGN_OBJECTS, Reason.LABELS_OF_THIS_RESOURCE
    return Finding(type=kind, status=True, reason=reason, message=message)


def _paused(spec: SpeculativeDeploymentSpec) -> Finding:
    if spec.policy.paused:
        return Finding(
            type=ConditionType.PAUSED, status=True, reason=Reason.BY_POLICY, message="spec.policy.paused is true"
        )
    if spec.policy.mode is Mode.ADVISE:
        return Finding(
            type=ConditionType.PAUSED,
            status=True,
            reason=Reason.ADVISE_ONLY,
            message="spec.policy.mode is Advise: decisions are recorded only",
        )
    return _absent(ConditionType.PAUSED)


def _absent(kind: ConditionType) -> Finding:
    return Finding(type=kind, status=False, reason=Reason.SERVING, message="")

"""What one pass over a resource comes to: observe, decide, find the next move, render, compare, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from breakeven.api.conditions import Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, Status
from breakeven.control import report
from breakeven.control.core import Core, Wanted
from breakeven.control.diff import Writes, diff
from breakeven.control.errors import Refused
from breakeven.control.fleet import fleets
from breakeven.control.inputs import command_of, limits_of, planned_loading
from breakeven.control.move_wording import explained, variant_words
from breakeven.control.moves import Move, Step, Target, next_move
from breakeven.control.observe import observe
from breakeven.control.ownership import foreign_message
from breakeven.control.parsed_resource import Parsed
from breakeven.control.ports import Metrics, object_id
from breakeven.control.resource_state import ResourceState
from breakeven.control.skipping import Basis
from breakeven.control.smoke import SmokeTests
from breakeven.control.snapshot import Snapshot
from breakeven.control.status_news import is_news
from breakeven.domain.counters.observation import Fleet, Observation
from breakeven.domain.decision import Decision, Declared
from breakeven.engines import Refusal

_WHILE_REFUSED = timedelta(minutes=5)
"""Until a resource that is refused is looked at again; a change of it comes as an event."""
_WHILE_MOVING = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlan:
    """What is to be written, and what it follows from."""

    snapshot: Snapshot
    """What it rests on."""
    old: Status
    status: Status
    writes: Writes
    idle: bool
    """Whether nothing is to be written."""
    decision: Decision | None = None
    """None: the resource is refused, so that nothing was decided."""
    move: Move | None = None
    """None likewise."""
    observation: Observation | None = None
    """None likewise."""

    @property
    def look_again(self) -> timedelta:
        """When to come back without any event."""
        if self.decision is None:
            return _WHILE_REFUSED
        return min(self.decision.look_again, _WHILE_MOVING) if isinstance(self.move, Step) else self.decision.look_again


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTools:
    """What planning a pass uses besides what it is about."""

    core: Core
    metrics: Metrics
    smoke_tests: SmokeTests
    with_pod_monitor: bool
    """Whether the cluster has PodMonitors."""


def plan_pass(snapshot: Snapshot, parsed: Parsed, state: ResourceState, tools: PassTools) -> PassPlan:
    """Plan one pass. Writes nothing to the API server; keeps in `state` what the next pass may rest on.

    Raises
    ------
    Refused
        If the status cannot be read: what it remembers must not be written over.
    """
    if parsed.unreadable:
        raise Refused(parsed.unreadable)
    if parsed.spec is None:
        return _refused(snapshot, parsed, Reason.INVALID_CONFIGURATION, parsed.error)
    if parsed.fitness.refusals:
        return _refused(snapshot, parsed, parsed.fitness.reason, "; ".join(parsed.fitness.refusals))
    spec, memory = parsed.spec, state.with_newest_value(parsed.status.memory)
    observation = observe(snapshot, spec, memory, state, metrics=tools.metrics, smoke_tests=tools.smoke_tests)
    decision = _decide(snapshot, parsed, spec, memory, observation, tools.core)
    state.value = decision.memory.value or state.value
    move = _next_move(snapshot, parsed, spec, decision, observation)
    writes, refusals = _render_and_diff(snapshot, spec, decision, move, observation, state, tools)
    if refusals:
        return _refused(snapshot, parsed, refusals[0].reason, "; ".join(f"spec.{refusal}" for refusal in refusals))
    summary = report.PassSummary(
        name=snapshot.key.name,
        generation=snapshot.generation,
        spec=spec,
        fitness=parsed.fitness,
        observation=observation,
        decision=decision,
        move=move,
        refused="" if writes.empty else state.refusal,
        foreign=_foreign(snapshot, writes),
    )
    status = report.status_of(summary, parsed.status, snapshot.now)
    return PassPlan(
        snapshot=snapshot,
        old=parsed.status,
        status=status,
        writes=writes,
        idle=writes.empty and not is_news(status, parsed.status),
        decision=decision,
        move=move,
        observation=observation,
    )


def _decide(
    snapshot: Snapshot,
    parsed: Parsed,
    spec: SpeculativeDeploymentSpec,
    memory: Memory,
    observation: Observation,
    core: Core,
) -> Decision:
    declared = Declared(
        spec=spec,
        generation=snapshot.generation,
        planned_loading_minutes=planned_loading(parsed, spec),
        **command_of(snapshot.body),
    )
    return core.decide(declared, memory, observation, snapshot.now)


def _next_move(
    snapshot: Snapshot, parsed: Parsed, spec: SpeculativeDeploymentSpec, decision: Decision, observation: Observation
) -> Move:
    targets = [Target(variant=p.variant.name, replicas=p.replicas) for p in decision.placements]
    move = next_move(targets, observation.fleet, limits_of(spec, snapshot.now))
    return explained(move, variant_words(decision.placements, parsed.status.details.variants))


def _render_and_diff(
    snapshot: Snapshot,
    spec: SpeculativeDeploymentSpec,
    decision: Decision,
    move: Move,
    observation: Observation,
    state: ResourceState,
    tools: PassTools,
) -> tuple[Writes, Sequence[Refusal]]:
    """What differs, and why it cannot be rendered where that is so."""
    owner, moving, paused = snapshot.owner, isinstance(move, Step), spec.policy.paused
    wanted = _replicas_now(decision, move, observation.fleet)
    keep = _kept_variants(decision.memory)
    values = (owner, wanted, keep, paused, tools.with_pod_monitor, moving)
    basis = Basis(objects=snapshot.objects, values=values)
    if basis.same_as(state.nothing_to_write):
        return Writes(), ()
    rendering = tools.core.render(owner, wanted, with_pod_monitor=tools.with_pod_monitor)
    if rendering.refusals:
        return Writes(), rendering.refusals
    writes = diff(rendering, snapshot, state.applied, observation.fleet, move=move, keep=keep, frozen=paused)
    state.nothing_to_write = basis if writes.empty and not moving else None
    return writes, ()


def _replicas_now(decision: Decision, move: Move, fleet: Mapping[str, Fleet]) -> list[Wanted]:
    """Replicas to render now: those of the step, else those that are wanted already."""
    now = {name: f.wanted for name, f in fleet.items()} | dict(move.replicas if isinstance(move, Step) else {})
    return [Wanted(variant=p.variant, role=p.role, replicas=now.get(p.variant.name, 0)) for p in decision.placements]


def _kept_variants(memory: Memory) -> set[str]:
    """Variants that are referred to: their Deployments stay even without replicas."""
    last_good = memory.last_good.variant if memory.last_good else None
    return {variant.name for variant in (memory.stable, memory.canary, last_good) if variant}


def _foreign(snapshot: Snapshot, writes: Writes) -> str:
    """Objects with our labels that are not ours, in words; orphans that are about to be taken in again are."""
    adopted = {object_id(manifest) for manifest in writes.apply}
    return foreign_message(snapshot.owner, snapshot.foreign, but_not=adopted)


def _refused(snapshot: Snapshot, parsed: Parsed, reason: Reason, message: str) -> PassPlan:
    """Nothing is touched, what runs keeps running, and the conditions say which field to change."""
    fleet = fleets(snapshot.deployments, snapshot.pods, now=snapshot.now, unsettled_at={}, smoke={})
    refused = report.refused_status(
        parsed.status, reason=reason, message=message, generation=snapshot.generation, now=snapshot.now
    )
    status = report.with_replica_counts(
        refused, fleet, name=snapshot.key.name, declared=parsed.spec.replicas if parsed.spec else None
    )
    idle = not is_news(status, parsed.status)
    return PassPlan(snapshot=snapshot, old=parsed.status, status=status, writes=Writes(), idle=idle)

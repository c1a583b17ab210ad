"""What one pass over a resource comes to: observe, decide, find the next move, render, compare, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from breakeven.api.conditions import Reason
from breakeven.api.price import GpuHour
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, Status
from breakeven.control import report
from breakeven.control.answers import Comparisons
from breakeven.control.core import Core, Wanted
from breakeven.control.diff import Writes, diff
from breakeven.control.errors import Refused
from breakeven.control.fleet import fleets
from breakeven.control.inputs import command_of, limits_of, planned_loading, price_of
from breakeven.control.move_wording import explained, variant_words
from breakeven.control.moves import Move, Step, Target, next_move
from breakeven.control.observe import observe
from breakeven.control.ownership import foreign_message
from breakeven.control.parsed_resource import Parsed
from breakeven.control.ports import Metrics, SwitchKey, object_id
from breakeven.control.resource_state import ResourceState
from breakeven.control.skipping import Basis
from breakeven.control.smoke import SmokeTests
from breakeven.control.snapshot import Snapshot
from breakeven.control.status_news import is_news
from breakeven.control.warm.asking import Asks, asks_of
from breakeven.control.warm.garbage import note_lost_drafts
from breakeven.control.warm.key import token_digest, token_of
from breakeven.control.warm.pools import WarmWanted, held_by, is_switched_warm
from breakeven.control.warm.telling import report_of
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
    asks: Asks = field(default_factory=Asks)
    """What is to be asked of warm replicas."""
    token: str = field(default="", repr=False)
    """What opens their switching port; empty where there is none."""

    @property
    def look_again(self) -> timedelta:
        """When to come back without any event."""
        if self.decision is None:
            return _WHILE_REFUSED
        moving = _WHILE_MOVING if isinstance(self.move, Step) else None
        return min(t for t in (self.decision.look_again, moving, self.asks.again) if t is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTools:
    """What planning a pass uses besides what it is about."""

    core: Core
    metrics: Metrics
    smoke_tests: SmokeTests
    comparisons: Comparisons
    with_pod_monitor: bool
    """Whether the cluster has PodMonitors."""
    key: SwitchKey
    gpu_hour: GpuHour | None = None
    """Price of a GPU-hour where the resource names none."""


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
    token, why_not = _token(snapshot, spec, tools.key)
    if why_not:
        return _refused(snapshot, parsed, Reason.INVALID_CONFIGURATION, why_not)
    seen = observe(
        snapshot,
        spec,
        memory,
        state,
        metrics=tools.metrics,
        smoke_tests=tools.smoke_tests,
        comparisons=tools.comparisons,
    )
    note_lost_drafts(seen.warm, seen.observation.arms)
    decision = _decide(snapshot, parsed, spec, memory, seen.observation, tools.core)
    state.value = decision.memory.value or state.value
    wanted = _wanted(spec, decision, token)
    move = _next_move(snapshot, parsed, spec, decision, wanted, seen.pools)
    writes, refusals = _render_and_diff(snapshot, spec, decision, wanted, move, seen.pools, state, tools)
    if refusals:
        return _refused(snapshot, parsed, refusals[0].reason, "; ".join(f"spec.{refusal}" for refusal in refusals))
    price, price_unread = price_of(snapshot.body, spec, tools.gpu_hour)
    asks = asks_of(seen.warm, wanted.warm.pools if wanted.warm else (), decision, spec, snapshot.now)
    summary = report.PassSummary(
        name=snapshot.key.name,
        generation=snapshot.generation,
        spec=spec,
        fitness=parsed.fitness,
        observation=seen.observation,
        pools=seen.pools,
        warm=report_of(seen.warm, asks.finding, state.warm),
        decision=decision,
        move=move,
        refused="" if writes.empty else state.refusal,
        foreign=_foreign(snapshot, writes),
        price=price,
        price_unread=price_unread,
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
        observation=seen.observation,
        asks=asks,
        token=token,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    """What is to be rendered, with the replicas that it should end up with."""

    variants: Sequence[Wanted] = ()
    """Each in replicas of its own."""
    warm: WarmWanted | None = None
    """Instead: in replicas that hold two."""

    @property
    def targets(self) -> list[Target]:
        """Replicas by pool, stable first."""
        if self.warm is not None:
            return [Target(variant=each.pool, replicas=each.replicas) for each in self.warm.pools]
        return [Target(variant=each.variant.name, replicas=each.replicas) for each in self.variants]

    def with_replicas(self, now: Mapping[str, int]) -> "_Rendered":
        """The same with these replicas, by pool."""
        variants = [replace(each, replicas=now.get(each.variant.name, 0)) for each in self.variants]
        if self.warm is None:
            return _Rendered(variants=variants)
        pools = [replace(each, replicas=now.get(each.pool, 0)) for each in self.warm.pools]
        return _Rendered(variants=variants, warm=replace(self.warm, pools=pools))


def _wanted(spec: SpeculativeDeploymentSpec, decision: Decision, token: str) -> _Rendered:
    if is_switched_warm(spec):
        pools = held_by(decision)
        return _Rendered(
            warm=WarmWanted(pools=pools, switching=spec.policy.switching, token_digest=token_digest(token))
        )
    return _Rendered(
        variants=[Wanted(variant=p.variant, role=p.role, replicas=p.replicas) for p in decision.placements]
    )


def _token(snapshot: Snapshot, spec: SpeculativeDeploymentSpec, key: SwitchKey) -> tuple[str, str]:
    """The token of the resource, empty where none can be made; then why, if it needs one."""
    try:
        return token_of(key.read(), snapshot.owner.uid), ""
    except ValueError as error:
        why = f"spec.policy.switching.mode: {error}; until then nothing is touched, or write Reload (docs/warm.md)"
        return "", why if is_switched_warm(spec) else ""


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
        template=parsed.template,
        planned_loading_minutes=planned_loading(parsed, spec),
        **command_of(snapshot.body),
    )
    return core.decide(declared, memory, observation, snapshot.now)


def _next_move(
    snapshot: Snapshot,
    parsed: Parsed,
    spec: SpeculativeDeploymentSpec,
    decision: Decision,
    wanted: _Rendered,
    pools: Mapping[str, Fleet],
) -> Move:
    move = next_move(wanted.targets, pools, limits_of(spec, snapshot.now))
    return explained(move, variant_words(decision.placements, parsed.status.details.variants))


def _render_and_diff(
    snapshot: Snapshot,
    spec: SpeculativeDeploymentSpec,
    decision: Decision,
    wanted: _Rendered,
    move: Move,
    pools: Mapping[str, Fleet],
    state: ResourceState,
    tools: PassTools,
) -> tuple[Writes, Sequence[Refusal]]:
    """What differs, and why it cannot be rendered where that is so."""
    owner, moving, paused = snapshot.owner, isinstance(move, Step), spec.policy.paused
    now = {name: f.wanted for name, f in pools.items()} | dict(move.replicas if isinstance(move, Step) else {})
    rendered = wanted.with_replicas(now)
    keep = _kept_variants(decision.memory)
    values = (owner, rendered, keep, paused, spec.service, spec.disruption_budget, tools.with_pod_monitor, moving)
    basis = Basis(objects=snapshot.objects, values=values)
    if basis.same_as(state.nothing_to_write):
        return Writes(), ()
    rendering = tools.core.render(
        owner,
        rendered.variants,
        service=spec.service,
        warm=rendered.warm,
        with_pod_monitor=tools.with_pod_monitor,
        budget=spec.disruption_budget,
    )
    if rendering.refusals:
        return Writes(), rendering.refusals
    writes = diff(rendering, snapshot, state.applied, pools, move=move, keep=keep, frozen=paused)
    state.nothing_to_write = basis if writes.empty and not moving else None
    return writes, ()


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

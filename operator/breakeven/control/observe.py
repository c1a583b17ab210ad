"""Observing one resource: its replicas, its metrics, and the smoke tests of its canary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from breakeven.api.spec import ObjectiveKind, SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.control.answers import Comparisons, comparable
from breakeven.control.fleet import SmokeResult, fleets, is_warm, loading_minutes, pods_by_variant
from breakeven.control.ports import STARTING, Manifest, Metrics, MetricsQuery, MetricsReading
from breakeven.control.resource_state import ResourceState
from breakeven.control.smoke import SmokeTests, forget_gone, smoke_outcome
from breakeven.control.snapshot import Snapshot
from breakeven.control.warm.fleet import WarmPool, by_variant, switch_seconds
from breakeven.control.warm.pools import warm_pools
from breakeven.domain.counters.observation import Fleet, Observation, Smoke
from breakeven.domain.counters.windows import batch_length, history


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one pass looked at."""

    observation: Observation
    """What a decision rests on: replicas by variant."""
    pools: Mapping[str, Fleet]
    """The same replicas as they can be moved: by pool (`fleet.pool_of`), each once."""
    warm: Mapping[str, WarmPool]
    """Those pools whose replicas hold two variants."""


def observe(
    snapshot: Snapshot,
    spec: SpeculativeDeploymentSpec,
    memory: Memory,
    state: ResourceState,
    *,
    metrics: Metrics,
    smoke_tests: SmokeTests,
    comparisons: Comparisons,
) -> Seen:
    """Look at everything that a decision rests on. Starts the tests of a canary that have not run; never waits."""
    pods, now = snapshot.pods, snapshot.now
    smoke = _smoke(snapshot, spec, memory, state, smoke_tests)
    served = fleets(snapshot.deployments, pods, now=now, unsettled_at=state.unsettled_at, smoke=smoke)
    pools = _with_answers(served, snapshot, spec, memory, state, comparisons)
    state.unsettled_at |= {name: now for name, f in pools.items() if f.settled_since is None}
    warm = warm_pools(snapshot, pools, state.warm)
    query = metrics_query(spec, memory, pods, _held(state))
    metrics.watch(snapshot.key, query)
    reading = metrics.read(snapshot.key, now)
    observation = Observation(
        arms=reading.arms,
        fleet=by_variant(pools, warm),
        # Metrics of pods are read when there are pods: where there are none, nothing is amiss.
        outage=None if _not_started(reading) and not query.pods else reading.outage,
        scrape_interval=reading.scrape_interval,
        source=reading.source,
        loading_minutes=loading_minutes(pods),
        switch_seconds=switch_seconds(warm),
    )
    return Seen(observation=observation, pools=pools, warm=warm)


def awaits_first_reading(
    snapshot: Snapshot, spec: SpeculativeDeploymentSpec, memory: Memory, state: ResourceState, metrics: Metrics
) -> bool:
    """Whether a new process has not read the metrics of a resource yet that an older one served.

    To decide now would take the start of a process for an outage, and throw the evidence of a running trial away. A
    resource without pods has no reading to wait for.
    """
    if state.metrics_read or memory.stable is None:
        return False
    query = metrics_query(spec, memory, snapshot.pods, _held(state))
    metrics.watch(snapshot.key, query)
    if not query.pods:
        return False
    state.metrics_read = not _not_started(metrics.read(snapshot.key, snapshot.now))
    return not state.metrics_read


def metrics_query(
    spec: SpeculativeDeploymentSpec,
    memory: Memory,
    pods: Sequence[Manifest],
    held: Mapping[str, Mapping[str, datetime]],
) -> MetricsQuery:
    """What a resource wants to know of Prometheus; `held` as in `pods_by_variant`."""
    names = spec.metrics.names
    return MetricsQuery(
        source=spec.metrics.source,
        url=spec.metrics.prometheus_url,
        prefix=names.prefix,
        namespace_label=names.namespace,
        pod_label=names.pod,
        pods=pods_by_variant(pods, held),
        batch=batch_length(spec.evidence),
        history=history(spec.evidence),
        warmup=spec.evidence.warmup,
        buckets=memory.canary is not None or memory.state in (State.TRIAL, State.TUNING) or _needs_shares(spec, memory),
        buckets_if_room=memory.holdback and memory.state in (State.SPECULATING, State.FROZEN),
    )


def _held(state: ResourceState) -> dict[str, Mapping[str, datetime]]:
    return {uid: replica.loaded_since for uid, replica in state.warm.replicas.items()}


def _needs_shares(spec: SpeculativeDeploymentSpec, memory: Memory) -> bool:
    """Whether the share of requests within bounds decides about what serves, with a live control or without."""
    goodput = spec.objective.kind is ObjectiveKind.GOODPUT
    return goodput and memory.stable is not None and memory.stable.speculates


def _not_started(reading: MetricsReading) -> bool:
    return reading.outage is not None and reading.outage.reason == STARTING


def _smoke(
    snapshot: Snapshot, spec: SpeculativeDeploymentSpec, memory: Memory, state: ResourceState, tests: SmokeTests
) -> dict[str, SmokeResult]:
    """Outcome of the smoke test by variant: only a canary has one."""
    forget_gone(state.smoke, snapshot.pods)
    if memory.canary is None:
        return {}
    variant, model = memory.canary.name, spec.target.served_name or spec.target.model
    # A warm replica tries each of its engines by itself, and would answer with the one that is awake.
    pods = [pod for pod in snapshot.pods if not is_warm(pod)]
    tests.start_missing(snapshot.key, pods, state.smoke, variant=variant, model=model)
    outcome = smoke_outcome(pods, state.smoke, variant=variant)
    return {variant: outcome} if outcome is not None else {}


def _with_answers(
    pools: dict[str, Fleet],
    snapshot: Snapshot,
    spec: SpeculativeDeploymentSpec,
    memory: Memory,
    state: ResourceState,
    comparisons: Comparisons,
) -> dict[str, Fleet]:
    """The replicas with what comparing answers came to: only a canary that passed its smoke test is asked, and once.

    Warm replicas answer with the engine that is awake, and are not asked.
    """
    both = comparable(memory)
    name = both[1].name if both is not None else ""
    for other in state.answers.keys() - {name}:
        del state.answers[other]
    fleet = pools.get(name)
    if both is None or fleet is None or fleet.smoke is not Smoke.PASSED:
        return pools
    if name not in state.answers and name != memory.compared:
        pods = [pod for pod in snapshot.pods if not is_warm(pod)]
        model = spec.target.served_name or spec.target.model
        comparisons.start(snapshot.key, pods, state.answers, of=both, model=model, prompts=spec.evidence.prompts)
    found = state.answers.get(name)
    if found is None:
        return pools
    return {**pools, name: replace(fleet, answers=found.state, answers_message=found.message)}

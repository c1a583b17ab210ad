"""Observing one resource: its replicas, its metrics, and the smoke tests of its canary."""

from collections.abc import Sequence

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.control.fleet import SmokeResult, fleets, loading_minutes, pods_by_variant
from breakeven.control.ports import STARTING, Manifest, Metrics, MetricsQuery, MetricsReading
from breakeven.control.resource_state import ResourceState
from breakeven.control.smoke import SmokeTests, forget_gone, smoke_outcome
from breakeven.control.snapshot import Snapshot
from breakeven.domain.counters.observation import Observation
from breakeven.domain.counters.windows import batch_length, history


def observe(
    snapshot: Snapshot,
    spec: SpeculativeDeploymentSpec,
    memory: Memory,
    state: ResourceState,
    *,
    metrics: Metrics,
    smoke_tests: SmokeTests,
) -> Observation:
    """Look at everything that a decision rests on. Starts smoke tests of a canary that have not run; never waits."""
    pods, now = snapshot.pods, snapshot.now
    smoke = _smoke(snapshot, spec, memory, state, smoke_tests)
    fleet = fleets(snapshot.deployments, pods, now=now, unsettled_at=state.unsettled_at, smoke=smoke)
    state.unsettled_at |= {name: now for name, f in fleet.items() if f.settled_since is None}
    query = metrics_query(spec, memory, pods)
    metrics.watch(snapshot.key, query)
    reading = metrics.read(snapshot.key, now)
    return Observation(
        arms=reading.arms,
        fleet=fleet,
        # Metrics of pods are read when there are pods: where there are none, nothing is amiss.
        outage=None if _not_started(reading) and not query.pods else reading.outage,
        scrape_interval=reading.scrape_interval,
        loading_minutes=loading_minutes(pods),
    )


def awaits_first_reading(
    snapshot: Snapshot, spec: SpeculativeDeploymentSpec, memory: Memory, state: ResourceState, metrics: Metrics
) -> bool:
    """Whether a new process has not read the metrics of a resource yet that an older one served.

    To decide now would take the start of a process for an outage, and throw the evidence of a running trial away. A
    resource without pods has no reading to wait for.
    """
    if state.metrics_read or memory.stable is None:
        return False
    query = metrics_query(spec, memory, snapshot.pods)
    metrics.watch(snapshot.key, query)
    if not query.pods:
        return False
    state.metrics_read = not _not_started(metrics.read(snapshot.key, snapshot.now))
    return not state.metrics_read


def metrics_query(spec: SpeculativeDeploymentSpec, memory: Memory, pods: Sequence[Manifest]) -> MetricsQuery:
    """What a resource wants to know of Prometheus."""
    names = spec.metrics.names
    return MetricsQuery(
        url=spec.metrics.prometheus_url,
        prefix=names.prefix,
        namespace_label=names.namespace,
        pod_label=names.pod,
        pods=pods_by_variant(pods),
        batch=batch_length(spec.evidence),
        history=history(spec.evidence),
        warmup=spec.evidence.warmup,
        buckets=memory.canary is not None or memory.state in (State.TRIAL, State.TUNING),
        buckets_if_room=memory.holdback and memory.state in (State.SPECULATING, State.FROZEN),
    )


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
    tests.start_missing(snapshot.key, snapshot.pods, state.smoke, variant=variant, model=model)
    outcome = smoke_outcome(snapshot.pods, state.smoke, variant=variant)
    return {variant: outcome} if outcome is not None else {}

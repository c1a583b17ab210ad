"""One pass for one key: look, decide, find the next safe step, and write only what differs.

A pass first runs on what the watches have shown. Only when it finds an object to write does it read the resource, its
Deployments and its pods afresh and run again on that, so a steady resource costs the API server nothing. A status alone
is written without that: its resourceVersion makes the API server refuse one that rests on an older resource.

The status goes first, because it holds the memory of the decision: a crash after it finds the decision made and carries
on, a crash before it has done nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.conditions import Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State, Status, ValueStatus
from breakeven.control import report
from breakeven.control.apply import Applier, Writes
from breakeven.control.cache import OWNED_KINDS, Cache
from breakeven.control.core import Core, Wanted
from breakeven.control.errors import Gone, Refused
from breakeven.control.fleet import fleets, loading_minutes, pods_by_variant
from breakeven.control.inputs import command_of, limits_of, memory_of, planned_loading, status_manifest
from breakeven.control.looks import Looks, holds
from breakeven.control.move_wording import known_as, spoken
from breakeven.control.moves import Arrived, Move, Step, Target, Wait, next_move
from breakeven.control.outcome import Outcome
from breakeven.control.parsed_resource import Parsed, read
from breakeven.control.ports import STARTING, Key, Manifest, MetricsQuery, Ports
from breakeven.control.smoke import SmokeDesk
from breakeven.control.unchanged import Unchanged
from breakeven.domain.counters.observation import Observation, Smoke
from breakeven.domain.counters.windows import batch_length, history
from breakeven.domain.decision import Decision, Declared
from breakeven.render.names import Owner, selector

log = logging.getLogger(__name__)

_STANDBY = timedelta(seconds=5)
_SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What one look comes to."""

    body: Manifest
    old: Status
    status: Status
    decision: Decision | None
    move: Move
    writes: Writes
    observation: Observation = field(default_factory=Observation)

    @property
    def idle(self) -> bool:
        """Whether nothing is to be written."""
        return self.writes.empty and not report.says_more(self.status, self.old)


class Reconciler:
    """Passes for all keys; keeps only what can be lost."""

    def __init__(self, *, cache: Cache, core: Core, ports: Ports, smoke: SmokeDesk) -> None:
        self._cache = cache
        self._core = core
        self._ports = ports
        self._smoke = smoke
        self._applier = Applier(cache, ports)
        self._parsed: dict[Key, Parsed] = {}
        self._disturbed: dict[Key, dict[str, datetime]] = {}
        self._met: set[Key] = set()
        self._unchanged = Unchanged()
        self._looks = Looks()
        self._refusals: dict[Key, str] = {}
        """Why an object could not be written, until it can."""
        self._sums: dict[Key, ValueStatus] = {}
        """What speculation brought, further than the status has it: growing sums alone are not written."""

    def pod_monitors(self, served: bool) -> None:
        """Say whether the cluster has PodMonitors."""
        if served != self._applier.pod_monitor:
            self._looks.clear()
        self._applier.pod_monitor = served

    async def reconcile(self, key: Key) -> Outcome:
        """Run one pass. Raises errors of `control.errors`; the caller decides when to come back."""
        rest = self._rest(key)
        if rest is not None:
            return Outcome(again_s=rest.total_seconds())
        self._looks.forget(key)
        await self._readable(key)
        if self._unread(key):
            return Outcome(again_s=_SOON.total_seconds())
        plan = self._plan(key)
        if plan is not None and not plan.idle:
            if not self._ports.leadership.may_write():
                return Outcome(again_s=_STANDBY.total_seconds())
            if not plan.writes.empty:
                await self._refresh(key)
                plan = self._plan(key)
        if plan is None:
            self._forget(key)
            return Outcome()
        if not plan.idle:
            await self._write_or_say(key, plan)
        elif isinstance(plan.move, Arrived) and plan.decision is not None:
            objects, now = self._owned(key), self._ports.clock.now()
            self._looks.found(key, plan.body, objects, plan.observation, plan.decision, now)
        self._ports.recorder.reports(key, plan.status, plan.decision)
        return Outcome(again_s=self._again(plan).total_seconds())

    def _rest(self, key: Key) -> timedelta | None:
        """When to come back, if neither the API server nor the metrics say anything new since the last whole look."""
        body, now = self._cache.resource(key), self._ports.clock.now()
        look = self._looks.rests(key, body, self._owned(key), now) if body is not None else None
        return look.again if look is not None and holds(look, self._ports.metrics.read(key, now)) else None

    def _owned(self, key: Key) -> Sequence[Manifest]:
        return [o for kind in OWNED_KINDS for o in self._cache.owned(kind, key)]

    async def _readable(self, key: Key) -> None:
        """Raises Refused when the status was written by a release that knows more; its conditions then say so."""
        body = self._cache.resource(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        why = self._read(key, body).unreadable
        if not why:
            return
        old, now = body.get("status") or {}, self._ports.clock.now()
        generation = int(body["metadata"]["generation"])
        new = report.unreadable(old, message=why, generation=generation, now=now)
        if new != old and self._ports.leadership.may_write():
            self._cache.put(await self._ports.cluster.apply_status(status_manifest(body, new)))
            self._ports.recorder.wrote(KIND, verb="status")
        raise Refused(why)

    def _unread(self, key: Key) -> bool:
        """Whether a new process has not read the metrics of a resource yet that an older one served.

        To decide now would take the start of a process for an outage, and throw the evidence of a running trial away.
        """
        body = self._cache.resource(key)
        if body is None or key in self._met or body["metadata"].get("deletionTimestamp"):
            return False
        parsed = self._read(key, body)
        if parsed.spec is None or parsed.status.stable is None:
            return False
        now = self._ports.clock.now()
        self._ports.metrics.watch(key, self._query(parsed.spec, parsed.status, self._cache.owned("Pod", key)))
        outage = self._ports.metrics.read(key, now).outage
        if outage is not None and outage.reason == STARTING:
            return True
        self._met.add(key)
        return False

    def _plan(self, key: Key) -> _Plan | None:
        body = self._cache.resource(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        now = self._ports.clock.now()
        parsed = self._read(key, body)
        if parsed.spec is None:
            return self._refused(key, body, parsed, Reason.INVALID_CONFIGURATION, parsed.error, now)
        if parsed.fitness.refusals:
            return self._refused(key, body, parsed, parsed.fitness.reason, "; ".join(parsed.fitness.refusals), now)
        return self._decide(key, body, parsed, parsed.spec, now)

    def _decide(
        self, key: Key, body: Manifest, parsed: Parsed, spec: SpeculativeDeploymentSpec, now: datetime
    ) -> _Plan:
        generation = int(body["metadata"]["generation"])
        memory = self._with_sums(key, memory_of(parsed.status))
        observation = self._observe(key, spec, memory, now)
        declared = Declared(
            spec=spec, generation=generation, planned_loading_minutes=planned_loading(parsed, spec), **command_of(body)
        )
        decision = self._core.decide(declared, memory, observation, now)
        if decision.memory.value is not None:
            self._sums[key] = decision.memory.value
        targets = [Target(variant=p.variant.name, replicas=p.replicas) for p in decision.placements]
        move = spoken(
            next_move(targets, observation.fleet, limits_of(spec, now)),
            known_as(decision.placements, parsed.status.variants),
        )
        wanted = [
            Wanted(
                variant=p.variant,
                role=p.role,
                replicas=_count(p.variant.name, move, observation.fleet),
            )
            for p in decision.placements
        ]
        meta = body["metadata"]
        owner = Owner(name=meta["name"], namespace=meta["namespace"], uid=meta["uid"])
        keep = {v.name for v in (decision.memory.stable, decision.memory.canary) if v}
        if decision.memory.last_good:
            keep.add(decision.memory.last_good.variant.name)
        rests_on = (owner, wanted, keep, spec.policy.paused, self._applier.pod_monitor, isinstance(move, Step))
        objects = self._owned(key)
        if self._unchanged.covers(key, rests_on, objects):
            writes = Writes()
        else:
            rendering = self._core.render(owner, wanted, with_pod_monitor=self._applier.pod_monitor)
            if rendering.refusals:
                why = Reason(rendering.refusals[0].reason)
                return self._refused(key, body, parsed, why, _said(rendering.refusals), now)
            writes = self._applier.plan(
                key, rendering, move=move, keep=keep, frozen=spec.policy.paused, fleet=observation.fleet
            )
            nothing = writes.empty and not isinstance(move, Step)
            self._unchanged.found(key, rests_on, objects, nothing=nothing)
        seen = report.Seen(
            name=key.name,
            generation=generation,
            spec=spec,
            fitness=parsed.fitness,
            observation=observation,
            decision=decision,
            move=move,
            refused="" if writes.empty else self._refusals.get(key, ""),
        )
        status = report.status_of(seen, parsed.status, now)
        return _Plan(
            body=body,
            old=parsed.status,
            status=status,
            decision=decision,
            move=move,
            writes=writes,
            observation=observation,
        )

    def _refused(self, key: Key, body: Manifest, parsed: Parsed, reason: Reason, message: str, now: datetime) -> _Plan:
        """Nothing is touched, what runs keeps running, and the conditions say which field to change."""
        generation = int(body["metadata"]["generation"])
        old = parsed.status
        status = report.refused_status(
            self._counted(key, old), reason=reason, message=message, generation=generation, now=now
        )
        return _Plan(body=body, old=old, status=status, decision=None, move=Wait(reason=message), writes=Writes())

    def _with_sums(self, key: Key, memory: Memory) -> Memory:
        """The memory with the sums of this process where they are ahead of the written ones."""
        ahead, written = self._sums.get(key), memory.value
        if ahead is None or (written is not None and written.counted_until >= ahead.counted_until):
            return memory
        return memory.model_copy(update={"value": ahead})

    def _observe(self, key: Key, spec: SpeculativeDeploymentSpec, memory: Memory, now: datetime) -> Observation:
        pods = self._cache.owned("Pod", key)
        self._smoke.forget(key, keep=(p["metadata"]["uid"] for p in pods))
        smoke: dict[str, tuple[Smoke, str]] = {}
        if memory.canary is not None:
            model = spec.target.served_name or spec.target.model
            smoke.update(self._smoke.look(key, pods, variant=memory.canary.name, model=model))
        disturbed = self._disturbed.setdefault(key, {})
        fleet = fleets(self._cache.owned("Deployment", key), pods, disturbed=disturbed, smoke=smoke)
        for name, f in fleet.items():
            if f.settled_since is None:
                disturbed[name] = now
        self._ports.metrics.watch(key, self._query(spec, memory, pods))
        reading = self._ports.metrics.read(key, now)
        return Observation(
            arms=reading.arms,
            fleet=fleet,
            outage=reading.outage,
            scrape_interval=reading.scrape_interval,
            loading_minutes=loading_minutes(pods),
        )

    @staticmethod
    def _query(spec: SpeculativeDeploymentSpec, memory: Memory, pods: Any) -> MetricsQuery:
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

    async def _refresh(self, key: Key) -> None:
        """Read afresh what a write will rest on; a resource that is gone leaves the cache."""
        cluster, cache = self._ports.cluster, self._cache
        try:
            cache.put(await cluster.get(API_VERSION, KIND, key.namespace, key.name))
        except Gone:
            body = cache.resource(key)
            if body is not None:
                cache.drop(body)
            return
        labels = selector(Owner(name=key.name, namespace=key.namespace))
        for api_version, kind in (("apps/v1", "Deployment"), ("v1", "Pod"), ("v1", "Service")):
            mark = cache.changes
            cache.replace(kind, await cluster.list(api_version, kind, key.namespace, labels), mark, of=key)

    async def _write_or_say(self, key: Key, plan: _Plan) -> None:
        """Write; what the API server refuses stands in the conditions as long as it does."""
        try:
            await self._report(key, plan)
            await self._applier.carry_out(plan.body, plan.writes, plan.move)
        except Refused as error:
            self._refusals[key] = str(error)
            again = self._plan(key)
            if again is not None:
                await self._report(key, again)
            raise
        self._refusals.pop(key, None)

    async def _report(self, key: Key, plan: _Plan) -> None:
        """The status, then Events. Objects come after both: see the module's docstring."""
        if report.says_more(plan.status, plan.old):
            await self._applier.fence()
            status = plan.status.model_dump(mode="json", exclude_none=True)
            self._cache.put(await self._ports.cluster.apply_status(status_manifest(plan.body, status)))
            self._ports.recorder.wrote(KIND, verb="status")
            await self._tell(key, plan)

    async def _tell(self, key: Key, plan: _Plan) -> None:
        for news in plan.decision.news if plan.decision else ():
            log.info(
                "%s: %s",
                news.action,
                news.message,
                extra={"key": str(key), "generation": news.generation, "reason": news.reason},
            )
            self._ports.recorder.decided(key, action=news.action, reason=news.reason)
            await self._ports.events.post(plan.body, warning=False, reason=news.action, message=news.message)
        for condition in report.transitions(plan.status, plan.old):
            log.info("%s=%s: %s", condition.type, condition.status, condition.message, extra={"key": str(key)})
            await self._ports.events.post(plan.body, warning=True, reason=condition.reason, message=condition.message)

    def _read(self, key: Key, body: Manifest) -> Parsed:
        found = read(body, self._core.check, self._parsed.get(key))
        self._parsed[key] = found
        return found

    def _counted(self, key: Key, old: Status) -> Status:
        """Replica counts of a resource that is not carried out; nothing of it is touched."""
        fleet = fleets(self._cache.owned("Deployment", key), self._cache.owned("Pod", key), disturbed={}, smoke={})
        return old.model_copy(
            update={
                "replicas": sum(f.existing for f in fleet.values()),
                "ready_replicas": sum(f.ready for f in fleet.values()),
                "selector": selector(Owner(name=key.name, namespace=key.namespace)),
            }
        )

    def _again(self, plan: _Plan) -> timedelta:
        look = plan.decision.look_again if plan.decision else timedelta(minutes=5)
        if isinstance(plan.move, Step):
            return min(look, timedelta(seconds=10))
        return look

    def _forget(self, key: Key) -> None:
        self._parsed.pop(key, None)
        self._disturbed.pop(key, None)
        self._met.discard(key)
        self._refusals.pop(key, None)
        self._sums.pop(key, None)
        self._smoke.forget(key)
        self._applier.forget(key)
        self._unchanged.forget(key)
        self._looks.forget(key)
        self._ports.metrics.forget(key)
        self._ports.recorder.forgot(key)


def _said(refusals: Sequence[object]) -> str:
    return "; ".join(f"spec.{refusal}" for refusal in refusals)


def _count(name: str, move: Move, fleet: Any) -> int:
    """Replicas to render now: those of the step, else those that are wanted already."""
    if isinstance(move, Step) and name in move.replicas:
        return int(move.replicas[name])
    return int(fleet[name].wanted) if name in fleet else 0

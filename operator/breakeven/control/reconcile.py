"""One pass for one key: read, observe, decide, find the next move, render, compare, report, write.

A pass first runs on what the watches have shown. Only when it finds an object to write does it read the resource, its
Deployments and its pods afresh and run again on that, so a steady resource costs the API server nothing. A status alone
is written without that: its resourceVersion makes the API server refuse one that rests on an older resource.

The status goes first, because it holds the memory of the decision: a crash after it finds the decision made and carries
on, a crash before it has done nothing.
"""

from datetime import timedelta

from breakeven.adopt import referred
from breakeven.api.base import API_VERSION, KIND
from breakeven.api.price import GpuHour
from breakeven.control import report
from breakeven.control.answers import Comparisons
from breakeven.control.cache import OWNED_KINDS, Cache
from breakeven.control.core import Core
from breakeven.control.errors import Gone, Refused
from breakeven.control.inputs import status_manifest
from breakeven.control.moves import Arrived
from breakeven.control.observe import awaits_first_reading
from breakeven.control.outcome import Outcome
from breakeven.control.parsed_resource import Parsed, read
from breakeven.control.pass_plan import PassPlan, PassTools, plan_pass
from breakeven.control.ports import Key, Ports
from breakeven.control.resource_state import ResourceState
from breakeven.control.skipping import Basis, QuietPass, quiet_pass
from breakeven.control.smoke import SmokeTests
from breakeven.control.snapshot import Snapshot, snapshot_of
from breakeven.control.warm.driver import Driver
from breakeven.control.write import Writer
from breakeven.render.names import Owner, selector

_STANDBY = timedelta(seconds=5)
_FIRST_READING = timedelta(seconds=30)
"""The end of the first reading brings the resource back; this only if none ends."""
_KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("policy/v1", "PodDisruptionBudget"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
)


class Reconciler:
    """Passes for all keys. What it keeps of each is one `ResourceState`, and only what can be lost."""

    def __init__(
        self,
        *,
        cache: Cache,
        core: Core,
        ports: Ports,
        smoke_tests: SmokeTests,
        comparisons: Comparisons,
        driver: Driver,
        gpu_hour: GpuHour | None = None,
    ) -> None:
        """Make it; `gpu_hour` is the price of a GPU-hour where a resource names none."""
        self._cache = cache
        self._core = core
        self._ports = ports
        self._smoke_tests = smoke_tests
        self._comparisons = comparisons
        self._driver = driver
        self._writer = Writer(cache, ports)
        self._states: dict[Key, ResourceState] = {}
        self.with_pod_monitors = False
        """Whether the cluster has PodMonitors."""
        self._gpu_hour = gpu_hour

    async def reconcile(self, key: Key) -> Outcome:
        """Run one pass. Raises errors of `control.errors`; the caller decides when to come back."""
        state = self._states.setdefault(key, ResourceState())
        quiet = self._still_quiet(key, state)
        if quiet is not None:
            return Outcome(again_s=(quiet.until - self._ports.clock.now()).total_seconds())
        state.quiet_pass, state.awaits_metrics = None, False
        await self._follow(key)
        snapshot = self._snapshot(key)
        if snapshot is not None and await self._must_wait(snapshot, state):
            state.awaits_metrics = True
            return Outcome(again_s=_FIRST_READING.total_seconds())
        plan = self._plan(snapshot, state)
        if plan is not None and not plan.idle and not self._ports.leadership.may_write():
            return Outcome(again_s=_STANDBY.total_seconds())
        if plan is not None and not plan.writes.empty:
            await self._read_afresh(key)
            plan = self._plan(self._snapshot(key), state)
        if plan is None:
            self._forget(key)
            return Outcome()
        state.awaits_metrics = plan.decision is not None
        again = plan.look_again
        if not plan.idle:
            await self._write(key, plan, state)
        elif isinstance(plan.move, Arrived) and plan.decision is not None and plan.observation is not None:
            now = self._ports.clock.now()
            basis = self._basis(key, state)
            state.quiet_pass = quiet_pass(basis, plan.observation, plan.decision, now, at_most=plan.asks.again)
            if state.quiet_pass is not None:
                again = state.quiet_pass.until - now
                state.parsed = state.parsed.without_models() if state.parsed is not None else None
        if self._ports.leadership.may_write():
            # After the status, which holds the decision: a crash in between finds it made and carries on.
            self._driver.start(key, plan.asks.orders, state.warm, plan.token)
        self._ports.recorder.reports(key, plan.status, plan.decision)
        return Outcome(again_s=again.total_seconds())

    def asks(self, key: Key) -> bool:
        """Whether the newest metrics of a resource ask for a pass; looked at for all resources after each reading."""
        state = self._states.get(key)
        if state is None or not state.awaits_metrics:
            return False
        last, now = state.quiet_pass, self._ports.clock.now()
        return last is None or not last.agrees_with(self._ports.metrics.read(key, now), now)

    def _still_quiet(self, key: Key, state: ResourceState) -> QuietPass | None:
        """The last full pass, if neither the API server nor the metrics say anything new since."""
        last, now = state.quiet_pass, self._ports.clock.now()
        if last is None or not last.still_holds(self._basis(key, state), now):
            return None
        return last if last.agrees_with(self._ports.metrics.read(key, now), now) else None

    def _basis(self, key: Key, state: ResourceState) -> Basis:
        """What a pass rests on besides the metrics."""
        body = self._cache.resource(key)
        owned = [o for kind in OWNED_KINDS for o in self._cache.owned(kind, key)]
        workload, why = self._cache.workloads.find(key)
        objects = [o for o in (body, workload, *owned) if o is not None]
        return Basis(objects=objects, values=(self.with_pod_monitors, state.warm.changes, why))

    async def _follow(self, key: Key) -> None:
        """Have the Deployment at hand that the spec refers to."""
        body = self._cache.resource(key)
        if body is not None:
            await self._cache.workloads.follow(key, referred(body.get("spec")), self._ports.cluster)

    def _snapshot(self, key: Key) -> Snapshot | None:
        return snapshot_of(self._cache, key, self._ports.clock.now())

    def _read(self, snapshot: Snapshot, state: ResourceState) -> Parsed:
        state.parsed = read(
            snapshot.body,
            self._core.check,
            state.parsed,
            workload=snapshot.workload,
            missing=snapshot.workload_missing,
        )
        return state.parsed

    async def _must_wait(self, snapshot: Snapshot, state: ResourceState) -> bool:
        """Whether this process cannot decide yet.

        Raises
        ------
        Refused
            If the status was written by a release that knows more; its conditions then say so.
        """
        parsed = self._read(snapshot, state)
        if parsed.unreadable:
            await self._report_unreadable(snapshot, parsed.unreadable)
            raise Refused(parsed.unreadable)
        if parsed.spec is None:
            return False
        memory = parsed.status.memory
        return awaits_first_reading(snapshot, parsed.spec, memory, state, self._ports.metrics)

    async def _report_unreadable(self, snapshot: Snapshot, why: str) -> None:
        old = snapshot.body.get("status") or {}
        new = report.unreadable_status(old, message=why, generation=snapshot.generation, now=snapshot.now)
        if new != old and self._ports.leadership.may_write():
            await self._writer.apply_status(status_manifest(snapshot.body, new))

    def _plan(self, snapshot: Snapshot | None, state: ResourceState) -> PassPlan | None:
        """What is to be done; None when the resource is gone or going."""
        if snapshot is None:
            return None
        tools = PassTools(
            core=self._core,
            metrics=self._ports.metrics,
            smoke_tests=self._smoke_tests,
            comparisons=self._comparisons,
            with_pod_monitor=self.with_pod_monitors,
            gpu_hour=self._gpu_hour,
            key=self._ports.switch_key,
        )
        return plan_pass(snapshot, self._read(snapshot, state), state, tools)

    async def _read_afresh(self, key: Key) -> None:
        """Read what a write will rest on; a resource that is gone leaves the cache."""
        cluster, cache = self._ports.cluster, self._cache
        try:
            cache.put(await cluster.get(API_VERSION, KIND, key.namespace, key.name))
        except Gone:
            body = cache.resource(key)
            if body is not None:
                cache.drop(body)
            return
        labels = selector(Owner(name=key.name, namespace=key.namespace))
        for api_version, kind in _KINDS if self.with_pod_monitors else _KINDS[:-1]:
            mark = cache.changes
            cache.replace(kind, await cluster.list(api_version, kind, key.namespace, labels), mark, of=key)

    async def _write(self, key: Key, plan: PassPlan, state: ResourceState) -> None:
        """Write; what the API server refuses stands in the conditions as long as it does."""
        try:
            await self._writer.write_status(key, plan)
            await self._writer.write_objects(plan, state)
        except Refused as error:
            state.refusal = str(error)
            again = self._plan(self._snapshot(key), state)
            if again is not None:
                await self._writer.write_status(key, again)
            raise
        state.refusal = ""

    def _forget(self, key: Key) -> None:
        self._states.pop(key, None)
        self._cache.workloads.forget(key)
        self._ports.metrics.forget(key)
        self._ports.recorder.forgot(key)

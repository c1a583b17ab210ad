"""The whole loop over fakes: cluster, controllers, metrics, clock; one call runs what is due."""

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.fake_cluster import FakeCluster, FakeControllers

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.names import COMMAND
from breakeven.api.spec import Mode
from breakeven.api.status import DecisionRecord, LastGood, Memory, Role, State, Status
from breakeven.api.variant import declared_variant
from breakeven.api.vocabulary import Reason
from breakeven.control.answers import Comparisons
from breakeven.control.cache import EVERYTHING, OWNED_KINDS, Cache
from breakeven.control.core import Core
from breakeven.control.errors import Retry
from breakeven.control.fitness import fitness
from breakeven.control.fleet import ready_since
from breakeven.control.outcome import Outcome
from breakeven.control.ports import STARTING, Key, MetricsQuery, MetricsReading, Ports
from breakeven.control.reconcile import Reconciler
from breakeven.control.shard import Shard
from breakeven.control.smoke import SmokeTests
from breakeven.control.warm.driver import Driver
from breakeven.control.warm.state import WarmState
from breakeven.domain.counters.observation import Observation, Outage, Smoke
from breakeven.domain.decision import Decision, Declared, Hold, Placement
from breakeven.domain.measures.same_answers import Reply, Token
from breakeven.render import desired

KEY = Key("inference", "llama")
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def resource(**spec: Any) -> dict[str, Any]:
    """A resource as a user writes it."""
    base: dict[str, Any] = {
        "replicas": 4,
        "engine": {"image": "vllm/vllm-openai:v0.11.0"},
        "target": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
        "draft": {"method": "NGram", "promptLookupMax": 4},
        "hardware": {"gpusPerReplica": 4},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": base | spec,
    }


@dataclass(slots=True)
class FakeClock:
    """`control.ports.Clock`, moved by hand."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def forward(self, delta: timedelta) -> None:
        self.moment += delta


_NOT_STARTED = Outage(reason=STARTING, message="the first reading of Prometheus is under way")


@dataclass(slots=True)
class FakeMetrics:
    """`control.ports.Metrics` with a reading that the test chooses.

    Like the feed, it has read nothing before it was asked for a pod.
    """

    reading: MetricsReading = field(default_factory=lambda: MetricsReading(arms={}))
    started: bool = False
    queries: dict[Key, MetricsQuery] = field(default_factory=dict)

    def watch(self, key: Key, query: MetricsQuery) -> None:
        self.queries[key] = query
        self.started = self.started or any(query.pods.values())

    def forget(self, key: Key) -> None:
        self.queries.pop(key, None)

    def read(self, key: Key, now: datetime) -> MetricsReading:
        return self.reading if self.started else MetricsReading(arms={}, outage=_NOT_STARTED)

    def outage(self, reason: str) -> None:
        self.reading = MetricsReading(arms={}, outage=Outage(reason=reason, message="connection refused"))

    def back(self) -> None:
        self.reading = MetricsReading(arms={})


@dataclass(slots=True)
class FakeEvents:
    """`control.ports.Events` that keeps them."""

    posted: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """Reasons of those of type Warning."""

    async def post(self, about: Any, *, warning: bool, reason: str, message: str) -> None:
        self.posted.append((reason, message))
        if warning:
            self.warnings.append(reason)


@dataclass(slots=True)
class FakeSmoke:
    """`control.ports.SmokeTest` with a fixed answer."""

    answer: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, address: str, model: str) -> str:
        self.requests.append((address, model))
        return self.answer


@dataclass(slots=True)
class FakeAnswers:
    """`control.ports.GreedyAnswers` that gives one text to all, or to an address another."""

    text: str = "as it is"
    other: dict[str, str] = field(default_factory=dict)
    """Texts by address."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Addresses and prompts."""

    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        self.requests.append((address, prompt))
        text = self.other.get(address, self.text)
        return Reply(text, (Token(text, -0.1, {text: -0.1, "else": -6.0}),) if logprobs else ())


@dataclass(slots=True)
class FakeLeadership:
    """`control.ports.Leadership`, given and taken."""

    leads: bool = True
    good_for: int | None = None
    """How many more times it says yes."""

    def may_write(self) -> bool:
        if self.good_for is None:
            return self.leads
        self.good_for -= 1
        return self.good_for >= 0


@dataclass(slots=True)
class FakeRecorder:
    """`control.ports.Recorder` that keeps decisions."""

    decisions: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[Key] = field(default_factory=list)

    def passed(self, key: Key, *, seconds: float, error: str) -> None: ...

    def decided(self, key: Key, *, action: str, reason: str) -> None:
        self.decisions.append((action, reason))

    def wrote(self, kind: str, *, verb: str) -> None: ...

    def reports(self, key: Key, status: Status, decision: Decision | None) -> None: ...

    def forgot(self, key: Key) -> None:
        self.forgotten.append(key)


def plain_decide(declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
    """A stand-in for the decision core with its contract: memory in, memory out, end states as placements.

    Commands drive it: start a trial (`retry`), `promote`, `abort`. An outage holds; a canary that fails is aborted.
    """
    variant = declared_variant(declared.spec)
    news: list[DecisionRecord] = []

    def note(action: str, reason: str) -> None:
        message = f"{action} because {reason}"
        news.append(
            DecisionRecord(at=now, action=action, reason=reason, message=message, generation=declared.generation)
        )

    change: dict[str, Any] = {}
    if memory.stable is None or any(getattr(memory, f) != v for f, v in declared.looked_at.items()):
        # A new generation that changes the engine or the target serves at once here; a core would put it on trial.
        stable = memory.stable if memory.stable and memory.stable.baseline == variant.baseline else variant.baseline
        if declared.spec.policy.mode is Mode.ALWAYS_ON:
            stable = variant
        change.update(stable=stable, **declared.looked_at)
        memory = memory.model_copy(update=change)
    assert memory.stable is not None
    fleet = observation.fleet.get(memory.canary.name) if memory.canary else None
    command = declared.command if declared.command_id != memory.command else ""
    if command:
        memory = memory.model_copy(update={"command": declared.command_id})
    if observation.outage is None:
        if command == "retry" and memory.canary is None:
            memory = memory.model_copy(update={"canary": variant, "state": State.TRIAL, "since": now})
            note("StartTrial", "Retry")
        elif memory.canary and (command == "abort" or (fleet and (fleet.failing or fleet.smoke is Smoke.FAILED))):
            tried = [*memory.tried, memory.canary.name]
            memory = memory.model_copy(update={"canary": None, "state": State.COOLDOWN, "tried": tried, "since": now})
            note("Abort", "EngineFailing" if fleet and fleet.failing else "Aborted")
        elif memory.canary and command == "promote" and fleet and fleet.smoke is Smoke.PASSED:
            good = LastGood(variant=memory.stable, verified_at=now, reason="test")
            memory = memory.model_copy(
                update={"stable": memory.canary, "canary": None, "state": State.SPECULATING, "last_good": good}
            )
            note("Promote", "Pays")
    if news:
        memory = memory.model_copy(update={"decisions": [*news, *memory.decisions][:20]})
    replicas = declared.spec.replicas
    canaries = 1 if memory.canary else 0
    assert memory.stable is not None
    placements = [Placement(variant=memory.stable, role=Role.STABLE, replicas=replicas - canaries)]
    if memory.canary:
        placements.append(Placement(variant=memory.canary, role=Role.CANARY, replicas=canaries))
    return Decision(
        memory=memory,
        placements=tuple(placements),
        news=tuple(news),
        hold=Hold(reason=Reason.NO_DATA, message=observation.outage.message) if observation.outage else None,
    )


@dataclass(slots=True)
class FakeKey:
    """`control.ports.SwitchKey` in memory."""

    key: bytes = b"a key that nobody can guess"

    def read(self) -> bytes:
        if not self.key:
            raise ValueError("Warm needs the operator's switching key")
        return self.key


class NoSwitches:
    """`control.ports.Switches` where no replica holds two variants."""

    async def state(self, address: str) -> WarmState:
        raise Retry(f"nobody listens at {address}")

    async def awake(self, address: str, *, id: str, variant: str, token: str) -> WarmState:
        raise Retry(f"nobody listens at {address}")

    async def load(self, address: str, *, id: str, token: str) -> WarmState:
        raise Retry(f"nobody listens at {address}")


class World:
    """One resource, one operator process at a time."""

    def __init__(
        self, *, gpus: int = 100, decide: Any = plain_decide, render: Any = desired, switches: Any = None, **spec: Any
    ) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(now=self.clock.now, gpus=gpus)
        self.controllers = FakeControllers(self.cluster)
        self.metrics = FakeMetrics()
        self.events = FakeEvents()
        self.smoke_test = FakeSmoke()
        self.answers = FakeAnswers()
        self.leadership = FakeLeadership()
        self.recorder = FakeRecorder()
        self.decide = decide
        self.render = render
        self.switches = switches or NoSwitches()
        self.key = FakeKey()
        self.least_serving = 0
        self.cluster.create(resource(**spec))
        self.start()

    def start(self, shard: Shard = EVERYTHING) -> None:
        """A new process: nothing is left but what the API server has."""
        self.woken: list[Key] = []

        async def wake(key: Key) -> None:
            self.woken.append(key)

        self.cache = Cache(shard)
        self.metrics.started = False
        self.smoke = SmokeTests(self.smoke_test, wake)
        self.comparisons = Comparisons(self.answers, wake)
        ports = Ports(
            cluster=self.cluster,
            metrics=self.metrics,
            events=self.events,
            leadership=self.leadership,
            clock=self.clock,
            recorder=self.recorder,
            switch_key=self.key,
        )
        self.driver = Driver(self.switches, self.leadership, self.clock, wake)
        core = Core(check=fitness, decide=self.decide, render=self.render)
        self.reconciler = Reconciler(
            cache=self.cache,
            core=core,
            ports=ports,
            smoke_tests=self.smoke,
            comparisons=self.comparisons,
            driver=self.driver,
        )

    def watch(self) -> None:
        """What the watches would have shown by now."""
        mark = self.cache.changes
        for kind in (KIND, *OWNED_KINDS):
            self.cache.replace(kind, [dict(o) for o in self.cluster_copy(kind)], mark)

    def cluster_copy(self, kind: str) -> list[dict[str, Any]]:
        """Copies, as a watch delivers them."""
        return copy.deepcopy(self.cluster.of(kind))

    async def once(self) -> Outcome:
        """Watches catch up, then one pass."""
        self.watch()
        return await self.reconciler.reconcile(KEY)

    async def turn(self) -> None:
        """A pass, answers of the smoke test, then the controllers' step and some seconds."""
        with contextlib.suppress(Retry):
            await self.once()
        await self.answered()
        self.controllers.step()
        self.least_serving = min(self.least_serving, self.serving)
        self.clock.forward(timedelta(seconds=10))

    async def settle(self, turns: int = 80) -> None:
        """Turns until nothing changes any more."""
        self.least_serving = self.serving
        quiet = 0
        for _ in range(turns):
            before = [(k, o["metadata"]["resourceVersion"]) for k, o in sorted(self.cluster.objects.items())]
            await self.turn()
            after = [(k, o["metadata"]["resourceVersion"]) for k, o in sorted(self.cluster.objects.items())]
            quiet = quiet + 1 if before == after else 0
            if quiet == 3:
                return
        raise AssertionError("the world did not come to rest")

    async def answered(self) -> None:
        """Let the tests that are under way answer."""
        for _ in range(200):
            await asyncio.sleep(0)
        assert not self.smoke.pending
        assert not self.comparisons.pending
        assert not self.driver.pending

    def command(self, text: str) -> None:
        """Annotate the resource."""
        self.cluster.edit(
            KIND, KEY.name, lambda o: o["metadata"].setdefault("annotations", {}).__setitem__(COMMAND, text)
        )

    def edit_spec(self, **changes: Any) -> None:
        """Change the spec as a user."""
        self.cluster.edit(KIND, KEY.name, lambda o: o["spec"].update(changes))

    @property
    def body(self) -> dict[str, Any]:
        """The resource."""
        return self.cluster.of(KIND)[0]

    def edit_memory(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change the memory in the status, as another release or a hand would."""

        def edit(resource: dict[str, Any]) -> None:
            memory = json.loads(resource["status"]["memory"])
            change(memory)
            resource["status"]["memory"] = json.dumps(memory)

        self.cluster.edit(KIND, KEY.name, edit)

    @property
    def memory(self) -> dict[str, Any]:
        """The memory in the status as it is written."""
        written: dict[str, Any] = json.loads(self.body["status"]["memory"])
        return written

    @property
    def status(self) -> Status:
        """Its status."""
        return Status.model_validate(self.body.get("status", {}))

    def condition(self, kind: str) -> Mapping[str, Any]:
        """One of its conditions; empty when absent."""
        return next((c for c in self.body["status"]["conditions"] if c["type"] == kind), {})

    @property
    def replicas(self) -> dict[str, int]:
        """Wanted replicas by Deployment, those at zero left out."""
        found = {d["metadata"]["name"]: d["spec"]["replicas"] for d in self.cluster.of("Deployment")}
        return {n: c for n, c in found.items() if c}

    @property
    def serving(self) -> int:
        """Pods that are ready and not stopping."""
        return sum(1 for p in self.cluster.of("Pod") if ready_since(p))

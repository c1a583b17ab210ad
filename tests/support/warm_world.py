"""Warm replicas in memory, behind `control.ports.Switches`, and a world that has some."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.fake_cluster import FakeCluster
from tests.support.world import FakeClock, World, plain_decide

from breakeven.api.status import Memory, Role, State
from breakeven.control.errors import Retry
from breakeven.control.warm.key import token_digest
from breakeven.control.warm.state import LastSwitch, Phase, Slot, WarmState
from breakeven.domain.counters.observation import Observation
from breakeven.domain.decision import Decision, Declared, Placement
from breakeven.domain.rota import Rota

TARGET = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
ENGINE = {"image": "vllm/vllm-openai:v0.26.0"}


@dataclass(slots=True)
class FakeReplica:
    """What the supervisor of one pod holds. It follows its slots file at once."""

    variants: list[str]
    awake: str
    revision: str
    begun: datetime
    last: LastSwitch | None = None
    failed: set[str] = field(default_factory=set)
    """Variants that do not come up."""
    died: dict[str, int] = field(default_factory=dict)
    """Variants that were up and died, and how often."""
    switched: list[str] = field(default_factory=list)
    """Variants that were woken, one after the other."""


@dataclass(slots=True)
class FakeReplicas:
    """`control.ports.Switches` over the pods of a fake cluster."""

    cluster: FakeCluster
    clock: FakeClock
    replicas: dict[str, FakeReplica] = field(default_factory=dict)
    """By uid of the pod."""
    silent: set[str] = field(default_factory=set)
    """Addresses where nobody answers."""
    stubborn: set[str] = field(default_factory=set)
    """Variants that do not wake, so that the former one serves on."""
    lost_answers: int = 0
    """Orders that are carried out and not answered."""
    called: list[str] = field(default_factory=list)
    """Addresses that were called."""
    orders: int = 0
    """Orders that were taken."""
    kill_after: int = 0
    """Number of the order, from 1, after which the process that gave it is killed; 0 is none."""
    killed: bool = False
    reads_late: bool = False
    """A file that changes reaches no pod for now, as a kubelet takes up to a minute."""

    async def state(self, address: str) -> WarmState:
        return self._said(self._at(address))

    async def awake(self, address: str, *, id: str, variant: str, token: str) -> WarmState:
        replica = self._at(address, token)
        if replica.last is not None and replica.last.id == id:
            return self._said(replica)
        if variant not in replica.variants or variant in replica.failed:
            raise Retry("no slot holds that variant")
        error = "requests were still running" if variant in self.stubborn else ""
        if replica.awake != variant:
            replica.last = LastSwitch(id=id, to=variant, seconds=0.8, at=self.clock.now(), error=error)
            if not error:
                replica.awake = variant
                replica.switched.append(variant)
        self._taken()
        if self.lost_answers:
            self.lost_answers -= 1
            raise Retry("the connection broke")
        return self._said(replica)

    async def load(self, address: str, *, id: str, token: str) -> WarmState:
        replica = self._at(address, token)
        wanted = self._file_of(address)
        replica.variants = [v["variant"] for v in wanted["variants"]]
        if replica.awake not in replica.variants:
            replica.awake = wanted["first"]
        replica.revision = wanted["revision"]
        replica.failed -= replica.died.keys()
        replica.last = LastSwitch(id=id, to="", seconds=90, at=self.clock.now())
        self._taken()
        return self._said(replica)

    def _taken(self) -> None:
        self.orders += 1
        if self.orders == self.kill_after:
            self.killed = True
            raise Retry("nobody is there any more who would listen")

    def _at(self, address: str, token: str = "") -> FakeReplica:
        self.called.append(address)
        if address in self.silent:
            raise Retry(f"{address} did not answer")
        pod = self._pod(address)
        file = self._file_of(address)
        if token and token_digest(token) != file["tokenSha256"]:
            raise Retry("HTTP 401")
        if pod["metadata"]["uid"] not in self.replicas:
            names = [v["variant"] for v in file["variants"]]
            begun = self.clock.now()
            self.replicas[pod["metadata"]["uid"]] = FakeReplica(names, file["first"], file["revision"], begun)
        return self.replicas[pod["metadata"]["uid"]]

    def _pod(self, address: str) -> dict[str, Any]:
        return next(p for p in self.cluster.of("Pod") if p["status"].get("podIP") == address)

    def _file_of(self, address: str) -> dict[str, Any]:
        deployment = self._pod(address)["metadata"]["ownerReferences"][0]["name"].rpartition("-")[0]
        maps = {m["metadata"]["name"]: m for m in self.cluster.of("ConfigMap")}
        found: dict[str, Any] = json.loads(maps[f"{deployment}-slots"]["data"]["slots.json"])
        return found

    def _said(self, replica: FakeReplica) -> WarmState:
        def phase(name: str) -> Phase:
            return Phase.FAILED if name in replica.failed else Phase.AWAKE if name == replica.awake else Phase.ASLEEP

        slots = {
            slot: Slot(
                variant=name,
                phase=phase(name),
                since=replica.begun,
                error="died" if name in replica.failed else "",
                deaths=replica.died.get(name, 0),
            )
            for slot, name in zip("ab", replica.variants, strict=False)
        }
        return WarmState(
            revision=replica.revision if self.reads_late else next(iter(self._files_of(replica)), replica.revision),
            loaded_revision=replica.revision,
            awake=replica.awake,
            slots=slots,
            last=replica.last,
        )

    def _files_of(self, replica: FakeReplica) -> list[str]:
        uid = next(u for u, r in self.replicas.items() if r is replica)
        pods = [p for p in self.cluster.of("Pod") if p["metadata"]["uid"] == uid]
        return [self._file_of(p["status"]["podIP"])["revision"] for p in pods]


def warm_decide(declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
    """`plain_decide` for warm replicas: what is on trial alternates with what serves, minute by minute."""
    decided = plain_decide(declared, memory, observation, now)
    memory = decided.memory
    assert memory.stable is not None
    other = memory.canary or (memory.last_good.variant if memory.last_good else None)
    if other is None and declared.spec.draft is not None:
        other = memory.stable.with_draft(declared.spec.draft if not memory.stable.speculates else None)
    trial = memory.state is State.TRIAL and memory.canary is not None
    return Decision(
        memory=memory,
        placements=(Placement(variant=memory.stable, role=Role.STABLE, replicas=declared.spec.replicas),),
        rota=Rota(
            major=memory.stable.name,
            minor=memory.canary.name if memory.canary else "",
            taking_part=2 if trial else 0,
            cell=timedelta(minutes=2),
        ),
        slots=(memory.stable, other),
        news=decided.news,
        hold=decided.hold,
    )


class WarmWorld(World):
    """A world whose resource is switched warm."""

    def __init__(self, *, decide: Any = warm_decide, **spec: Any) -> None:
        policy = {"switching": {"mode": "Warm"}}
        super().__init__(decide=decide, **{"policy": policy, "target": TARGET, "engine": ENGINE} | spec)

    def start(self) -> None:
        if not isinstance(self.switches, FakeReplicas):
            self.switches = FakeReplicas(self.cluster, self.clock)
        self.switches.cluster = self.cluster
        super().start()

    @property
    def fleet(self) -> FakeReplicas:
        """The replicas."""
        found: FakeReplicas = self.switches
        return found

    @property
    def awake(self) -> list[str]:
        """What is awake in each living pod."""
        living = {p["metadata"]["uid"] for p in self.cluster.of("Pod") if not p["metadata"].get("deletionTimestamp")}
        return sorted(r.awake for uid, r in self.fleet.replicas.items() if uid in living)

    @property
    def stable(self) -> str:
        """Name of what serves."""
        stable = self.status.memory.stable
        assert stable is not None
        return stable.name

    async def turn(self) -> None:
        await super().turn()
        if self.fleet.killed:
            self.fleet.killed = False
            self.start()

    async def minutes(self, count: int) -> None:
        """Let that much time pass, a pass every ten seconds."""
        for _ in range(6 * count):
            await self.turn()

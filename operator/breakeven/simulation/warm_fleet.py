"""Replicas that hold two variants, one of them awake: what `spec.policy.switching.mode: Warm` makes of a fleet.

Pods start as any other, with both. A variant that is new afterwards loads in one pod after the other, which is away
meanwhile, because it finds no room beside one that is awake. Which one is awake follows the operator's own rota, looked
at in each quarter of a minute. A switch takes `scenario.switch` of a replica. What the simulation does not have:
requests in flight that have to end before a switch, requests that wait meanwhile, and the prefix cache that is cold
after it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from breakeven.domain.counters.batches import share_of
from breakeven.domain.counters.increments import KEPT
from breakeven.domain.counters.observation import Batch, Fleet, Gauges, Observation, Smoke, Totals
from breakeven.domain.counters.scrapes import total
from breakeven.domain.counters.windows import BATCHES, HISTORY
from breakeven.domain.decision import Placement
from breakeven.domain.rota import Rota
from breakeven.simulation.fleet import EPOCH, INDIFFERENT, FleetState, Replica, counted
from breakeven.simulation.policies import Turn
from breakeven.simulation.traffic import MINUTE, QUARTERS


@dataclass(slots=True)
class WarmFleet(FleetState):
    """All replicas of one simulated warm deployment. `Replica.variant` is what its Deployment is named by."""

    rota: Rota = field(default_factory=lambda: Rota(major=""))
    loaded: dict[str, int] = field(default_factory=dict)
    """By variant in a slot, the minute from which it is loaded."""
    awake: dict[int, str] = field(default_factory=dict)
    """By number of the replica, which variant is awake."""
    at: dict[int, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    """By quarter, the last minutes' replicas that each variant was awake in."""
    loads: dict[int, list[int]] = field(default_factory=dict)
    """By minute, the numbers of the replicas that begin to load another variant."""
    switches: int = 0
    """Times that one variant went to sleep and another woke."""

    def turn(self, turn: Turn, minute: int) -> None:
        """Take what was decided about the pods that serve: a variant that is new is loaded, as a replica is."""
        first = turn.placements[0].variant
        self.rota = turn.rota or Rota(major=first.name)
        wanted = [variant for variant in turn.slots or (first,) if variant is not None]
        for variant in wanted:
            self.variants[variant.name] = variant
            if variant.name not in self.loaded:
                self.loaded[variant.name] = self._load_everywhere(minute)
        kept = {variant.name for variant in wanted} | set(self.awake.values())
        self.loaded = {name: ready for name, ready in self.loaded.items() if name in kept}

    def _load_everywhere(self, minute: int) -> int:
        """Load a variant in one replica after the other; answers when all have it."""
        each = round(self._loading)
        for place, replica in enumerate(self.replicas):
            self.loads.setdefault(minute + place * each, []).append(replica.number)
        return minute + len(self.replicas) * each

    def move(self, placements: Sequence[Placement], minute: int) -> None:
        """Take the next safe step: only pods of another engine or target move."""
        named = [replace(each, variant=each.variant.baseline) for each in placements]
        FleetState.move(self, named, minute)

    def fleet(self, minute: int) -> dict[str, Fleet]:
        """What the API server and the pods would say: both variants of a pod, ready where they are loaded."""
        pods, found = FleetState.fleet(self, minute), {}
        for name, ready_at in self.loaded.items():
            held = pods.get(self.variants[name].baseline.name)
            if held is None:
                continue
            loaded = ready_at <= minute
            since = EPOCH + timedelta(minutes=ready_at)
            settled = max(held.settled_since, since) if loaded and held.settled_since is not None else None
            smoke = Smoke.PASSED if loaded else Smoke.PENDING
            ready = held.ready if loaded else 0
            found[name] = replace(held, variant=name, ready=ready, settled_since=settled, smoke=smoke)
        return found

    def serve(self, minute: int, warmup: int) -> None:
        """One minute of traffic."""
        held, truth = self.traffic.conditions[minute], float(self.physics.worth[minute])
        rate = float(self.traffic.rate[minute])
        self.ideal += self.spec.replicas * rate * max(1.0, truth)
        for number in self.loads.pop(minute, ()):
            self.restart_one(number, minute)
        ready = [r for r in self.replicas if r.ready_at <= minute]
        self.served += len(ready)
        for quarter in range(minute * QUARTERS, (minute + 1) * QUARTERS):
            self._wake(ready, minute, quarter)
            by_variant: dict[str, tuple[int, ...]] = {}
            for r in ready:
                name = self.awake[r.number]
                speculating = self.variants[name].speculates
                self.work += rate * (truth if speculating else 1.0) / QUARTERS
                self.knowing += self._given_back(minute, speculating=speculating) / QUARTERS
                right = (truth >= 1.0) == speculating or abs(truth - 1.0) < INDIFFERENT
                self.better += right / QUARTERS
                if r.ready_at == 0 or r.ready_at + warmup <= minute:
                    by_variant[name] = (*by_variant.get(name, ()), r.number)
            self.at[quarter] = by_variant
        self.at.pop(minute * QUARTERS - (KEPT + 1) * QUARTERS, None)
        for old in [q for q in self.at if q < (minute - KEPT) * QUARTERS]:
            del self.at[old]
        if not held.outage:
            self._count(minute)

    def _wake(self, ready: Sequence[Replica], minute: int, quarter: int) -> None:
        """Let every replica have awake what the rota says, where that is loaded."""
        moment = EPOCH + timedelta(seconds=(quarter + 0.5) * MINUTE / QUARTERS)
        wanted = self.rota.awake([r.pod for r in ready], moment)
        rate, truth = float(self.traffic.rate[minute]), float(self.physics.worth[minute])
        for r in ready:
            name, before = wanted[r.pod], self.awake.get(r.number)
            if self.loaded.get(name, minute + 1) > minute or name == before:
                name = before or next(n for n, at in self.loaded.items() if at <= minute)
            elif before is not None:
                self.switches += 1
                speed = truth if self.variants[name].speculates else 1.0
                lost = rate * speed * (self.scenario.switch / timedelta(minutes=1))
                self.work, self.knowing = self.work - lost, self.knowing + lost
            self.awake[r.number] = name

    def _count(self, minute: int) -> None:
        """The batch of each variant that was awake in this minute."""
        quarters = range(minute * QUARTERS, (minute + 1) * QUARTERS)
        for name in {name for quarter in quarters for name in self.at[quarter]}:
            batch = self._whole(name, quarters)
            self.batches.setdefault(name, deque(maxlen=HISTORY * BATCHES)).append(batch)
            numbers = tuple(sorted({i for quarter in quarters for i in self.at[quarter].get(name, ())}))
            self.shown.setdefault(name, deque(maxlen=KEPT)).append((minute, numbers))

    def _whole(self, name: str, quarters: range) -> Batch:
        """What a variant counted in these quarters of a minute, pod by pod."""
        pods = {r.number: r.pod for r in self.replicas}
        counts: dict[int, list[Totals]] = {}
        for quarter in quarters:
            for i in self.at[quarter].get(name, ()):
                counts.setdefault(i, []).append(self._totals(name, i, quarter))
        length = MINUTE / QUARTERS
        minute = quarters.start // QUARTERS
        speculating = self.variants[name].speculates
        running = (self.physics.on_running if speculating else self.physics.off_running)[minute]
        return Batch(
            start=EPOCH.timestamp() + quarters.start * length,
            end=EPOCH.timestamp() + quarters.stop * length,
            totals=total(each for of in counts.values() for each in of),
            gauges=Gauges(running=float(running), waiting=0.0, kv_usage=0.5),
            replicas=sum(len(of) for of in counts.values()) / len(quarters),
            shares=tuple(share_of(pods[i], total(of)) for i, of in sorted(counts.items())),
        )

    def _totals(self, name: str, i: int, quarter: int) -> Totals:
        minute, speculating = quarter // QUARTERS, self.variants[name].speculates
        requests, tokens, steps = (float(of[i % len(of), quarter]) for of in self.traffic.quarters)
        mine = steps if speculating else tokens
        base = (self.physics.on_step if speculating else self.physics.off_step)[minute]
        seconds = mine * float(base) * self.noise[i % len(self.noise)][minute]
        per_token = self.traffic.conditions[minute].per_token
        return counted(self.physics.k if speculating else 0, requests, tokens, mine, seconds, per_token=per_token)

    def _increment(self, name: str, quarter: int) -> Batch | None:
        """What a variant counted in a quarter of one of the last minutes; None: nothing was seen of it."""
        if name not in self.at.get(quarter, {}):
            return None
        return self._whole(name, range(quarter, quarter + 1))

    def observation(self, minute: int, quarter: int = 0) -> Observation:
        """What one pass sees, with how long a switch takes."""
        seen = FleetState.observation(self, minute, quarter)
        return replace(seen, switch_seconds=self.scenario.switch.total_seconds())

"""Replicas that start, load, serve and stop, moved by the operator's own rules, and the counters they would show."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.control.moves import Limits, Step, Target, next_move
from breakeven.domain.counters.increments import KEPT, Increments
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Gauges, Observation, Outage, Share, Smoke, Totals
from breakeven.domain.counters.windows import BATCHES, HISTORY
from breakeven.domain.decision import Placement
from breakeven.simulation.physics import Physics
from breakeven.simulation.scenario import Nodes, Scenario
from breakeven.simulation.scraping import Pod, Scraping, arriving
from breakeven.simulation.traffic import MINUTE, QUARTERS, Floats, Traffic

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: the first minute of every scenario."""
SLOW = 0.9
"""Share of the plain time per token from which on a quarter of a minute is looked at: faster ones raise no alarm."""
INDIFFERENT = 0.02
"""Closer to S = 1 than this, neither state is the better one."""


@dataclass(slots=True)
class Replica:
    """One slot of the fleet: a share of the traffic and what serves it."""

    number: int
    variant: str
    ready_at: int
    """Minute from which it serves."""
    pod: str = ""


@dataclass(slots=True)
class FleetState:
    """All replicas of one simulated deployment."""

    scenario: Scenario
    spec: SpeculativeDeploymentSpec
    traffic: Traffic
    physics: Physics
    noise: Sequence[Sequence[float]]
    """Factor on step times, by replica and minute."""
    scraping: Scraping | None = None
    """Shows and scrapes counters by replica. Absent: a batch is the sums of one minute, which is much faster."""
    replicas: list[Replica] = field(default_factory=list)
    variants: dict[str, Variant] = field(default_factory=dict)
    batches: dict[str, deque[Batch]] = field(default_factory=dict)
    shown: dict[str, deque[tuple[int, tuple[int, ...]]]] = field(default_factory=dict)
    """By variant: the last minutes and the numbers of the replicas that their batches are made of."""
    settled: dict[str, int] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    restarts: int = 0
    work: float = 0.0
    """Decoding capacity delivered: load times speed, summed over serving replica-minutes."""
    better: float = 0.0
    """Serving replica-minutes in the better state."""
    served: float = 0.0
    """Serving replica-minutes."""
    speculating: bool = False
    """Whether speculation serves by what was decided last."""
    knowing: float = 0.0
    """What of `ideal` went to replicas that ran, to be compared, something slower than what serves."""
    ideal: float = 0.0
    """What `work` would be with every replica always in the better state."""

    def move(self, placements: Sequence[Placement], minute: int) -> None:
        """Take the next safe step towards what was decided."""
        for placement in placements:
            self.variants[placement.variant.name] = placement.variant
        targets = [Target(variant=p.variant.name, replicas=p.replicas) for p in placements]
        fleet = self.fleet(minute)
        limits = Limits(
            surge=self.spec.policy.switching.surge, allow_downtime=self.spec.policy.switching.allow_downtime
        )
        while True:
            step = next_move(targets, fleet, limits)
            if not isinstance(step, Step):
                return
            if not self._apply(step, minute):
                return
            fleet = self.fleet(minute)

    def _apply(self, step: Step, minute: int) -> bool:
        changed = False
        for name, wanted in step.replicas.items():
            mine = [r for r in self.replicas if r.variant == name]
            for replica in mine[wanted:]:
                self.replicas.remove(replica)
                changed = True
            if self.scraping is not None:
                self.scraping.keep_only([r.pod for r in self.replicas])
            taken = {r.number for r in self.replicas}
            for _ in range(wanted - len(mine)):
                number = next(i for i in range(1000) if i not in taken)
                taken.add(number)
                ready = minute + max(1, round(self.scenario.loading / timedelta(minutes=1))) if minute else 0
                self._begin(Replica(number=number, variant=name, ready_at=ready, pod=f"{name}-{number}-{minute}"))
                self.restarts += 1
                changed = True
        return changed

    @property
    def _told_apart(self) -> bool:
        """Whether the fast mode tells replicas apart, which takes time: where their nodes differ."""
        return self.scenario.nodes != Nodes()

    @property
    def _loading(self) -> float:
        """Minutes from the start of a replica to ready."""
        return max(1.0, self.scenario.loading / timedelta(minutes=1))

    def _begin(self, replica: Replica) -> None:
        self.replicas.append(replica)
        self._show(replica)

    def _show(self, replica: Replica) -> None:
        if self.scraping is not None:
            self.scraping.start(Pod(replica.pod, replica.number), drafted=self._drafted(replica.variant))
            if replica.ready_at == 0:
                self.scraping.appear(Pod(replica.pod, replica.number), EPOCH.timestamp())

    def _drafted(self, variant: str) -> int:
        """Tokens that a variant drafts; 0: it does not speculate."""
        draft = self.variants[variant].draft
        return draft.num_speculative_tokens if draft is not None else 0

    def restart_one(self, number: int, minute: int) -> None:
        """A replica restarts where it is."""
        for replica in self.replicas:
            if replica.number == number:
                replica.ready_at = minute + round(self.scenario.loading / timedelta(minutes=1))
                self.restarts += 1
                self._show(replica)

    def fleet(self, minute: int) -> dict[str, Fleet]:
        """What the API server would say."""
        found = {}
        for name in sorted({r.variant for r in self.replicas}):
            mine = [r for r in self.replicas if r.variant == name]
            ready = sum(r.ready_at <= minute for r in mine)
            if self.counts.get(name) != (len(mine), ready):
                self.counts[name] = (len(mine), ready)
                self.settled[name] = minute
            whole = ready == len(mine)
            found[name] = Fleet(
                variant=name,
                wanted=len(mine),
                existing=len(mine),
                ready=ready,
                settled_since=EPOCH + timedelta(minutes=self.settled[name]) if whole else None,
                nodes={r.pod: f"node-{r.number}" for r in mine} if self._told_apart else {},
                smoke=Smoke.PASSED if ready else Smoke.PENDING,
            )
        for name in [n for n in self.counts if n not in found]:
            del self.counts[name]
            self.batches.pop(name, None)
            self.shown.pop(name, None)
        return found

    def serve(self, minute: int, warmup: int) -> None:
        """One minute of traffic."""
        held = self.traffic.conditions[minute]
        truth = float(self.physics.worth[minute])
        best = max(1.0, truth)
        self.ideal += self.spec.replicas * float(self.traffic.rate[minute]) * best
        ready = [r for r in self.replicas if r.ready_at <= minute]
        if self.scraping is not None and not held.outage:
            for replica in self.replicas:
                if replica.ready_at == minute + 1:
                    self.scraping.appear(Pod(replica.pod, replica.number), EPOCH.timestamp() + (minute + 1) * MINUTE)
        for name in {r.variant for r in ready}:
            mine = [r for r in ready if r.variant == name]
            warm = [r for r in mine if r.ready_at + warmup <= minute]
            seen = [r for r in warm if r.number >= held.unscraped * len(self.replicas)]
            speculating = self.variants[name].speculates
            speed = truth if speculating else 1.0
            self.work += len(mine) * float(self.traffic.rate[minute]) * speed
            self.knowing += len(mine) * self._given_back(minute, speculating=speculating)
            self.served += len(mine)
            self.better += len(mine) * ((truth >= 1.0) == speculating or abs(truth - 1.0) < INDIFFERENT)
            if self.scraping is not None:
                self._scrape(self.scraping, mine, minute)
                continue
            if held.outage or len(seen) < 0.8 * len(mine) or not seen:
                continue
            queue = self.batches.setdefault(name, deque(maxlen=HISTORY * BATCHES))
            numbers = tuple(r.number % self.traffic.requests.shape[0] for r in seen)
            queue.append(self._batch(numbers, minute, speculating=speculating, per_token=held.per_token))
            self.shown.setdefault(name, deque(maxlen=KEPT)).append((minute, numbers))

    def _given_back(self, minute: int, *, speculating: bool) -> float:
        """What one replica with this state loses in a minute against what serves; nothing where it is faster."""
        if speculating == self.speculating:
            return 0.0
        gain = float(self.physics.worth[minute]) - 1.0
        return float(self.traffic.rate[minute]) * max(0.0, gain if self.speculating else -gain)

    def _scrape(self, scraping: Scraping, mine: Sequence[Replica], minute: int) -> None:
        held, start = self.traffic.conditions[minute], EPOCH.timestamp() + minute * MINUTE
        off, on = self.physics.steps_alone(minute) if self.scenario.cache is not None else self.physics.steps(minute)
        for replica in mine:
            drafted = self._drafted(replica.variant)
            base = off + (on - off) * drafted / self.physics.k  # R - 1 is shared equally between the drafted positions
            i = replica.number % len(self.traffic.drawn)
            lengths, steps = self.traffic.drawn[i].of(minute)
            step = base * self.noise[i][minute]
            requests = arriving(lengths, steps, start=start, step=step, drafted=drafted, k=self.physics.k)
            away = held.outage or replica.number < held.unscraped * len(self.replicas)
            missing = 1.0 if away else held.missed_scrapes
            scraping.serve(Pod(replica.pod, replica.number), requests, start, per_token=held.per_token, missing=missing)

    def _batch(self, numbers: Sequence[int], minute: int, *, speculating: bool, per_token: bool) -> Batch:
        """One minute of these replicas."""
        sums = (self.traffic.requests, self.traffic.tokens, self.traffic.steps)
        return self._sum(numbers, minute, sums, minute, 1, speculating=speculating, per_token=per_token)

    def _sum(
        self,
        numbers: Sequence[int],
        minute: int,
        sums: tuple[Floats, Floats, Floats],
        index: int,
        parts: int,
        *,
        speculating: bool,
        per_token: bool,
    ) -> Batch:
        """What these replicas counted in one of `parts` equal parts of a minute; `index` says where it is in `sums`."""
        physics = self.physics
        requests = tokens = steps = seconds = 0.0
        shares: list[Share] = []
        pods = {r.number % len(sums[0]): r.pod for r in self.replicas} if self._told_apart and parts == 1 else {}
        base = float((physics.on_step if speculating else physics.off_step)[minute])
        for i in numbers:
            requests += float(sums[0][i, index])
            tokens += float(sums[1][i, index])
            mine = float(sums[2 if speculating else 1][i, index])
            took = mine * base * self.noise[i][minute]
            steps += mine
            seconds += took
            if pods:
                accepted = float(sums[1][i, index]) - mine if speculating else None
                drafted = physics.k * mine if speculating else None
                shares.append(Share(pods[i], float(sums[0][i, index]), drafted, accepted, mine, took))
        k = physics.k
        running = (physics.on_running if speculating else physics.off_running)[minute]
        totals = counted(k if speculating else 0, requests, tokens, steps, seconds, per_token=per_token)
        length = MINUTE / parts
        start = EPOCH.timestamp() + index * length
        gauges = Gauges(running=float(running), waiting=0.0, kv_usage=0.5)
        return Batch(
            start=start, end=start + length, totals=totals, gauges=gauges, replicas=len(numbers), shares=tuple(shares)
        )

    def _increment(self, name: str, quarter: int) -> Batch | None:
        """What an arm counted in a quarter of one of the last minutes; None: nothing was seen of it."""
        minute = quarter // QUARTERS
        numbers = next((n for m, n in self.shown.get(name, ()) if m == minute), None)
        if numbers is None:
            return None
        return self._sum(
            numbers,
            minute,
            self.traffic.quarters,
            quarter,
            QUARTERS,
            speculating=self.variants[name].speculates,
            per_token=self.traffic.conditions[minute].per_token,
        )

    def suspicious(self, minute: int) -> bool:
        """Whether any quarter of this minute could raise the alarm: the speculating arm is slow in it."""
        found: dict[bool, Floats] = {}
        for name, shown in self.shown.items():
            if not shown or shown[-1][0] != minute:
                continue
            rows, on = list(shown[-1][1]), self.variants[name].speculates
            part = slice(minute * QUARTERS, (minute + 1) * QUARTERS)
            _, tokens, steps = (of[rows, part] for of in self.traffic.quarters)
            if on:
                found[True] = (steps * self.physics.on_step[minute]).sum(axis=0) / np.maximum(tokens.sum(axis=0), 1e-9)
        if True not in found:
            return False
        return bool((found[True] > SLOW * self.physics.off_step[minute]).any())

    def observation(self, minute: int, quarter: int = 0) -> Observation:
        """What one pass sees so many quarters into a minute: batches of the minutes before, increments up to then."""
        fleet = self.fleet(minute)
        held = self.traffic.conditions[min(minute, len(self.traffic.conditions) - 1)]
        outage = None
        if held.outage:
            outage = Outage(reason=Reason.PROMETHEUS_UNREACHABLE, message="simulated outage")
        arms = {}
        for name, found in fleet.items():
            if self.scraping is not None:
                arms[name] = self._arm(self.scraping, name, minute)
                continue
            scraped = found.ready if not held.unscraped else round(found.ready * (1 - held.unscraped))
            batches = tuple(self.batches.get(name, ()))
            if quarter and batches and batches[-1].end > EPOCH.timestamp() + minute * MINUTE:
                batches = batches[:-1]
            until = minute * QUARTERS + quarter
            recent = range((minute - KEPT) * QUARTERS, until)
            newest = Increments(recent, partial(self._increment, name))
            arms[name] = Arm(variant=name, batches=batches, ready=found.ready, scraped=scraped, newest=newest)
        return Observation(arms=arms, fleet=fleet, outage=outage, scrape_interval=15.0, loading_minutes=self._loading)

    def _arm(self, scraping: Scraping, name: str, minute: int) -> Arm:
        now = EPOCH.timestamp() + minute * MINUTE
        mine = [r for r in self.replicas if r.variant == name and r.ready_at <= minute]
        ready = {r.pod: EPOCH.timestamp() + r.ready_at * MINUTE for r in mine}
        scraped = sum(scraping.fresh(r.pod, now) for r in mine)
        batches, newest = scraping.batches(name, ready, now), scraping.increments(ready)
        return Arm(variant=name, batches=batches, ready=len(mine), scraped=scraped, newest=newest)


def counted(drafted: int, requests: float, tokens: float, steps: float, seconds: float, *, per_token: bool) -> Totals:
    """Counters of an engine that drafts so many tokens, or none, after these steps."""
    return Totals(
        generation_tokens=tokens + requests,
        first_tokens=requests,
        steps=tokens if per_token else steps,
        step_seconds=seconds,
        finished=requests,
        failed=0.0,
        preemptions=0.0,
        drafts=steps if drafted else None,
        drafted=drafted * steps if drafted else None,
        accepted=tokens - steps if drafted else None,
    )

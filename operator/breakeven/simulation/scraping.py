"""Simulated scrapes, cut into batches by the code that cuts the operator's.

Every replica is scraped each 15 s at a moment of its own; `domain.counters` reads the values, `domain.batches` cuts
them into pieces of a replica and puts those together to batches of an arm.
"""

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from breakeven.domain.counters.batches import STALE, Piece, Replica, batch_of, contributors, cut, number
from breakeven.domain.counters.increments import Tail, increments
from breakeven.domain.counters.observation import Batch, Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series
from breakeven.simulation.engine import PREFILL_STEPS, Bounds, Requests, SimulatedEngine, rendered, survival_of
from breakeven.simulation.queueing import QueueingEngine, Tally
from breakeven.simulation.scenario import Scenario

INTERVAL = 15.0
"""Seconds between scrapes."""
TAIL = 20
"""Newest scrapes of a pod that increments are cut from."""
_SERIALS = count()


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica, by the name of its pod."""

    name: str
    number: int


@dataclass(slots=True)
class _History:
    """What is kept of one pod."""

    engine: SimulatedEngine
    pieces: dict[int, Piece] = field(default_factory=dict)
    restarts: list[float] = field(default_factory=list)
    recent: list[Scrape] = field(default_factory=list)
    tail: deque[Scrape] = field(default_factory=lambda: deque(maxlen=TAIL))
    until: int = 0
    serial: int = field(default_factory=lambda: next(_SERIALS))

    def add(self, scrape: Scrape, length: float) -> None:
        if not self.recent and not self.until:
            self.until = number(scrape.at, length) - 1
        self.recent.append(scrape)
        self.tail.append(scrape)
        if number(scrape.at, length) <= self.until:
            return
        done = cut(self.recent, length=length, interval=INTERVAL, since=self.until)
        self.pieces.update(done.pieces)
        self.restarts += [r for r in done.restarts if r not in self.restarts]
        self.until = done.until
        boundary = sum(s.at <= self.until * length for s in self.recent) - 1
        if boundary > 0:
            del self.recent[:boundary]


Samples = dict[tuple[str, Series], "tuple[array[float], array[float]]"]
"""Times and values by pod and series."""


@dataclass(slots=True)
class Scraping:
    """All pods of one simulated deployment, as a Prometheus would have seen them."""

    length: float
    """Seconds of a batch."""
    warmup: float
    keep: float
    """Seconds of the past that deciding can use."""
    k: int
    missed: Callable[[], float]
    """Draws from 0 to 1: whether a scrape fails."""
    scenario: Scenario | None = None
    """Says what the engines are like. Absent: as every scenario has them by default."""
    samples: Samples | None = None
    """Filled when the scrapes are to be exported."""
    tally: Tally = field(default_factory=Tally)
    """What became of requests that had to wait for a finite cache."""
    _pods: dict[str, _History] = field(default_factory=dict)
    _made: dict[str, dict[int, tuple[object, Batch]]] = field(default_factory=dict)

    def start(self, pod: Pod, *, drafted: int) -> None:
        """A process begins that drafts so many tokens: its counters are zero, what was under way is lost."""
        engine = self._engine(speculating=drafted > 0, k=drafted or self.k)
        if pod.name in self._pods:
            self._pods[pod.name].engine = engine
        else:
            self._pods[pod.name] = _History(engine)

    def _engine(self, *, speculating: bool, k: int) -> SimulatedEngine:
        if self.scenario is None:
            return SimulatedEngine(speculating=speculating, k=k)
        prompt = self.scenario.prompt_tokens
        bounds = rendered(self.scenario.resource.objective) if self.scenario.rendered_buckets else Bounds()
        if self.scenario.cache is None:
            return SimulatedEngine(speculating=speculating, k=k, bounds=bounds, prompt=prompt)
        slope = self.scenario.step_slope
        cache, tally = self.scenario.cache, self.tally
        return QueueingEngine(cache, tally, speculating=speculating, k=k, slope=slope, bounds=bounds, prompt=prompt)

    def keep_only(self, pods: Sequence[str]) -> None:
        """Forget the others."""
        for name in self._pods.keys() - set(pods):
            del self._pods[name]

    def appear(self, pod: Pod, ready: float) -> None:
        """The one scrape between the moment the page is up and the moment the replica is ready, Unix seconds."""
        self._scrape(pod, None, [ready - INTERVAL + _phase(pod)], per_token=False, missing=0.0)

    def serve(self, pod: Pod, requests: Requests, start: float, *, per_token: bool, missing: float) -> None:
        """One minute of traffic from `start` on, scraped; `missing` is the share of scrapes that fail."""
        times = [start + _phase(pod) + turn * INTERVAL for turn in range(4)]
        self._scrape(pod, requests, times, per_token=per_token, missing=missing)

    def _scrape(
        self, pod: Pod, requests: Requests | None, times: Sequence[float], *, per_token: bool, missing: float
    ) -> None:
        held = self._pods[pod.name]
        if requests is not None:
            held.engine.admit(requests)
        for moment in times:
            at = round(moment, 3)
            values = held.engine.page(at, per_token=per_token)
            if missing and self.missed() < missing:
                continue
            held.add(scrape_of(at, values), self.length)
            self._record(pod.name, at, values)

    def _record(self, pod: str, at: float, values: Mapping[Series, float]) -> None:
        if self.samples is None:
            return
        for series, value in values.items():
            times, seen = self.samples.setdefault((pod, series), (array("d"), array("d")))
            times.append(at)
            seen.append(value)

    def fresh(self, pod: str, now: float) -> bool:
        """Whether a pod has a recent scrape."""
        held = self._pods.get(pod)
        return held is not None and bool(held.recent) and now - held.recent[-1].at <= STALE * INTERVAL

    def batches(self, variant: str, ready: Mapping[str, float], now: float) -> tuple[Batch, ...]:
        """Batches of an arm from its ready pods (and since when they are, Unix seconds), oldest first."""
        seen = [
            Replica(name=n, ready_since=since, pieces=h.pieces, restarts=h.restarts, serial=h.serial)
            for n, since in sorted(ready.items())
            if (h := self._pods.get(n)) is not None and h.recent
        ]
        final = min((self._pods[n].until for n in ready if self.fresh(n, now)), default=number(now, self.length))
        numbers = range(number(now - self.keep, self.length), min(final, number(now, self.length)))
        made = self._made.setdefault(variant, {})
        found = []
        for n in numbers:
            of = contributors(seen, n, length=self.length, warmup=self.warmup)
            if of is None:
                continue
            key = tuple(r.serial for r in of)
            if n not in made or made[n][0] != key:
                batch = batch_of(seen, n, length=self.length, warmup=self.warmup)
                assert batch is not None
                made[n] = key, batch
            found.append(made[n][1])
        for old in [n for n in made if n < numbers.start]:
            del made[old]
        return tuple(found)

    def increments(self, ready: Mapping[str, float]) -> Sequence[Batch]:
        """The newest scrapes of an arm's ready pods, cut as finely as they allow."""
        tails = [
            Tail(
                Replica(name=n, ready_since=since, restarts=h.restarts, serial=h.serial),
                tuple(h.tail),
                tuple(s.at for s in h.tail),
                INTERVAL,
            )
            for n, since in sorted(ready.items())
            if (h := self._pods.get(n)) is not None and h.recent
        ]
        return increments(tails, batch=self.length, warmup=self.warmup)


def _phase(pod: Pod) -> float:
    """Seconds after the quarter of a minute at which a pod is scraped."""
    return (2.0 + 3.7 * pod.number) % INTERVAL


def arriving(lengths: np.ndarray, steps: np.ndarray, *, start: float, step: float, drafted: int, k: int) -> Requests:
    """Requests of one replica and minute: evenly spread over it, at this step time.

    `steps` are those that the declared draft of k tokens would need; with another length the conditional acceptance of
    a request stays, and steps follow from it.
    """
    arrived = start + (np.arange(len(lengths)) + 0.5) / max(1, len(lengths)) * 60.0
    acceptance = np.clip((lengths / np.maximum(steps, 1e-9) - 1) / k, 0.0, 1.0) if drafted else 0.0 * lengths
    survival = survival_of(acceptance, k, drafted=drafted or k)
    taken = np.maximum(lengths / (1 + survival.sum(axis=0)), 1e-9)
    waited = np.full(len(lengths), PREFILL_STEPS * step)
    return Requests(
        first=arrived + waited,
        waited=waited,
        duration=taken * step,
        tokens=lengths,
        steps=taken,
        survival=survival,
    )

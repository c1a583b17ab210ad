"""`control.ports.Metrics` on Prometheus: a loop for each address, reading from memory for each resource."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from breakeven.adapters.clock import SystemClock
from breakeven.adapters.evidence_store.arm_batches import ArmBatches, BatchStore
from breakeven.adapters.evidence_store.arms import arm_of, replica_of
from breakeven.adapters.evidence_store.histogram_turns import ROOM, on_turn
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.pod_pages.pages_feed import PodPagesFeed
from breakeven.adapters.prometheus.addresses import allowed_address, refusal
from breakeven.adapters.prometheus.budget import Budget
from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.credentials import NOBODY, Credentials
from breakeven.adapters.prometheus.endpoint_feed import EndpointFeed
from breakeven.adapters.prometheus.freshness import Freshness
from breakeven.adapters.prometheus.naming import PodName, name_of
from breakeven.adapters.prometheus.questions import Asks
from breakeven.adapters.prometheus.wanted import Wanted
from breakeven.api.choices import MetricsSource
from breakeven.api.vocabulary import Reason
from breakeven.control.ports import STARTING, Key, MetricsQuery, MetricsReading, Pod
from breakeven.domain.counters.batches import number
from breakeven.domain.counters.observation import Arm, Outage

Connect = Callable[[Endpoint], Asks]
POD_PAGES = "pods"
"""In place of an address: the pages of the pods themselves."""
AfterCycle = Callable[[Sequence[Key]], Awaitable[None]]
"""Told after each cycle of an address, failed ones too, which resources have another reading now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """The operator's own settings for metrics."""

    url: str
    """The operator's Prometheus; empty when there is none and every resource names its own."""
    source: MetricsSource = MetricsSource.PROMETHEUS
    """What is read for resources that name neither a source nor a Prometheus."""
    allowed: tuple[str, ...] = ()
    """Other addresses that resources may name, as scheme://host[:port], an optional path counting as a prefix."""
    interval_s: float = 15.0
    """Seconds between cycles; shorter when a resource wants shorter batches, never under one second."""
    credentials: Credentials = NOBODY
    """For the operator's own address. Never sent to an address that a resource chose."""
    ca_file: Path | None = None
    read_timeout_s: float = 10.0
    max_bytes: int = 128 * 1024 * 1024
    """Largest answer of the operator's own address. Any other may answer an eighth of it, all others together a
    quarter."""


@dataclass(slots=True, kw_only=True)
class FeedTelemetry:
    """What the feed says about itself, over all addresses."""

    cycles: int = 0
    failed_cycles: int = 0
    queries: int = 0
    """Queries sent, ever."""
    last_cycle_queries: int = 0
    """Queries of the last cycle of each address, together."""
    last_cycle_s: float = 0.0
    """Seconds of the last cycle of any address."""


class MetricsFeed:
    """Engine metrics of all resources. `run` is the background; everything else only touches memory."""

    def __init__(
        self, settings: FeedSettings, connect: Connect = PrometheusClient, clock: SystemClock | None = None
    ) -> None:
        self.telemetry = FeedTelemetry()
        self.turned: float | None = None
        """When `run` last went round, on the monotonic clock. It never waits for an address."""
        self.after_cycle: AfterCycle | None = None
        self._settings = settings
        self._connect = connect
        self._clock = clock or SystemClock()
        self._adopted = self._clock.adopted
        self._shared = Budget(settings.max_bytes // 4)
        self._queries: dict[Key, MetricsQuery] = {}
        self._endpoints: dict[str, EndpointFeed | PodPagesFeed] = {}
        self._outages: dict[Key, Outage] = {}
        self._batches = BatchStore()
        self._made: dict[Key, dict[str, ArmBatches]] = {}
        self._new = asyncio.Event()
        self._woken: dict[str, asyncio.Event] = {}
        self._period: float | None = None

    def watch(self, key: Key, query: MetricsQuery) -> None:
        """Say what a resource wants; replaces what it said before."""
        before = self._queries.get(key)
        self._queries[key] = query
        if before is None or before.batch != query.batch:
            self._period = None
        for variant in self._made.get(key, {}).keys() - query.pods.keys():
            del self._made[key][variant]
        if before is None or before.url != query.url or _names(before) != _names(query):
            # A loop that is there looks soon; for an address without one, `run` begins it.
            self._woken.get(self._url(query) or "", self._new).set()

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._period = None
        for kept in (self._queries, self._outages, self._made):
            kept.pop(key, None)

    @property
    def period_s(self) -> float:
        """Seconds between cycles."""
        if self._period is None:
            batches = (q.batch.total_seconds() for q in self._queries.values())
            self._period = max(1.0, min((self._settings.interval_s, *batches)))
        return self._period

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every address in a loop of its own until told to stop. Ends otherwise only by an error of our own."""
        loops: dict[str, asyncio.Task[None]] = {}
        stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self.turned = time.monotonic()
                self._new.clear()
                wanted = {url for query in self._queries.values() if (url := self._url(query)) is not None}
                for url in loops.keys() - wanted:
                    loops.pop(url).cancel()
                self._close_all_but(wanted)
                for url in wanted - loops.keys():
                    loops[url] = asyncio.create_task(self._keep_asking(url))
                await _first((stopping, *loops.values()), self._new, self.period_s)
                for ended in [task for task in loops.values() if task.done()]:
                    ended.result()  # raises what ended it
        finally:
            for task in (stopping, *loops.values()):
                task.cancel()
            await asyncio.gather(stopping, *loops.values(), return_exceptions=True)
            self.close()

    async def _keep_asking(self, url: str) -> None:
        """The loop of one address. A new pod is looked at soon, not after a whole period."""
        woken = self._woken[url] = asyncio.Event()
        try:
            while True:
                begun = time.monotonic()
                woken.clear()
                await self._cycle(url, self._clock.unix())
                least = self.period_s / 3
                await asyncio.sleep(min(least, max(0.0, begun + self.period_s - time.monotonic())))
                await _first((), woken, max(0.0, begun + self.period_s - time.monotonic() - least))
        finally:
            self._woken.pop(url, None)

    async def cycle(self, now: float) -> None:
        """Ask every address once, side by side. Failures end in what `read` says."""
        wanted = {url for query in self._queries.values() if (url := self._url(query)) is not None}
        self._close_all_but(wanted)
        self.telemetry.last_cycle_queries = 0
        await asyncio.gather(*(self._cycle(url, now) for url in sorted(wanted)))

    async def _cycle(self, url: str, now: float) -> None:
        if self._clock.adopted != self._adopted:
            self._adopted = self._clock.adopted
            for each in self._endpoints.values():
                each.forget_past()
        if url not in self._endpoints:
            self._endpoints[url] = self._begun(url)
        endpoint = self._endpoints[url]
        if not self._clock.jump:
            await endpoint.cycle(now, self._wanted(url, now))
        self._report(endpoint)
        if self.after_cycle is not None:
            await self.after_cycle([key for key, query in self._queries.items() if self._url(query) == url])

    def _begun(self, url: str) -> EndpointFeed | PodPagesFeed:
        if url == POD_PAGES:
            return PodPagesFeed()
        address = self._endpoint(url)
        return EndpointFeed(lambda: self._connect(address))

    def _report(self, endpoint: EndpointFeed | PodPagesFeed) -> None:
        figures = self.telemetry
        figures.cycles += 1
        figures.failed_cycles += endpoint.failure is not None
        figures.queries += endpoint.last_queries
        figures.last_cycle_queries = sum(e.last_queries for e in self._endpoints.values())
        figures.last_cycle_s = endpoint.last_cycle_s

    def close(self) -> None:
        """Close all connections; the feed cannot be used any more."""
        self._close_all_but(())

    def _close_all_but(self, wanted: Iterable[str]) -> None:
        for url in self._endpoints.keys() - set(wanted):
            self._endpoints.pop(url).close()

    def _endpoint(self, url: str) -> Endpoint:
        settings = self._settings
        own = url == settings.url
        return Endpoint(
            url=url,
            credentials=settings.credentials if own else NOBODY,
            ca_file=settings.ca_file,
            read_timeout_s=settings.read_timeout_s,
            max_bytes=settings.max_bytes if own else settings.max_bytes // 8,
            budget=None if own else self._shared,
        )

    def _url(self, query: MetricsQuery) -> str | None:
        """Address to ask; None when the resource may not choose it."""
        if self._source(query) is MetricsSource.PODS:
            return POD_PAGES
        return allowed_address(query.url, own=self._settings.url, allowed=self._settings.allowed)

    def _source(self, query: MetricsQuery) -> MetricsSource:
        return query.source or (MetricsSource.PROMETHEUS if query.url else self._settings.source)

    def _wanted(self, url: str, now: float) -> dict[PodName, Wanted]:
        wanted: dict[PodName, Wanted] = {}
        queries = {key: query for key, query in self._queries.items() if self._url(query) == url}
        with_histograms = _with_histograms(queries, now)
        for key, query in queries.items():
            keep = (query.history + query.warmup + 2 * query.batch).total_seconds()
            for pod in _pods(query):
                wanted[name_of(pod)] = Wanted(
                    length=query.batch.total_seconds(),
                    keep=keep,
                    started=_unix(pod.started_at),
                    buckets=key in with_histograms,
                    address=pod.address,
                    prefix=query.prefix,
                    namespace_label=query.namespace_label,
                    pod_label=query.pod_label,
                )
        return wanted

    def read(self, key: Key, now: datetime) -> MetricsReading:
        """What is known for that resource now. An outage comes without arms: nothing may be judged."""
        query = self._queries.get(key)
        endpoint = self._endpoints.get(self._url(query) or "") if query is not None else None
        outage = self._outage(query, endpoint)
        if outage is not None or query is None or endpoint is None:
            return MetricsReading(arms={}, outage=self._since(key, outage or _STARTING, now))
        interval = endpoint.interval(name_of(p) for p in _pods(query))
        freshness = Freshness(
            endpoint, now.timestamp(), default_interval=self._settings.interval_s, period=self.period_s
        )
        outage = freshness.outage(_pods(query))
        if outage is not None:
            return MetricsReading(arms={}, outage=self._since(key, outage, now), scrape_interval=interval)
        self._outages.pop(key, None)
        arms = {v: self._arm(key, v, endpoint, query, now.timestamp(), freshness) for v in query.pods}
        return MetricsReading(arms=arms, scrape_interval=interval, source=self._source(query))

    def _outage(self, query: MetricsQuery | None, endpoint: EndpointFeed | PodPagesFeed | None) -> Outage | None:
        """Why nothing that was read may be used, whatever it is."""
        jump = self._clock.jump
        if jump:
            return Outage(
                reason=Reason.CLOCK_CHANGED,
                message=f"the clock of the operator's node was set {'forward' if jump > 0 else 'back'} by "
                f"{abs(jump):.0f} s; nothing is judged until it is back, or has agreed with that of the API server "
                "for two minutes",
            )
        if query is not None and self._url(query) is None:
            return refusal(query.url)
        return endpoint.outage if endpoint is not None and endpoint.outage is not None else _not_asked(endpoint)

    def _since(self, key: Key, outage: Outage, now: datetime) -> Outage:
        held = self._outages.get(key)
        if held is not None and held.reason == outage.reason:
            outage = replace(outage, since=held.since)
        elif outage.since is None:
            outage = replace(outage, since=now)
        self._outages[key] = outage
        return outage

    def _arm(
        self,
        key: Key,
        variant: str,
        endpoint: EndpointFeed | PodPagesFeed,
        query: MetricsQuery,
        now: float,
        freshness: Freshness,
    ) -> Arm:
        length, pods = query.batch.total_seconds(), query.pods[variant]
        histories = [endpoint.histories.get(name_of(p)) for p in pods]
        others = [_other_engines(p, query, endpoint.histories) for p in pods]
        return arm_of(
            variant,
            [
                (replica_of(p.name, _unix(p.ready_since), h, o), h)
                for p, h, o in zip(pods, histories, others, strict=True)
            ],
            self._made.setdefault(key, {}).setdefault(variant, ArmBatches(self._batches)),
            now=now,
            first=number(now - query.history.total_seconds(), length) - 1,
            length=length,
            warmup=query.warmup.total_seconds(),
            fresh=[p.name for p in pods if p.ready_since is not None and freshness.fresh(p)],
        )


_STARTING = Outage(reason=STARTING, message="the first reading of the metrics is under way")


def _not_asked(endpoint: EndpointFeed | PodPagesFeed | None) -> Outage | None:
    return _STARTING if endpoint is None or endpoint.last_success is None else None


def _with_histograms(queries: dict[Key, MetricsQuery], now: float) -> frozenset[Key]:
    """Resources of one address that need histograms, and those of which it is the turn."""
    needed = {key: len(_pods(query)) for key, query in queries.items() if query.buckets}
    welcome = {k: len(_pods(q)) for k, q in queries.items() if q.buckets_if_room and not q.buckets}
    return frozenset(needed) | on_turn(welcome, room=max(0, ROOM - sum(needed.values())), now=now)


def _other_engines(
    pod: Pod, query: MetricsQuery, histories: Mapping[PodName, ReplicaHistory]
) -> Sequence[ReplicaHistory]:
    """What is kept of the other engines of a pod; nothing where it has one."""
    if not pod.engine:
        return ()
    same = (p for p in _pods(query) if (p.namespace, p.name) == (pod.namespace, pod.name) and p.engine != pod.engine)
    return [h for p in same if (h := histories.get(name_of(p))) is not None]


def _pods(query: MetricsQuery) -> list[Pod]:
    return [pod for pods in query.pods.values() for pod in pods]


def _names(query: MetricsQuery) -> set[PodName]:
    return {name_of(p) for p in _pods(query)}


def _unix(moment: datetime | None) -> float | None:
    return moment.astimezone(UTC).timestamp() if moment is not None else None


async def _first(tasks: Iterable[asyncio.Task[Any]], news: asyncio.Event, most: float) -> None:
    """Wait until one of the tasks ends or there is something new, and `most` seconds at the longest."""
    waiting = asyncio.create_task(news.wait())
    try:
        await asyncio.wait({*tasks, waiting}, timeout=most, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()

"""`control.ports.Metrics` on Prometheus: one background cycle for all resources, reading from memory for each."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from breakeven.adapters.evidence_store.arm_batches import ArmBatches
from breakeven.adapters.evidence_store.heap import give_back
from breakeven.adapters.evidence_store.histogram_turns import ROOM, on_turn
from breakeven.adapters.evidence_store.replica_history import increments_of
from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.endpoint_feed import Asks, EndpointFeed, Wanted
from breakeven.adapters.prometheus.promql import PodName
from breakeven.control.ports import STARTING, Key, MetricsQuery, MetricsReading, Pod
from breakeven.domain.counters.batches import COVERAGE, STALE, Replica
from breakeven.domain.counters.observation import Arm, Outage

Connect = Callable[[Endpoint], Asks]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """The operator's own settings for metrics."""

    url: str
    """The operator's Prometheus; empty when there is none and every resource names its own."""
    allowed: tuple[str, ...] = ()
    """Other addresses that resources may name, as scheme://host[:port], an optional path counting as a prefix."""
    interval_s: float = 15.0
    """Seconds between cycles; shorter when a resource wants shorter batches, never under one second."""
    token_file: Path | None = None
    """Bearer token for the operator's own address. Never sent to an address that a resource chose."""
    ca_file: Path | None = None
    read_timeout_s: float = 10.0
    max_bytes: int = 256 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class FeedTelemetry:
    """What the feed says about itself."""

    cycles: int = 0
    failed_cycles: int = 0
    queries: int = 0
    """Queries sent, ever."""
    last_cycle_queries: int = 0
    last_cycle_s: float = 0.0
    last_success: dict[str, float] = field(default_factory=dict)
    """Unix seconds of the last complete cycle, by address."""


class MetricsFeed:
    """Engine metrics of all resources. `run` is the background cycle; everything else only touches memory."""

    def __init__(self, settings: FeedSettings, connect: Connect = PrometheusClient) -> None:
        self.telemetry = FeedTelemetry()
        self._settings = settings
        self._connect = connect
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="prometheus")
        self._queries: dict[Key, MetricsQuery] = {}
        self._endpoints: dict[str, EndpointFeed] = {}
        self._outages: dict[Key, Outage] = {}
        self._cache: dict[Key, dict[str, ArmBatches]] = {}
        self._new = asyncio.Event()
        self._period: float | None = None

    def watch(self, key: Key, query: MetricsQuery) -> None:
        """Say what a resource wants; replaces what it said before."""
        before = self._queries.get(key)
        self._queries[key] = query
        if before is None or before.batch != query.batch:
            self._period = None
        for variant in self._cache.get(key, {}).keys() - query.pods.keys():
            del self._cache[key][variant]
        if before is None or _names(before) - _names(query) or _names(query) - _names(before):
            self._new.set()

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._period = None
        for kept in (self._queries, self._outages, self._cache):
            kept.pop(key, None)

    @property
    def period_s(self) -> float:
        """Seconds between cycles."""
        if self._period is None:
            batches = (q.batch.total_seconds() for q in self._queries.values())
            self._period = max(1.0, min((self._settings.interval_s, *batches)))
        return self._period

    async def run(self, stop: asyncio.Event) -> None:
        """Cycle until told to stop. A new pod is looked at soon, not after a whole period."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                begun = time.monotonic()
                self._new.clear()
                await self.cycle(time.time())
                await _first(stopping, self._new, begun + self.period_s - time.monotonic(), self.period_s / 3)
        finally:
            stopping.cancel()
            self.close()

    async def cycle(self, now: float) -> None:
        """Ask every endpoint once, side by side. Failures end in what `read` says."""
        begun, before = time.monotonic(), self._sent()
        wanted = self._wanted(now)
        for url in [u for u in self._endpoints if u not in wanted]:
            self._endpoints.pop(url).close()
        for url in wanted:
            if url not in self._endpoints:
                self._endpoints[url] = EndpointFeed(self._connect(self._endpoint(url)), self._executor)
        await asyncio.gather(*(self._endpoints[url].cycle(now, pods) for url, pods in wanted.items()))
        if wanted:
            await asyncio.get_running_loop().run_in_executor(self._executor, give_back)
        told = self.telemetry
        told.cycles += 1
        told.failed_cycles += any(e.outage is not None for e in self._endpoints.values())
        told.last_cycle_queries = max(0, self._sent() - before)
        told.queries += told.last_cycle_queries
        told.last_cycle_s = time.monotonic() - begun
        told.last_success = {u: e.last_success for u, e in self._endpoints.items() if e.last_success is not None}

    def _sent(self) -> int:
        return sum(e.queries for e in self._endpoints.values())

    def close(self) -> None:
        """Close all connections; the feed cannot be used any more."""
        for endpoint in self._endpoints.values():
            endpoint.close()
        self._endpoints.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _endpoint(self, url: str) -> Endpoint:
        own = url == self._settings.url
        return Endpoint(
            url=url,
            token_file=self._settings.token_file if own else None,
            ca_file=self._settings.ca_file,
            read_timeout_s=self._settings.read_timeout_s,
            max_bytes=self._settings.max_bytes,
        )

    def _url(self, query: MetricsQuery) -> str | None:
        """Address to ask; None when the resource may not choose it."""
        url = query.url or self._settings.url
        if url == self._settings.url:
            return url or None
        return url if any(_covers(allowed, url) for allowed in self._settings.allowed) else None

    def _wanted(self, now: float) -> dict[str, dict[PodName, Wanted]]:
        wanted: dict[str, dict[PodName, Wanted]] = {}
        with_histograms = self._with_histograms(now)
        for key, query in self._queries.items():
            url = self._url(query)
            if url is None:
                continue
            keep = (query.history + query.warmup + 2 * query.batch).total_seconds()
            for pod in _pods(query):
                wanted.setdefault(url, {})[(pod.namespace, pod.name)] = Wanted(
                    length=query.batch.total_seconds(),
                    keep=keep,
                    started=_unix(pod.started_at),
                    buckets=key in with_histograms,
                    prefix=query.prefix,
                    namespace_label=query.namespace_label,
                    pod_label=query.pod_label,
                )
        return wanted

    def _with_histograms(self, now: float) -> frozenset[Key]:
        """Resources that need histograms, and those of which it is the turn, endpoint by endpoint."""
        asking = [
            (k, q, self._url(q), len(_pods(q))) for k, q in self._queries.items() if q.buckets or q.buckets_if_room
        ]
        chosen = {key for key, query, _, _ in asking if query.buckets}
        for url in {url for _, _, url, _ in asking}:
            needed = sum(pods for _, query, there, pods in asking if there == url and query.buckets)
            welcome = {key: pods for key, query, there, pods in asking if there == url and not query.buckets}
            chosen |= on_turn(welcome, room=max(0, ROOM - needed), now=now)
        return frozenset(chosen)

    def read(self, key: Key, now: datetime) -> MetricsReading:
        """What is known for that resource now. An outage comes without arms: nothing may be judged."""
        query = self._queries.get(key)
        if query is None:
            return MetricsReading(arms={}, outage=self._since(key, _starting(), now))
        url = self._url(query)
        if url is None:
            return MetricsReading(arms={}, outage=self._since(key, self._refused(query), now))
        endpoint = self._endpoints.get(url)
        if endpoint is None or (endpoint.last_success is None and endpoint.outage is None):
            return MetricsReading(arms={}, outage=self._since(key, _starting(), now))
        if endpoint.outage is not None:
            return MetricsReading(arms={}, outage=self._since(key, endpoint.outage, now))
        interval = endpoint.interval((p.namespace, p.name) for p in _pods(query))
        outage = self._unscraped(endpoint, query, now.timestamp())
        if outage is not None:
            return MetricsReading(arms={}, outage=self._since(key, outage, now), scrape_interval=interval)
        self._outages.pop(key, None)
        arms = {variant: self._arm(key, variant, endpoint, query, now.timestamp()) for variant in query.pods}
        return MetricsReading(arms=arms, scrape_interval=interval)

    def _since(self, key: Key, outage: Outage, now: datetime) -> Outage:
        held = self._outages.get(key)
        if held is not None and held.reason == outage.reason:
            outage = replace(outage, since=held.since)
        elif outage.since is None:
            outage = replace(outage, since=now)
        self._outages[key] = outage
        return outage

    def _refused(self, query: MetricsQuery) -> Outage:
        if not query.url:
            return Outage(
                reason="NoPrometheus",
                message="the operator has no Prometheus of its own; give it one (BREAKEVEN_PROMETHEUS_URL), or set "
                "spec.metrics.prometheusURL to an address of its allow-list (BREAKEVEN_PROMETHEUS_ALLOWED)",
            )
        return Outage(
            reason="PrometheusNotAllowed",
            message=f"spec.metrics.prometheusURL {_bare(query.url)} is not in the operator's allow-list; "
            "add it there (BREAKEVEN_PROMETHEUS_ALLOWED), or leave the field empty for the operator's own Prometheus",
        )

    def _stale_after(self, endpoint: EndpointFeed, pod: PodName) -> float:
        history = endpoint.histories.get(pod)
        interval = history.interval if history is not None else None
        return STALE * (interval or self._settings.interval_s) + self.period_s + 2.0

    def _fresh(self, endpoint: EndpointFeed, pod: Pod, now: float) -> bool:
        history = endpoint.histories.get((pod.namespace, pod.name))
        if history is None or history.newest is None:
            return False
        return now - history.newest <= self._stale_after(endpoint, (pod.namespace, pod.name))

    def _unscraped(self, endpoint: EndpointFeed, query: MetricsQuery, now: float) -> Outage | None:
        """Why the metrics of this resource cannot be used: too few of the pods that should be scraped are."""
        due = [
            p
            for p in _pods(query)
            if p.ready_since is not None
            and now - p.ready_since.timestamp() > 2 * self._stale_after(endpoint, (p.namespace, p.name))
        ]
        fresh = [p for p in due if self._fresh(endpoint, p, now)]
        if len(fresh) >= COVERAGE * len(due):
            return None
        missing = ", ".join(sorted(p.name for p in due if p not in fresh)[:3])
        if fresh:
            return Outage(
                reason="PodsUnscraped",
                message=f"{len(fresh)} of {len(due)} ready pods have fresh samples; missing {missing}: "
                "see the targets page of Prometheus",
            )
        newest = [
            h.newest
            for p in due
            if (h := endpoint.histories.get((p.namespace, p.name))) is not None and h.newest is not None
        ]
        if newest:
            return Outage(
                reason="Stale",
                message=f"the newest sample is {now - max(newest):.0f} s old; Prometheus stopped scraping, or the "
                "clocks of the operator and of Prometheus differ",
            )
        if endpoint.prefixes:
            return Outage(
                reason="NamesUnknown",
                message=f"Prometheus has series {', '.join(sorted(endpoint.prefixes))}* but none carries {missing} "
                "in a known pair of labels; set spec.metrics.names.namespace and .pod",
            )
        return Outage(
            reason="NoData",
            message=f"Prometheus has no vLLM series for {missing}; does a PodMonitor or a scrape job select the pods?",
        )

    def _arm(self, key: Key, variant: str, endpoint: EndpointFeed, query: MetricsQuery, now: float) -> Arm:
        length, warmup = query.batch.total_seconds(), query.warmup.total_seconds()
        pods = query.pods[variant]
        held = self._cache.setdefault(key, {}).setdefault(variant, ArmBatches())
        ready = [p for p in pods if p.ready_since is not None]
        fresh = [p for p in ready if self._fresh(endpoint, p, now)]
        untils = {p.name: h.until for p in ready if (h := endpoint.histories.get((p.namespace, p.name)))}
        final = min((untils[p.name] for p in fresh), default=floor(now / length))
        numbers = range(floor((now - query.history.total_seconds()) / length) - 1, final)
        replicas = [_replica(p, endpoint) for p in pods]
        batches = held.batches(
            replicas,
            length=length,
            warmup=warmup,
            numbers=numbers,
            firm=min(untils.values(), default=final),
        )
        known = [(r, endpoint.histories.get((p.namespace, p.name))) for p, r in zip(pods, replicas, strict=True)]
        newest = increments_of([(r, h) for r, h in known if h is not None], batch=length, warmup=warmup)
        return Arm(variant=variant, batches=batches, ready=len(ready), scraped=len(fresh), newest=newest)


def _replica(pod: Pod, endpoint: EndpointFeed) -> Replica:
    history = endpoint.histories.get((pod.namespace, pod.name))
    return Replica(
        name=pod.name,
        ready_since=_unix(pod.ready_since),
        pieces=history.pieces if history is not None else {},
        restarts=tuple(history.restarts) if history is not None else (),
        serial=history.serial if history is not None else -1,
    )


def _pods(query: MetricsQuery) -> list[Pod]:
    return [pod for pods in query.pods.values() for pod in pods]


def _names(query: MetricsQuery) -> set[PodName]:
    return {(p.namespace, p.name) for p in _pods(query)}


def _unix(moment: datetime | None) -> float | None:
    return moment.astimezone(UTC).timestamp() if moment is not None else None


def _starting() -> Outage:
    return Outage(reason=STARTING, message="the first reading of Prometheus is under way")


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _covers(allowed: str, url: str) -> bool:
    """Whether an entry of the allow-list covers an address: same scheme, host and port, and path below it."""
    entry, asked = urlsplit(allowed.rstrip("/")), urlsplit(url)
    if (entry.scheme, entry.netloc.lower()) != (asked.scheme, asked.netloc.lower()):
        return False
    if asked.query or asked.fragment or any(part in asked.path for part in ("..", "%", "\\")):
        return False
    return asked.path == entry.path or asked.path.startswith(f"{entry.path}/")


async def _first(stopping: asyncio.Future[Any], new: asyncio.Event, most: float, least: float) -> None:
    """Wait `most` seconds, less when told to stop, and down to `least` when there is something new."""
    news: asyncio.Future[Any] = asyncio.ensure_future(new.wait())
    try:
        await asyncio.wait({stopping}, timeout=min(least, max(0.0, most)))
        await asyncio.wait({stopping, news}, timeout=max(0.0, most - least), return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()

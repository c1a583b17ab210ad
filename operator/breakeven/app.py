"""Composition root: builds clients, queue and kopf registry; owns the order of start and stop.

Start: health server, client, elector, metrics, workers, then kopf's watches. The workers wait until this process leads
and every kind has been listed once, so that no pass ever sees half of a fleet. Tasks begun before kopf starts are
spared by the sweep with which it ends. Stop: watches, then workers (within the grace), then the Lease is given back.
"""

import asyncio
import contextlib
import gc
import logging
import platform
import resource
import secrets
import socket
import sys
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import kopf
from prometheus_client import CollectorRegistry

from breakeven import __version__
from breakeven.adapters.clock import SystemClock
from breakeven.adapters.greedy import GreedyCompletions
from breakeven.adapters.key_file import KeyFile
from breakeven.adapters.kubernetes.cluster import KubernetesCluster
from breakeven.adapters.kubernetes.events import KubernetesEvents
from breakeven.adapters.kubernetes.lease import AlwaysLeader, LeaseSettings
from breakeven.adapters.kubernetes.lease_thread import LeaseThread
from breakeven.adapters.kubernetes.rest import Rest, connect
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.adapters.smoke import CompletionSmokeTest
from breakeven.adapters.switches import HttpSwitches
from breakeven.api.choices import MetricsSource
from breakeven.api.price import GpuHour
from breakeven.control.answers import Comparisons
from breakeven.control.cache import Cache
from breakeven.control.core import Core
from breakeven.control.errors import ControlError
from breakeven.control.fitness import fitness
from breakeven.control.ports import Ports
from breakeven.control.queue import KeyQueue
from breakeven.control.reconcile import Reconciler
from breakeven.control.resync import Resync
from breakeven.control.screening import Screening
from breakeven.control.shard import Shard
from breakeven.control.smoke import SmokeTests
from breakeven.control.warm.driver import Driver
from breakeven.control.workers import Workers
from breakeven.domain.decide import decide
from breakeven.handlers import kopf_settings, login, watch
from breakeven.page.document import POLICY
from breakeven.page.history import Remembering
from breakeven.page.site import Site
from breakeven.render import desired
from breakeven.settings import Settings, loopback, shown
from breakeven.telemetry.figures import Figures
from breakeven.telemetry.health import Age, HealthServer
from breakeven.telemetry.pages import PageServer

log = logging.getLogger(__name__)

LOST_LEASE = 1
"""Exit status after the Lease was lost: the pod starts again as a standby."""
BACKGROUND_ENDED = 3
"""Exit status after a task of the background ended although nobody told it to: the log says which and why."""
GARBAGE = (50_000, 20, 20)
"""Thresholds of the garbage collector: what is kept of resources has no reference cycles, and a cycle of the feed makes
a hundred thousand short-lived objects, for which Python's own thresholds would go through all of it again and again."""
PASS_LIMIT_S = 900.0
"""Seconds without a pass that went well, with resources to look at, after which `/healthz` fails."""
FEED_LIMIT_S = 60.0
"""Seconds, beyond three intervals, after which a feed that has not gone round makes `/healthz` fail."""
LIST_LIMIT_S = 120.0
"""Seconds, beyond three intervals of listing, after which listing or the watches make `/healthz` fail."""
PRIMING_LIMIT_S = 300.0
"""Seconds that a first complete listing may take, at the start and on becoming the leader, before `/healthz` fails."""
RECURSION_LIMIT = 32_000
"""The API server takes objects nested 10,000 deep, and both `json` and kopf read them by recursion: with Python's limit
of 1,000 one such object would end the watches of everybody. Copying it takes three levels each."""
STACK_OF_A_LEVEL = 256
"""Bytes of C stack that one level of `json` is given: 130 were measured with CPython 3.11, and a stack that ends is no
exception but a crash. With the usual 8 MiB the limit is the whole one."""


async def run(settings: Settings, *, kubeconfig: Path | None = None, stop: asyncio.Event | None = None) -> int:
    """Run the operator until SIGTERM, until `stop` is set, until the Lease is lost, or until a part of it ends.

    Answers the exit status.

    Raises
    ------
    ControlError
        If there is no cluster to connect to.
    """
    changed = shown(settings)
    said = ", ".join(f"{name}={value}" for name, value in changed.items()) or "none"
    log.info("breakeven %s on Python %s; settings: %s", __version__, platform.python_version(), said)
    sys.setrecursionlimit(recursion_limit())
    gc.set_threshold(*GARBAGE)
    return await _Operator(settings, kubeconfig, stop or asyncio.Event()).run()


def recursion_limit() -> int:
    """Levels that the stack of this process bears, at most `RECURSION_LIMIT`."""
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    bears = RECURSION_LIMIT if stack == resource.RLIM_INFINITY else stack // STACK_OF_A_LEVEL
    return max(sys.getrecursionlimit(), min(RECURSION_LIMIT, bears))


class Background:
    """Tasks that end only when they are told to. The first that ends otherwise ends the process, with its reason."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.failed = False
        """Whether one ended by itself."""
        self.finishing = False
        """Whether they are on their way to the end."""
        self.ending = asyncio.Event()
        """Set when those that wait for it are to end."""
        self._stop = stop

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start one; `name` is for the log."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.finishing or self._stop.is_set():
            return
        error = None if task.cancelled() else task.exception()
        reason = f"{type(error).__name__}: {error}" if error is not None else "it returned"
        log.critical("%s ended unexpectedly, and so does the process: %s", task.get_name(), reason, exc_info=error)
        self.failed = True
        self._stop.set()


class _Operator:
    def __init__(self, settings: Settings, kubeconfig: Path | None, stop: asyncio.Event) -> None:
        self.settings = settings
        self.kubeconfig = kubeconfig
        self.stop = stop
        self.identity = settings.identity or f"{socket.gethostname()}-{secrets.token_hex(3)}"
        self.cache = Cache(Shard.selected_by(settings.resource_selector))
        self.queue = KeyQueue()
        self.registry = CollectorRegistry()
        self.figures = Figures(self.registry)
        self.primed = asyncio.Event()
        self.background = Background(stop)
        self.clock = SystemClock()
        self.past = Remembering(self.figures, self.clock.now) if settings.page_port is not None else None
        self.started = time.monotonic()
        self.listed: float | None = None
        """When everything was last listed, on the monotonic clock."""
        self.priming: float | None = self.started
        """Since when a first complete listing is owed, on the monotonic clock. None: none is."""
        self.watched: float | None = None
        """When the watches were last seen to work: an event came, or a listing had nothing new."""
        self.feed = MetricsFeed(
            FeedSettings(
                url=settings.prometheus_url,
                source=MetricsSource(settings.metrics_source),
                allowed=settings.prometheus_allowed,
                interval_s=settings.prometheus_interval,
                credentials=Credentials(
                    token_file=settings.prometheus_token_file,
                    basic_auth_dir=settings.prometheus_basic_auth_dir,
                    google_file=settings.prometheus_google_file,
                    aws_region=settings.prometheus_aws_region,
                    headers_dir=settings.prometheus_headers_dir,
                    client_tls_dir=settings.prometheus_client_tls_dir,
                ),
                ca_file=settings.prometheus_ca_file,
            ),
            clock=self.clock,
        )

    async def run(self) -> int:
        health = self._health()
        port = await health.start(self.settings.health_host, self.settings.health_port)
        log.info("health and figures on %s:%d", self.settings.health_host, port)
        page = await self._served_page()
        rest = Rest(await connect(self.kubeconfig), heard=self.clock.heard)
        try:
            return await self._lead(rest)
        finally:
            await rest.close()
            if page:
                await page.stop()
            await health.stop()

    async def _served_page(self) -> PageServer | None:
        settings = self.settings
        if self.past is None or settings.page_port is None:
            return None
        site = Site(self.cache, self.past.samples, self.clock.now)
        token_file = None if loopback(settings.page_host) else settings.metrics_token_file
        server = PageServer(site.asked, policy=POLICY, token_file=token_file)
        port = await server.start(settings.page_host, settings.page_port)
        if port is not None:
            log.info("live page on http://%s:%d", settings.page_host, port)
        return server

    def _reconciler(
        self, ports: Ports, smoke_tests: SmokeTests, comparisons: Comparisons, driver: Driver
    ) -> Reconciler:
        check = partial(fitness, denied=self.settings.pod_template_deny)
        core = Core(check=check, decide=decide, render=desired)
        price, currency = self.settings.gpu_hour_price, self.settings.gpu_hour_currency
        gpu_hour = GpuHour(price, currency) if price is not None else None
        return Reconciler(
            cache=self.cache,
            core=core,
            ports=ports,
            smoke_tests=smoke_tests,
            comparisons=comparisons,
            driver=driver,
            gpu_hour=gpu_hour,
        )

    async def _lead(self, rest: Rest) -> int:
        settings = self.settings
        elector = self._elector() if settings.leader_election else None
        cluster, clock = KubernetesCluster(rest, self.cache.slim), self.clock
        ports = Ports(
            cluster=cluster,
            metrics=self.feed,
            events=KubernetesEvents(rest, clock, instance=self.identity),
            leadership=elector or AlwaysLeader(),
            clock=clock,
            recorder=self.past or self.figures,
            switch_key=KeyFile(settings.switch_key_file),
        )
        smoke_tests = SmokeTests(CompletionSmokeTest(), self.queue.add)
        comparisons = Comparisons(GreedyCompletions(), self.queue.add)
        driver = Driver(HttpSwitches(), ports.leadership, clock, self.queue.add)
        reconciler = self._reconciler(ports, smoke_tests, comparisons, driver)
        self.feed.after_cycle = Screening(reconciler.asks, self.queue).screen
        resync = Resync(cluster, self.cache, settings.namespaces)
        workers = Workers(self.queue, reconciler.reconcile, ports.recorder)
        start, ending = self.background.start, self.background.ending
        lost = asyncio.create_task(self._end_when_lost(elector)) if elector else None
        electing = start("the election", elector.run(ending)) if elector else None
        asking = start("the metrics feed", self.feed.run(ending))
        listing = start("listing", self._keep_listed(resync, reconciler, elector))
        working = [start(f"worker {n}", self._work(workers)) for n in range(settings.workers)]

        async def finish(**_: object) -> None:
            """Workers first, then what they use; doing it twice does no harm."""
            self.background.finishing = True
            await self.queue.close()
            await self._drain(working)
            for task in (listing, lost):
                if task:
                    task.cancel()
            ending.set()
            self.stop.set()  # kopf waits five seconds for whoever still waits for it
            await asyncio.gather(smoke_tests.close(), comparisons.close(), driver.close())
            await asyncio.gather(*[t for t in (listing, lost, asking, electing) if t], return_exceptions=True)

        registry = self._handlers()
        # While kopf still runs: what is left when it ends, it waits for and then cancels.
        kopf.on.cleanup(registry=registry, id="finish", errors=kopf.ErrorsMode.PERMANENT)(finish)
        try:
            await kopf.operator(
                registry=registry,
                settings=kopf_settings.settings(grace_s=settings.grace),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                stop_flag=self.stop,
            )
        finally:
            await finish()
        if elector and elector.lost.is_set():
            return LOST_LEASE
        return BACKGROUND_ENDED if self.background.failed else 0

    def _elector(self) -> LeaseThread:
        s = self.settings

        async def own() -> Rest:
            return Rest(await connect(self.kubeconfig), heard=self.clock.heard)

        return LeaseThread(
            own,
            LeaseSettings(
                namespace=s.lease_namespace,
                name=s.lease_name,
                identity=self.identity,
                duration_s=s.lease_duration,
                deadline_s=s.lease_duration * 2 / 3,
                period_s=s.lease_duration / 8,
            ),
        )

    def _handlers(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        login.register(registry, self.kubeconfig)
        watch.register(registry, self.cache, self.queue, self._watches_work)
        return registry

    def _health(self) -> HealthServer:
        self.figures.watch("queue_depth", "Keys that are due and wait for a worker.", lambda: self.queue.depth)
        self.figures.watch("queue_busy", "Keys that are being worked on.", lambda: self.queue.busy)
        self.figures.watch("tasks", "Tasks of the event loop.", lambda: len(asyncio.all_tasks()))
        self.figures.watch("resources", "Resources that exist.", lambda: len(self.cache.resources()))
        self.figures.watch("leader", "1 while this process leads and works.", lambda: float(self.primed.is_set()))
        feed = self.feed.telemetry
        self.figures.watch("prometheus_queries_per_cycle", "Queries last cycle.", lambda: feed.last_cycle_queries)
        self.figures.total("prometheus_queries", "Queries sent.", lambda: feed.queries)
        self.figures.total("prometheus_cycles", "Cycles.", lambda: feed.cycles)
        self.figures.total("prometheus_failed_cycles", "Cycles with a failed query.", lambda: feed.failed_cycles)
        self.figures.watch("prometheus_cycle_seconds", "Duration of the last cycle.", lambda: feed.last_cycle_s)
        listing_s = 3 * self.settings.resync + LIST_LIMIT_S
        ages = (
            Age(name="passes", last=self._last_pass, limit_s=PASS_LIMIT_S),
            Age(
                name="metrics feed",
                last=lambda: self.feed.turned or self.started,
                limit_s=3 * self.settings.prometheus_interval + FEED_LIMIT_S,
            ),
            Age(name="listing", last=lambda: self.listed or self.started, limit_s=listing_s),
            Age(name="priming", last=lambda: self.priming, limit_s=PRIMING_LIMIT_S),
            Age(name="watches", last=lambda: self.watched or self.started, limit_s=listing_s),
        )
        token_file = self.settings.metrics_token_file
        return HealthServer(self.figures.page, ages=ages, ready=self._ready, token_file=token_file)

    def _ready(self) -> bool:
        """A standby is ready: it is there to take over."""
        return self.listed is not None

    def _last_pass(self) -> float | None:
        """Only a process that leads and has something to look at owes passes."""
        return self.figures.last_good_turn if self.primed.is_set() and self.cache.resources() else None

    async def _work(self, workers: Workers) -> None:
        await self.primed.wait()
        await workers.run()

    async def _drain(self, working: list[asyncio.Task[None]]) -> None:
        _, late = await asyncio.wait(working, timeout=self.settings.grace if self.primed.is_set() else 0)
        for task in late:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _end_when_lost(self, elector: LeaseThread) -> None:
        await elector.lost.wait()
        self.stop.set()

    async def _keep_listed(self, resync: Resync, reconciler: Reconciler, elector: LeaseThread | None) -> None:
        """List everything at the start, when this process begins to lead, and then now and again."""
        await self._list(resync, reconciler)
        while elector and not elector.held.is_set():  # a standby keeps its copy current
            self.priming = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.resync):
                    await elector.held.wait()
                self.priming = time.monotonic()
            await self._list(resync, reconciler)
        self.priming = None
        for key in self.cache.resources():
            await self.queue.add(key)
        self.primed.set()
        while True:
            await asyncio.sleep(self.settings.resync)
            await self._list(resync, reconciler)

    async def _list(self, resync: Resync, reconciler: Reconciler) -> None:
        while True:
            try:
                touched = await resync.run()
            except ControlError as error:
                log.warning("listing failed, again in 2 s: %s", error)
                await asyncio.sleep(2)
                continue
            reconciler.with_pod_monitors = resync.pod_monitors
            for key in touched:
                await self.queue.add(key)
            self.listed = time.monotonic()
            if not touched:
                self._watches_work()
            return

    def _watches_work(self) -> None:
        self.watched = time.monotonic()

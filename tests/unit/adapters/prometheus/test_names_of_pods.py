"""How a Prometheus names the series of a pod: prefixes, labels, and servers that match no names by a pattern."""

from typing import Any

import pytest
from tests.support.fake_prometheus import KEY, START, FakePrometheus, moment, pod, query

from breakeven.adapters.prometheus.errors import QueryFailed
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.control.ports import Key, MetricsReading


@pytest.fixture
def prometheus() -> FakePrometheus:
    return FakePrometheus()


@pytest.fixture
def feed(prometheus: FakePrometheus) -> MetricsFeed:
    return MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)


async def reading(feed: MetricsFeed, **names: Any) -> MetricsReading:
    feed.watch(KEY, query({"on": [pod("a")]}, **names))
    await feed.cycle(START + 300)
    return feed.read(KEY, moment(START + 300))


@pytest.mark.parametrize(
    ("namespace", "name", "prefix"),
    [
        ("namespace", "pod", "kserve_vllm:"),
        ("kubernetes_namespace", "kubernetes_pod_name", "vllm:"),
        ("kubernetes_namespace", "pod_name", "vllm:"),
        ("kubernetes_namespace", "pod", "vllm:"),
        ("namespace", "kubernetes_pod", "vllm:"),
        ("k8s_namespace_name", "k8s_pod_name", "vllm_"),
        ("k8s.namespace.name", "k8s.pod.name", "vllm:"),
    ],
)
async def test_prefix_and_label_names_are_detected(
    feed: MetricsFeed, prometheus: FakePrometheus, namespace: str, name: str, prefix: str
) -> None:
    labels = {"instance": "10.0.0.1:8000", namespace: "inference", name: "a"}
    prometheus.run("a", START, START + 300, prefix=prefix, labels=labels)
    assert len((await reading(feed)).arms["on"].batches) >= 3


async def test_a_pod_is_known_by_its_name_before_the_port_of_the_instance(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 300, labels={"namespace": "inference", "instance": "a:8000"})
    prometheus.run("aa", START, START + 300, labels={"namespace": "inference", "instance": "aa:8000"})
    found = (await reading(feed)).arms["on"].batches
    assert {b.totals.generation_tokens for b in found} == {6000.0}
    assert 'instance=~"(a):[0-9]+"' in prometheus.asked[-1]


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("ns", "replica"), ("exported_namespace", "exported_pod"), ("io.kubernetes/ns", "größe"), ("ns", "instance")],
)
async def test_any_label_name_can_be_set(
    feed: MetricsFeed, prometheus: FakePrometheus, namespace: str, name: str
) -> None:
    value = "a:8000" if name == "instance" else "a"
    labels = {"namespace": "monitoring", "pod": "proxy", namespace: "inference", name: value}
    prometheus.run("a", START, START + 300, labels=labels)
    outage = (await reading(feed)).outage
    assert outage is not None
    assert (outage.reason, "spec.metrics.names" in outage.message) == ("NamesUnknown", True)
    for prefix in ("vllm:", None):
        set_names = {"prefix": prefix, "namespace_label": namespace, "pod_label": name}
        fresh = MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)
        assert (await reading(fresh, **set_names)).outage is None
        fresh.close()


@pytest.mark.parametrize(
    "claimed",
    [
        {"exported_namespace": "inference", "exported_pod": "a"},
        {"kubernetes_namespace": "inference", "kubernetes_pod_name": "a"},
        {"k8s.namespace.name": "inference", "k8s.pod.name": "a"},
        {"kubernetes_namespace": "inference"},
    ],
)
@pytest.mark.parametrize("own", [("namespace", "pod"), ("kube_namespace", "kube_pod")])
@pytest.mark.parametrize("first", [True, False])
async def test_an_engine_that_claims_to_be_a_pod_of_another_tenant_is_not_believed(
    feed: MetricsFeed, prometheus: FakePrometheus, claimed: dict[str, str], own: tuple[str, str], first: bool
) -> None:
    honest = {own[0]: "inference", own[1]: "a", "instance": "10.0.0.1:8000"}
    forged = {own[0]: "elsewhere", own[1]: "a", "instance": "10.0.0.0:8000", **claimed}
    if first:
        prometheus.run("a", START, START + 300, labels=forged, seconds=1e6)
    prometheus.run("a", START, START + 300, labels=honest)
    if not first:
        prometheus.run("a", START, START + 300, labels=forged, seconds=1e6)
    batches = (await reading(feed)).arms["on"].batches
    assert {b.totals.generation_tokens for b in batches} == {6000.0}
    assert all(b.totals.step_seconds is not None and 0 < b.totals.step_seconds < 1000 for b in batches)


async def test_a_recording_rule_with_another_prefix_is_not_preferred(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 300)
    labels = {"namespace": "inference", "pod": "a"}
    for at in range(0, 301, 15):
        prometheus.put("agg:vllm:generation_tokens_total", labels, START + at, at * 100.0)
    batches = (await reading(feed)).arms["on"].batches
    assert batches[-1].totals.steps == 3000
    assert batches[-1].totals.drafts == 3000


@pytest.mark.parametrize("by_pattern", [True, False])
async def test_a_counter_under_two_names_is_counted_once(
    feed: MetricsFeed, prometheus: FakePrometheus, by_pattern: bool
) -> None:
    prometheus.names_by_pattern = by_pattern
    prometheus.run("a", START, START + 300)
    for series, samples in list(prometheus.series.items()):
        labels = dict(series)
        name = labels.pop("__name__")
        for at, value in samples:  # Ray exports each counter a second time, as a gauge without _total
            if name.endswith("_total"):
                prometheus.put(name.removesuffix("_total"), labels, at, value)
    newest = (await reading(feed)).arms["on"].batches[-1].totals
    assert (newest.generation_tokens, newest.drafts, newest.finished) == (6000.0, 3000.0, 60.0)


@pytest.mark.parametrize("by_pattern", [False, None])
async def test_where_names_are_not_matched_by_a_pattern_each_is_asked_for_and_that_is_remembered(
    feed: MetricsFeed, prometheus: FakePrometheus, by_pattern: bool | None
) -> None:
    prometheus.names_by_pattern = by_pattern
    prometheus.run("a", START, START + 600)
    assert len((await reading(feed)).arms["on"].batches) >= 3
    prometheus.asked.clear()
    await feed.cycle(START + 315)
    assert feed.read(KEY, moment(START + 315)).outage is None
    assert not any("__name__=~" in text for text in prometheus.asked)
    assert 'vllm:generation_tokens_total{namespace=~"inference",pod=~"a"}' in prometheus.asked[0]


async def test_a_server_that_refuses_everything_is_asked_once_more_and_its_own_words_are_given(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.fails = QueryFailed("HTTP 422: too many samples", 422)
    outage = (await reading(feed)).outage
    assert outage is not None
    assert outage.message == "HTTP 422: too many samples"
    assert len(prometheus.asked) == 2


async def test_two_resources_with_their_own_prefixes_are_both_read(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 300)
    prometheus.run("b", START, START + 300, prefix="kserve_vllm:")
    feed.watch(Key("inference", "other"), query({"on": [pod("b")]}))
    assert (await reading(feed)).outage is None
    assert feed.read(Key("inference", "other"), moment(START + 300)).outage is None

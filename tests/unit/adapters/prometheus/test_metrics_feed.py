"""The feed on a Prometheus that is played by plain values: what is asked, what comes out, what is an outage."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.fake_prometheus import KEY, START, FakePrometheus, moment, pod, query

from breakeven.adapters.prometheus import endpoint_feed
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import PartialData, Unreachable
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.control.ports import Key


@pytest.fixture
def prometheus() -> FakePrometheus:
    return FakePrometheus()


@pytest.fixture
def feed(prometheus: FakePrometheus) -> MetricsFeed:
    return MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)


async def test_batches_of_two_replicas_are_added_up_and_aligned_to_the_clock(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 900)
    prometheus.run("b", START + 3, START + 900, rate=50.0)
    feed.watch(KEY, query({"on": [pod("a"), pod("b")]}))
    await feed.cycle(START + 900)
    reading = feed.read(KEY, moment(START + 900))
    assert reading.outage is None
    arm = reading.arms["on"]
    assert (arm.ready, arm.scraped, reading.scrape_interval) == (2, 2, 15.0)
    assert all(b.start % 60 == 0 and b.end - b.start == 60 and b.replicas == 2 for b in arm.batches)
    assert len(arm.batches) >= 10
    assert arm.batches[-1].totals.generation_tokens == 60 * 150
    assert arm.batches[-1].gauges.running == 4


async def test_the_number_of_queries_does_not_depend_on_the_number_of_resources(prometheus: FakePrometheus) -> None:
    asked = {}
    for count in (1, 300):
        feed = MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)
        for i in range(count):
            prometheus.run(f"p{i}", START, START + 90)
            feed.watch(Key("inference", f"r{i}"), query({"on": [pod(f"p{i}")]}, history=timedelta(minutes=1)))
        await feed.cycle(START + 60)
        prometheus.asked.clear()
        await feed.cycle(START + 75)
        await feed.cycle(START + 90)
        asked[count] = len(prometheus.asked)
        assert feed.read(Key("inference", f"r{count - 1}"), moment(START + 90)).outage is None
        feed.close()
    assert asked == {1: 2, 300: 2}


async def test_every_replica_is_told_apart_without_another_query(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    for at in range(0, 901, 15):
        prometheus.engine("a", START + at, at * 100.0)
        prometheus.engine("b", START + at, at * 50.0, accepted=at * 5.0)
    feed.watch(KEY, query({"on": [pod("b"), pod("a")]}))
    await feed.cycle(START + 885)
    await feed.cycle(START + 900)
    assert feed.telemetry.last_cycle_queries == 1
    newest = feed.read(KEY, moment(START + 900)).arms["on"].batches[-1]
    assert [(s.replica, s.drafted, s.accepted) for s in newest.shares] == [("a", 12000.0, 3000.0), ("b", 6000.0, 300.0)]
    assert newest.totals.accepted == 3300.0


def warm(engine: str, **changes: Any) -> dict[str, Any]:
    labels = {"namespace": "inference", "pod": "a", "engine": "0", "model_name": "m", "job": "vllm"}
    return {"labels": {**labels, "breakeven_variant": engine}, **changes}


async def test_two_engines_of_one_pod_are_two_arms_whose_counters_never_mix(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    for at in range(0, 901, 15):
        # Half of each minute one sleeps and its counters stand still.
        turns, into = divmod(at, 60)
        prometheus.engine("a", START + at, turns * 3000.0 + 100.0 * min(into, 30), **warm("off"))
        prometheus.engine("a", START + at, turns * 6000.0 + 200.0 * max(0, into - 30), **warm("on"))
    feed.watch(KEY, query({name: [replace(pod("a"), engine=name)] for name in ("off", "on")}))
    await feed.cycle(START + 885)
    await feed.cycle(START + 900)
    reading = feed.read(KEY, moment(START + 900))
    assert reading.outage is None
    tokens = {name: arm.batches[-1].totals.generation_tokens for name, arm in reading.arms.items()}
    assert tokens == {"off": 3000.0, "on": 6000.0}
    assert {name: arm.batches[-1].replicas for name, arm in reading.arms.items()} == {"off": 0.5, "on": 0.5}
    assert [share.replica for share in reading.arms["on"].batches[-1].shares] == ["a"]
    assert [arm.scraped for arm in reading.arms.values()] == [1, 1]


async def test_an_engine_that_sleeps_all_the_time_is_no_outage(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    for at in range(0, 901, 15):
        prometheus.engine("a", START + at, 500.0, **warm("off"))
        prometheus.engine("a", START + at, at * 100.0, **warm("on"))
    feed.watch(KEY, query({name: [replace(pod("a"), engine=name)] for name in ("off", "on")}))
    await feed.cycle(START + 900)
    reading = feed.read(KEY, moment(START + 900))
    assert reading.outage is None
    assert list(reading.arms["off"].batches) == []
    assert reading.arms["on"].batches[-1].replicas == 1


async def test_an_engine_that_was_loaded_anew_begins_to_count_again(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    for at in range(0, 901, 15):
        prometheus.engine("a", START + at, at * 100.0, **warm("off"))
        prometheus.engine("a", START + at, (at - 600 if at >= 600 else at) * 100.0, **warm("on"))
    feed.watch(KEY, query({name: [replace(pod("a"), engine=name)] for name in ("off", "on")}))
    await feed.cycle(START + 900)
    arms = feed.read(KEY, moment(START + 900)).arms
    assert all(b.totals.generation_tokens == 6000 for b in arms["off"].batches)
    assert all(0 <= (b.totals.generation_tokens or 0) <= 6000 for b in arms["on"].batches)


async def test_one_replica_alone_has_no_siblings(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 900)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 900)
    assert feed.read(KEY, moment(START + 900)).arms["on"].batches[-1].shares == ()


def with_histogram(prometheus: FakePrometheus, pod: str, start: float, end: float) -> None:
    """One request a second that takes 20 ms a token, beside the counters."""
    prometheus.run(pod, start, end)
    labels = {"namespace": "inference", "pod": pod, "engine": "0", "model_name": "m", "job": "vllm"}
    at = start
    while at <= end:
        for bound in ("0.01", "0.03", "+Inf"):
            count = 0.0 if bound == "0.01" else at - START
            prometheus.put("vllm:request_time_per_output_token_seconds_bucket", {**labels, "le": bound}, at, count)
        at += 15


@pytest.mark.parametrize("offset", [0.0, 4.0, 14.9])
async def test_histograms_are_read_around_the_ends_of_batches_only_and_every_batch_has_them(
    prometheus: FakePrometheus, feed: MetricsFeed, offset: float
) -> None:
    with_histogram(prometheus, "a", START + offset, START + 900)
    feed.watch(KEY, query({"on": [pod("a", started=START)]}, buckets=True))
    await feed.cycle(START + 61)
    prometheus.asked.clear()
    for i in range(1, 41):
        await feed.cycle(START + 61 + 15 * i)
        assert feed.telemetry.last_cycle_queries <= 2
    asked = [text for text in prometheus.asked if "bucket" in text]
    assert len(prometheus.asked) - len(asked) == 40
    assert len(asked) <= 22
    batches = feed.read(KEY, moment(START + 661)).arms["on"].batches
    assert len(batches) == 10 - (offset > 0)
    assert {batch.totals.tpot_buckets for batch in batches} == {((0.01, 0.0), (0.03, 60.0), (float("inf"), 60.0))}


async def test_only_pods_whose_histograms_are_wanted_are_named(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    for name in ("a", "b"):
        with_histogram(prometheus, name, START, START + 120)
    feed.watch(KEY, query({"on": [pod("a", started=START)]}, buckets=True))
    feed.watch(Key("inference", "other"), query({"on": [pod("b", started=START)]}))
    await feed.cycle(START + 60)
    await feed.cycle(START + 75)
    bucket = [text for text in prometheus.asked if "bucket" in text]
    assert bucket and all('pod=~"a"' in text for text in bucket)


async def test_live_controls_take_turns_and_a_cycle_asks_no_more_for_many_than_for_one(
    prometheus: FakePrometheus,
) -> None:
    asked: dict[int, int] = {}
    for count in (1, 60):
        feed = MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)
        for i in range(count):
            pods = [pod(f"r{i}-{n}", started=START) for n in range(4)]
            feed.watch(Key("inference", f"r{i}"), query({"on": pods[:3], "off": pods[3:]}, buckets_if_room=True))
            for each in pods:
                with_histogram(prometheus, each.name, START, START + 120)
        await feed.cycle(START + 50)
        prometheus.asked.clear()
        await feed.cycle(START + 65)
        asked[count] = len(prometheus.asked)
        (bucket,) = [text for text in prometheus.asked if "bucket" in text]
        assert 0 < len(set(re.findall(r"r\d+-\d", bucket))) <= 100
        feed.close()
    assert asked == {1: 2, 60: 2}


async def test_a_restarted_operator_cuts_the_same_batches(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START + 4, START + 1200, rate=97.3)
    want = query({"on": [pod("a")]})
    feed.watch(KEY, want)
    for at in range(300, 1201, 15):
        await feed.cycle(START + at)
    again = MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect)
    again.watch(KEY, want)
    await again.cycle(START + 1200)
    now = moment(START + 1200)
    assert again.read(KEY, now).arms == feed.read(KEY, now).arms
    assert len(feed.read(KEY, now).arms["on"].batches) >= 10
    again.close()


async def test_hours_of_past_are_read_by_the_ends_of_batches_and_are_what_every_scrape_would_have_given(
    prometheus: FakePrometheus,
) -> None:
    """With a restart and a gap in it, four hours of past take two questions, and one for the names."""
    end = START + 14_400 + 7
    prometheus.run("a", START + 4, START + 5000, rate=97.3)
    prometheus.run("a", START + 5300, end, rate=91.7, born=START + 5290)
    prometheus.run("b", START + 11, START + 9000, rate=60.0)
    prometheus.run("b", START + 9090, end, rate=60.0)
    want = query({"on": [pod("a"), pod("b")]}, history=timedelta(hours=4), warmup=timedelta(seconds=60))
    step_by_step, at_once = (
        MetricsFeed(FeedSettings(url="http://prometheus:9090"), prometheus.connect) for _ in range(2)
    )
    step_by_step.watch(KEY, want)
    for at in range(60, 14_400, 60):
        await step_by_step.cycle(START + at)
    await step_by_step.cycle(end)
    prometheus.asked.clear()
    at_once.watch(KEY, want)
    await at_once.cycle(end)
    assert len(prometheus.asked) == 3
    arms = step_by_step.read(KEY, moment(end)).arms
    assert at_once.read(KEY, moment(end)).arms == arms
    assert len(arms["on"].batches) > 200
    step_by_step.close()
    at_once.close()


async def test_a_past_that_is_refused_is_done_without(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.subqueries = False
    prometheus.run("a", START + 4, START + 3690)
    feed.watch(KEY, query({"on": [pod("a")]}, history=timedelta(hours=1)))
    await feed.cycle(START + 3600)
    outage = feed.read(KEY, moment(START + 3600)).outage
    assert outage is not None
    assert "subqueries are not supported" in outage.message
    await feed.cycle(START + 3615)
    reading = feed.read(KEY, moment(START + 3615))
    assert reading.outage is None
    assert 5 <= len(reading.arms["on"].batches) <= 7


async def test_a_pod_scraped_by_two_jobs_counts_once(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    for job in ("podmonitor", "annotations"):
        labels = {"namespace": "inference", "pod": "a", "job": job}
        prometheus.run("a", START + (5 if job == "annotations" else 0), START + 300, labels=labels)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    batches = feed.read(KEY, moment(START + 300)).arms["on"].batches
    assert {b.totals.generation_tokens for b in batches} == {6000.0}


async def test_data_parallel_ranks_are_added_up(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    for rank in ("0", "1"):
        prometheus.run(
            "a", START, START + 300, labels={"namespace": "inference", "pod": "a", "engine": rank, "model_name": "m"}
        )
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    batches = feed.read(KEY, moment(START + 300)).arms["on"].batches
    assert {b.totals.generation_tokens for b in batches} == {12000.0}
    assert {b.totals.finished for b in batches} == {120.0}


async def test_values_that_are_no_numbers_never_become_values(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 300)
    for samples in prometheus.series.values():
        at, _ = samples[8]
        samples[8] = (at, "NaN")
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    batches = feed.read(KEY, moment(START + 300)).arms["on"].batches
    assert [b.totals.generation_tokens for b in batches if b.start == START + 180] == [6000.0]
    for batch in batches:
        if batch.start in (START + 60, START + 120):
            assert batch.totals.generation_tokens is None


async def test_an_outage_is_reported_from_its_beginning_and_forgotten_after(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 420)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    prometheus.fails = Unreachable("prometheus:9090 cannot be reached: connection refused")
    for at in (315, 330, 345):
        await feed.cycle(START + at)
    reading = feed.read(KEY, moment(START + 345))
    assert reading.arms == {}
    assert reading.outage is not None
    assert reading.outage.reason == "PrometheusUnreachable"
    assert reading.outage.since == moment(START + 315)
    prometheus.fails = None
    await feed.cycle(START + 420)
    recovered = feed.read(KEY, moment(START + 420))
    assert recovered.outage is None
    assert [b.start - START for b in recovered.arms["on"].batches] == [0, 60, 120, 180, 240, 300]


async def test_one_failed_cycle_holds_nobody(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 420)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    before = feed.read(KEY, moment(START + 300))
    prometheus.fails = Unreachable("prometheus:9090 cannot be reached: connection refused")
    await feed.cycle(START + 315)
    reading = feed.read(KEY, moment(START + 315))
    assert reading.outage is None
    assert reading.arms["on"].batches == before.arms["on"].batches
    assert feed.telemetry.failed_cycles == 1
    await feed.cycle(START + 330)
    assert feed.read(KEY, moment(START + 330)).outage is not None
    prometheus.fails = None
    await feed.cycle(START + 345)
    prometheus.fails = Unreachable("prometheus:9090 cannot be reached: connection refused")
    await feed.cycle(START + 360)
    assert feed.read(KEY, moment(START + 360)).outage is None


async def test_partial_results_are_an_outage_and_are_read_again(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 300)
    feed.watch(KEY, query({"on": [pod("a")]}))
    prometheus.fails = PartialData("answers in part")
    await feed.cycle(START + 200)
    outage = feed.read(KEY, moment(START + 200)).outage
    assert outage is not None
    assert outage.reason == "PartialData"
    prometheus.fails = None
    await feed.cycle(START + 300)
    assert len(feed.read(KEY, moment(START + 300)).arms["on"].batches) >= 3


async def test_a_gap_in_the_samples_leaves_its_batches_out(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 120)
    prometheus.run("a", START + 360, START + 600)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 600)
    starts = [b.start - START for b in feed.read(KEY, moment(START + 600)).arms["on"].batches]
    # What was counted at 120 is the newest before the gap: the past does not show whether it served until then.
    assert starts == [0, 360, 420, 480]


async def test_old_samples_are_stale_not_evidence(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 300)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    await feed.cycle(START + 480)
    outage = feed.read(KEY, moment(START + 480)).outage
    assert outage is not None
    assert outage.reason == "Stale"
    assert "180 s old" in outage.message


async def test_half_of_the_ready_pods_unscraped_is_an_outage(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 300)
    feed.watch(KEY, query({"on": [pod("a"), pod("b")]}))
    await feed.cycle(START + 300)
    outage = feed.read(KEY, moment(START + 300)).outage
    assert outage is not None
    assert (outage.reason, "missing b" in outage.message) == ("PodsUnscraped", True)


async def test_no_series_at_all_asks_for_a_pod_monitor(feed: MetricsFeed) -> None:
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 300)
    outage = feed.read(KEY, moment(START + 300)).outage
    assert outage is not None
    assert (outage.reason, "PodMonitor" in outage.message) == ("NoData", True)


async def test_a_pod_that_just_became_ready_is_not_missed_yet(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 300)
    feed.watch(KEY, query({"off": [pod("a")], "on": [pod("b", ready=START + 290, started=START + 200)]}))
    await feed.cycle(START + 300)
    reading = feed.read(KEY, moment(START + 300))
    assert reading.outage is None
    assert reading.arms["on"].batches == ()
    assert (reading.arms["on"].ready, reading.arms["on"].scraped) == (1, 0)


async def test_addresses_outside_the_allow_list_are_not_asked(prometheus: FakePrometheus) -> None:
    settings = FeedSettings(url="http://own:9090", allowed=("https://thanos.example/team-a",))
    feed = MetricsFeed(settings, prometheus.connect)
    refused = (
        "http://169.254.169.254",
        "https://thanos.example",
        "https://thanos.example/team-ab",
        "https://thanos.example/team-a/../team-b",
        "https://thanos.example/team-a/%2e%2e/team-b",
        "http://thanos.example/team-a",
    )
    for url in refused:
        feed.watch(KEY, query({"on": [pod("a")]}, url=url))
        await feed.cycle(START)
        outage = feed.read(KEY, moment(START)).outage
        assert outage is not None
        assert outage.reason == ("PrometheusNotAllowed" if url else "NoPrometheus"), url
    assert prometheus.asked == []
    feed.watch(KEY, query({"on": [pod("a")]}, url="https://thanos.example/team-a"))
    await feed.cycle(START)
    assert prometheus.asked
    feed.close()


async def test_credentials_go_to_the_operators_own_address_only(prometheus: FakePrometheus, tmp_path: Any) -> None:
    own = Credentials(token_file=tmp_path / "token", headers_dir=tmp_path, client_tls_dir=tmp_path)
    settings = FeedSettings(url="http://own:9090", allowed=("http://other:9090",), credentials=own)
    feed = MetricsFeed(settings, prometheus.connect)
    feed.watch(Key("a", "own"), query({"on": [pod("a")]}))
    feed.watch(Key("a", "other"), query({"on": [pod("b")]}, url="http://other:9090"))
    await feed.cycle(START)
    assert {e.url: e.credentials for e in prometheus.endpoints} == {
        "http://own:9090": own,
        "http://other:9090": Credentials(),
    }
    feed.close()


async def test_what_nobody_asked_for_is_starting_not_an_error(feed: MetricsFeed) -> None:
    outage = feed.read(KEY, moment(START)).outage
    assert outage is not None
    assert outage.reason == "Starting"


async def test_a_forgotten_resource_costs_no_query(feed: MetricsFeed, prometheus: FakePrometheus) -> None:
    prometheus.run("a", START, START + 60)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 30)
    feed.forget(KEY)
    prometheus.asked.clear()
    await feed.cycle(START + 60)
    assert prometheus.asked == []


async def test_what_went_by_while_a_long_past_was_read_is_read_before_anything_is_judged(
    feed: MetricsFeed, prometheus: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_feed, "monotonic", lambda: 60.0 * len(prometheus.asked))  # each query takes a minute
    prometheus.run("a", START, START + 1800)
    feed.watch(KEY, query({"on": [pod("a")]}))
    await feed.cycle(START + 900)
    late = START + 900 + 60.0 * (len(prometheus.asked) - 1)
    assert late > START + 900 + 100
    reading = feed.read(KEY, moment(late))
    assert reading.outage is None
    assert reading.arms["on"].scraped == 1


async def test_each_cycle_tells_which_resources_have_another_reading_even_when_it_fails(
    feed: MetricsFeed, prometheus: FakePrometheus
) -> None:
    prometheus.run("a", START, START + 300)
    told: list[list[Key]] = []

    async def hear(keys: Sequence[Key]) -> None:
        told.append(list(keys))

    feed.after_cycle = hear
    feed.watch(KEY, query({"v": [pod("a")]}))
    await feed.cycle(START + 300)
    prometheus.fails = Unreachable("x")
    await feed.cycle(START + 315)
    assert told == [[KEY], [KEY]]

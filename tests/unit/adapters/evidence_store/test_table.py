"""Scrapes taken as one table leave the history that they would have left one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.past import past_of
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.evidence_store.table import table_of
from breakeven.adapters.prometheus.promql import Column, scrapes
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.vllm_metrics import Series

LENGTH, INTERVAL = 60.0, 15.0
BEGIN = 30_000_000 * LENGTH
NAMES = (
    Series(vllm_metrics.ANCHOR),
    Series("inter_token_latency_seconds_sum"),
    Series(vllm_metrics.FINISHED, "stop"),
    Series(vllm_metrics.FINISHED, "length"),
    Series(vllm_metrics.PER_POSITION, "0"),
    Series("time_to_first_token_seconds_bucket", "0.5"),
    Series("time_to_first_token_seconds_bucket", "+Inf"),
    Series("num_requests_running"),
    Series("num_requests_waiting"),
    Series("kv_cache_usage_perc"),
)
GREW = st.lists(st.sampled_from([0, 1, 0.25, 70_000, 2**33]), min_size=len(NAMES), max_size=len(NAMES))


def columns(grew: list[list[float]], restarts: set[int], missing: set[int], begin: float = BEGIN) -> list[Column]:
    """One scrape an interval, some of them missing, some after a restart."""
    sums, there = [0.0] * len(NAMES), {}
    for n, steps in enumerate(grew):
        sums = [0.0 if n in restarts else a + b for a, b in zip(sums, steps, strict=True)]
        if n not in missing:
            there[begin + n * INTERVAL] = sums
    times = tuple(there)
    return [Column(name, times, tuple(v[i] for v in there.values())) for i, name in enumerate(NAMES)]


def history() -> ReplicaHistory:
    return ReplicaHistory(length=LENGTH, since=BEGIN, shapes=Shapes())


def told(one: ReplicaHistory) -> tuple[object, ...]:
    """All that anybody asks of a history."""
    tail: list[Scrape] = list(one.tail)
    return dict(one.pieces), one.restarts, one.newest, one.interval, one.until, tail, one.tail.times


@settings(max_examples=150, deadline=None)
@given(
    st.lists(GREW, min_size=3, max_size=50),
    st.sets(st.integers(0, 49), max_size=2),
    st.sets(st.integers(0, 49), max_size=8),
    st.integers(0, 40),
)
def test_taken_at_once_or_one_by_one_they_leave_the_same(
    grew: list[list[float]], restarts: set[int], missing: set[int], later: int
) -> None:
    """With restarts and missed scrapes, and with what is read later put behind either."""
    every = columns(grew, restarts, missing)
    if not every[0].times:
        return
    read = max(1, len(every[0].times) - later)
    first = [Column(c.series, c.times[:read], c.values[:read]) for c in every]
    table = table_of(first)
    assert table is not None
    at_once, one_by_one = history(), history()
    at_once.take(table)
    one_by_one.add(scrapes(first))
    assert told(at_once) == told(one_by_one)
    for scrape in scrapes(every)[read - 2 :]:  # the newest are read again
        at_once.add([scrape])
        one_by_one.add([scrape])
    assert told(at_once) == told(one_by_one)


@settings(max_examples=50, deadline=None)
@given(st.lists(GREW, min_size=30, max_size=60), st.integers(12, 28), st.integers(0, 3))
def test_after_a_gap_whose_past_was_read_nothing_counts_twice(grew: list[list[float]], gap: int, overlap: int) -> None:
    """The newest scrapes come as a table that begins before what was known."""
    every = columns(grew, set(), set())
    before = [Column(c.series, c.times[:10], c.values[:10]) for c in every]
    after = [Column(c.series, c.times[gap - overlap :], c.values[gap - overlap :]) for c in every]
    ends = [Column(c.series, c.times[::4], c.values[::4]) for c in every]
    since, until = int(BEGIN // LENGTH) + 2, int((BEGIN + gap * INTERVAL) // LENGTH)
    at_once, one_by_one = history(), history()
    table = table_of(after)
    assert table is not None
    for each in (at_once, one_by_one):
        each.add(scrapes(before))
        each.take_past(past_of(ends, length=LENGTH, since=since, until=until))
    at_once.take(table)
    one_by_one.add(scrapes(after))
    assert told(at_once) == told(one_by_one)


def test_a_page_that_is_put_together_in_a_less_simple_way_makes_no_table() -> None:
    simple = columns([[1.0] * len(NAMES)] * 4, set(), set())
    times, values = simple[0].times, simple[0].values
    assert table_of(simple) is not None
    for odd in (
        Column(NAMES[0], times, values),  # a second rank
        Column(Series("prompt_tokens"), times[1:], values[1:]),  # exported later than the others
        Column(Series("prompt_tokens"), times, (float("nan"), *values[1:])),
        Column(Series("prompt_tokens"), times, (-1.0, *values[1:])),
        Column(Series(vllm_metrics.V0_ONLY), times, values),
        Column(Series("prompt_tokens", bare=True), times, values),
    ):
        assert table_of([*simple, odd]) is None
    assert table_of(simple[1:]) is None  # no count of emitted tokens: no scrapes of an engine

"""What is read at the ends of batches gives the pieces that every scrape would have given."""

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.adapters.evidence_store.packed_pieces import PackedPieces, Rows, Shapes
from breakeven.adapters.evidence_store.past import Past, past_of
from breakeven.adapters.prometheus.promql import Column, scrapes
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.batches import Piece, cut
from breakeven.domain.counters.vllm_metrics import Series

LENGTH = 60.0
FIRST = 30_000_000
NAMES = (
    Series(vllm_metrics.ANCHOR),
    Series("inter_token_latency_seconds_sum"),
    Series(vllm_metrics.FINISHED, "stop"),
    Series(vllm_metrics.FINISHED, "length"),
    Series(vllm_metrics.FINISHED, "abort"),
    Series(vllm_metrics.PER_POSITION, "0"),
    Series(vllm_metrics.PER_POSITION, "1"),
    Series("time_to_first_token_seconds_bucket", "0.5"),
    Series("time_to_first_token_seconds_bucket", "+Inf"),
    Series("num_requests_running"),
    Series("prefix_cache_queries"),
    Series("gpu_prefix_cache_queries"),
)
STEPS = st.lists(st.integers(0, 70_000) | st.sampled_from([0, 0.25, 2**33]), min_size=len(NAMES), max_size=len(NAMES))
"""What each series grew by in one batch."""


def columns(there: dict[int, list[float]], names: tuple[Series, ...]) -> list[Column]:
    """The values at the ends that are there."""
    times = tuple(n * LENGTH for n in sorted(there))
    return [Column(name, times, tuple(there[n][i] for n in sorted(there))) for i, name in enumerate(names)]


def kept(past: Past) -> dict[int, Piece]:
    """All its pieces."""
    found = PackedPieces(Shapes())
    for each in past.pieces:
        if isinstance(each, Rows):
            found.put_all(each)
        else:
            found.put(*each)
    return dict(found)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(STEPS, min_size=3, max_size=12),
    st.sets(st.integers(0, 11), max_size=3),
    st.sets(st.integers(0, 11), max_size=1),
    st.sampled_from(NAMES[1:]),
    st.booleans(),
)
def test_subtracted_at_once_or_scrape_by_scrape_they_are_the_same(
    grew: list[list[float]], missing: set[int], restarts: set[int], absent: Series, ranks: bool
) -> None:
    """With scrapes that are missing, a restart, a series that the engine has not, and two data-parallel ranks."""
    sums, there = [0.0] * len(NAMES), {}
    for n, steps in enumerate(grew):
        sums = [0.0 if n in restarts else a + b for a, b in zip(sums, steps, strict=True)]
        there[FIRST + n] = list(sums)
    there = {n: v for n, v in there.items() if n - FIRST not in missing}
    if not there:
        return
    every = [c for c in columns(there, NAMES) if c.series != absent]
    if ranks:
        every += [Column(c.series, c.times, c.values) for c in every]
    until = FIRST + len(grew) - 2
    past = past_of(every, length=LENGTH, since=FIRST + 1, until=until)
    expected = cut(scrapes(every), length=LENGTH, interval=0.0, since=FIRST + 1)
    assert kept(past) == {n: p for n, p in expected.pieces.items() if n < until}
    assert past.restarts == tuple(r for r in expected.restarts if r <= until * LENGTH)
    assert past.until == until


def test_a_batch_whose_end_was_not_scraped_is_no_longer_one() -> None:
    there = {FIRST + n: [100.0 * n] * len(NAMES) for n in (0, 1, 3, 4, 5)}
    past = past_of(columns(there, NAMES), length=LENGTH, since=FIRST, until=FIRST + 4)
    assert sorted(kept(past)) == [FIRST, FIRST + 3]

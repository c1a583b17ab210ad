"""What is packed comes back to the last bit, and batches made late are the batches made at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.adapters.evidence_store.arm_batches import ArmBatches, BatchStore
from breakeven.adapters.evidence_store.packed_pieces import PackedPieces, Shapes
from breakeven.adapters.evidence_store.packed_scrapes import PackedScrapes
from breakeven.domain.counters.assembly import SCALARS
from breakeven.domain.counters.batches import Piece, Replica, combine
from breakeven.domain.counters.observation import Buckets, Gauges, Scrape, Totals

COUNTS = st.none() | st.floats(0, 1e12) | st.integers(0, 2**33).map(float)
INF = float("inf")
HISTOGRAMS: st.SearchStrategy[Buckets] = st.sampled_from(
    [(), ((0.1, 3.0), (INF, 4.0)), ((0.1, 5.0), (INF, 9.0)), ((0.1, 1.0), (0.2, 2.0), (INF, 2.0))]
)
PIECES = st.builds(
    lambda counts, positions, ttft, tpot, running: Piece(
        totals=Totals(
            **dict(zip(SCALARS, counts, strict=True)),
            accepted_at=tuple(positions),
            ttft_buckets=ttft,
            tpot_buckets=tpot,
        ),
        gauges=Gauges(running=running),
    ),
    st.lists(COUNTS, min_size=len(SCALARS), max_size=len(SCALARS)),
    st.lists(st.floats(0, 1e9), max_size=5),
    HISTOGRAMS,
    HISTOGRAMS,
    COUNTS,
)


def packed(pieces: dict[int, Piece]) -> PackedPieces:
    found = PackedPieces(Shapes())
    for n, piece in sorted(pieces.items()):
        found.put(n, piece)
    return found


@settings(max_examples=60)
@given(st.dictionaries(st.integers(100, 130), PIECES, max_size=12), st.integers(90, 140))
def test_pieces_come_back_as_they_were_and_old_ones_go(pieces: dict[int, Piece], first: int) -> None:
    found = packed(pieces)
    assert dict(found) == pieces
    assert len(found) == len(pieces)
    found.prune(first)
    assert dict(found) == {n: p for n, p in pieces.items() if n >= first}
    assert all((n in found) == (n in pieces and n >= first) for n in range(80, 150))


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.0, 1.5, 2.0**32 - 1, 2.0**32, None]), max_size=30), st.integers(0, 40))
def test_counters_may_turn_fractional_or_large_between_batches(steps: list[float | None], first: int) -> None:
    pieces = {n: Piece(totals=Totals(steps=v, drafts=3.0), gauges=Gauges()) for n, v in enumerate(steps)}
    found = packed(pieces)
    assert dict(found) == pieces
    assert all(type(p.totals.drafts) is float for p in found.values())
    found.prune(first)
    assert dict(found) == {n: p for n, p in pieces.items() if n >= first}


def test_what_comes_after_everything_was_forgotten_is_kept() -> None:
    found = packed({3: Piece(totals=Totals(steps=1.0), gauges=Gauges())})
    found.prune(100)
    found.put(105, Piece(totals=Totals(steps=2.0), gauges=Gauges()))
    assert {n: p.totals.steps for n, p in found.items()} == {105: 2.0}


@settings(max_examples=60)
@given(
    st.lists(st.sets(st.integers(0, 29), max_size=30), min_size=1, max_size=4),
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
)
def test_batches_made_step_by_step_are_those_made_at_once(there: list[set[int]], ends: list[int]) -> None:
    replicas = [
        Replica(
            name=f"r{i}",
            ready_since=0.0,
            pieces=packed({n: Piece(totals=Totals(steps=float(n + i)), gauges=Gauges()) for n in numbers}),
            serial=i,
        )
        for i, numbers in enumerate(there)
    ]
    arm = ArmBatches(BatchStore())
    for end in sorted(ends):
        numbers = range(max(0, end - 20), end)
        batches = arm.batches(replicas, length=60, warmup=0, numbers=numbers, firm=end)
        expected = combine(replicas, length=60, warmup=0, numbers=numbers)
        assert tuple(batches) == expected
        assert batches[-5:] == expected[-5:]
        assert len(batches) == len(expected)


def test_a_batch_that_is_not_firm_is_looked_at_again() -> None:
    pieces = packed({0: Piece(totals=Totals(steps=1.0), gauges=Gauges())})
    replica = Replica(name="a", ready_since=0.0, pieces=pieces)
    arm = ArmBatches(BatchStore())
    assert [b.start for b in arm.batches([replica], length=60, warmup=0, numbers=range(2), firm=1)] == [0]
    pieces.put(1, Piece(totals=Totals(steps=2.0), gauges=Gauges()))
    assert [b.start for b in arm.batches([replica], length=60, warmup=0, numbers=range(2), firm=2)] == [0, 60]


def test_scrapes_that_were_packed_come_back_as_they_were() -> None:
    scrapes = [
        Scrape(at=15.0 * n, totals=Totals(steps=1e10 + n, drafts=n / 3), gauges=Gauges(running=4)) for n in range(9)
    ]
    kept = PackedScrapes(Shapes())
    for scrape in scrapes[:6]:
        kept.append(scrape)
    kept.prune(16.0)
    assert list(kept) == scrapes[2:6]
    for scrape in scrapes[6:]:
        kept.append(scrape)
    kept.prune(75.0)
    assert list(kept) == scrapes[5:]
    assert (list(kept[1:3]), kept[-1], kept.times[0]) == (scrapes[6:8], scrapes[8], 75.0)

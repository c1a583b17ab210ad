"""Scrapes cut into pieces of a replica and batches of an arm."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.domain.counters.batches import Piece, Replica, combine, cut, interval_of, level
from breakeven.domain.counters.observation import Gauges, Scrape, Totals


def scrape(at: float, tokens: float, running: float = 1.0) -> Scrape:
    return Scrape(
        at=at,
        totals=Totals(generation_tokens=tokens, steps=tokens / 2, step_seconds=tokens * 0.01),
        gauges=Gauges(running=running, kv_usage=running / 10),
    )


def steady(start: float, end: float, every: float = 15.0, rate: float = 10.0) -> list[Scrape]:
    count = int((end - start) / every) + 1
    return [scrape(start + i * every, (start + i * every) * rate) for i in range(count)]


def pieces(scrapes: list[Scrape], length: float = 60.0, interval: float = 15.0) -> dict[int, float | None]:
    done = cut(scrapes, length=length, interval=interval, since=0)
    return {n: p.totals.generation_tokens for n, p in done.pieces.items()}


def test_a_piece_runs_from_the_last_scrape_before_its_start_to_the_last_before_its_end() -> None:
    assert pieces(steady(50, 200)) == {1: 600.0, 2: 600.0}
    exact = steady(60, 180)
    assert pieces(exact) == {1: 600.0}, "the second could still get a scrape at its very end"


def test_the_piece_that_is_not_final_is_not_cut() -> None:
    done = cut(steady(0, 119), length=60, interval=15, since=0)
    assert (list(done.pieces), done.until) == ([0], 1)


def test_one_missed_scrape_is_forgiven_and_two_are_not() -> None:
    scrapes = steady(5, 200)
    one = [s for s in scrapes if s.at != 110]
    assert set(pieces(one)) == {1, 2}
    two = [s for s in scrapes if s.at not in (95, 110)]
    assert set(pieces(two)) == set()


def test_a_restart_costs_the_piece_it_lies_in() -> None:
    scrapes = steady(0, 130) + [scrape(at, (at - 130) * 10) for at in range(135, 300, 15)]
    done = cut(scrapes, length=60, interval=15, since=0)
    assert sorted(done.pieces) == [0, 1, 3]
    assert done.restarts == (135,)


def test_levels_are_means_and_the_cache_use_a_maximum() -> None:
    scrapes = [scrape(at, at, running=running) for at, running in ((0, 9), (20, 2), (40, 4), (60, 6), (80, 1))]
    piece = cut(scrapes, length=60, interval=20, since=0).pieces[0]
    assert piece.gauges == Gauges(running=4.0, kv_usage=0.6)
    assert level([]) == Gauges()


def test_the_interval_is_the_median_gap() -> None:
    assert interval_of([0, 15, 30, 60, 75]) == 15
    assert interval_of([0]) is None


def ready(name: str, since: float | None = 0.0, tokens: float = 1.0, numbers: range = range(10)) -> Replica:
    piece = Piece(totals=Totals(generation_tokens=tokens), gauges=Gauges(running=2))
    return Replica(name=name, ready_since=since, pieces=dict.fromkeys(numbers, piece))


def starts(replicas: list[Replica], warmup: float = 0.0) -> list[float]:
    batches = combine(replicas, length=60, warmup=warmup, numbers=range(10))
    return [b.start / 60 for b in batches]


def test_batches_begin_after_the_warm_up() -> None:
    assert starts([ready("a", since=30.0)], warmup=100.0) == [3, 4, 5, 6, 7, 8, 9]


def test_what_follows_a_restart_is_a_warm_up_again() -> None:
    assert starts([replace(ready("a"), restarts=(130.0,))], warmup=60.0) == [1, 4, 5, 6, 7, 8, 9]


def test_a_replica_that_joins_interrupts_a_small_arm_and_not_a_large_one() -> None:
    late = ready("late", since=250.0)
    assert starts([ready("a"), ready("b"), late], warmup=120.0) == [2, 3, 7, 8, 9]
    assert starts([*(ready(c) for c in "abcd"), late], warmup=120.0) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_a_replica_without_samples_leaves_a_small_arm_without_batches() -> None:
    silent = ready("b", numbers=range(3, 5))
    assert starts([ready("a"), silent]) == [3, 4]


def test_replicas_that_are_not_ready_neither_count_nor_are_missed() -> None:
    both = [ready("a"), ready("b", since=None)]
    batches = combine(both, length=60, warmup=0, numbers=range(2))
    assert [b.replicas for b in batches] == [1, 1]


def test_nobody_gives_nothing() -> None:
    assert combine([], length=60, warmup=0, numbers=range(5)) == ()


@settings(max_examples=100)
@given(st.permutations(["a", "b", "c", "d", "e"]), st.dictionaries(st.sampled_from("abcde"), st.floats(0, 1e6)))
def test_batches_do_not_depend_on_the_order_of_replicas(order: list[str], tokens: dict[str, float]) -> None:
    replicas = {name: ready(name, tokens=tokens.get(name, 1.0)) for name in "abcde"}
    shuffled = combine([replicas[n] for n in order], length=60, warmup=0, numbers=range(3))
    assert shuffled == combine(list(replicas.values()), length=60, warmup=0, numbers=range(3))


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.floats(1, 40), st.integers(0, 100)), min_size=2, max_size=40),
    st.sampled_from([10.0, 30.0, 60.0]),
)
def test_pieces_are_never_negative_and_never_overlap(steps: list[tuple[float, int]], length: float) -> None:
    at, tokens, scrapes = 0.0, 0.0, []
    for gap, more in steps:
        at, tokens = at + gap, 0.0 if more == 50 else tokens + more
        scrapes.append(scrape(at, tokens))
    done = cut(scrapes, length=length, interval=20.0, since=0)
    counted = [p.totals.generation_tokens for p in done.pieces.values()]
    assert all(c is not None and c >= 0 for c in counted)
    assert all((n + 1) * length < scrapes[-1].at for n in done.pieces)
    if not done.restarts:
        assert sum(c for c in counted if c is not None) <= tokens


@settings(max_examples=60)
@given(st.lists(st.floats(5, 25), min_size=10, max_size=40), st.integers(1, 9))
def test_cutting_in_two_goes_gives_the_same_pieces(gaps: list[float], split: int) -> None:
    at, scrapes = 0.0, []
    for gap in gaps:
        at += gap
        scrapes.append(scrape(at, at * 10))
    whole = cut(scrapes, length=60, interval=15, since=0)
    first = cut(scrapes[: -split or None], length=60, interval=15, since=0)
    second = cut(scrapes, length=60, interval=15, since=first.until)
    assert {**first.pieces, **second.pieces} == whole.pieces

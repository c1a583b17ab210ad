"""Two variants in turns on the same pods: what counts in a batch, and what is compared."""

from datetime import timedelta

import pytest

from breakeven.api.spec import EvidenceSpec
from breakeven.domain.counters.batches import Piece, Replica, batch_of, share_of
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.windows import Span
from breakeven.domain.evidence.alternation import in_span, paired
from breakeven.domain.measures.speedup import speedup

MINUTE = timedelta(minutes=1)


def served(tokens: float, seconds: float = 0.02) -> Totals:
    return Totals(
        generation_tokens=tokens,
        first_tokens=0.0,
        steps=tokens,
        step_seconds=tokens * seconds,
        finished=tokens / 100,
    )


def batch(n: int, pods: dict[str, Totals]) -> Batch:
    return Batch(
        start=n * 60.0,
        end=n * 60.0 + 60,
        totals=Totals(),
        gauges=Gauges(),
        replicas=len(pods),
        shares=tuple(share_of(pod, totals) for pod, totals in pods.items()),
    )


def test_only_pods_that_served_both_variants_are_compared() -> None:
    off = [batch(0, {"a": served(100), "b": served(100)})]
    on = [batch(0, {"b": served(60), "c": served(60)})]
    (theirs,), (ours,) = paired(off, on, MINUTE)
    assert (theirs.totals.steps, ours.totals.steps) == (100, 60)
    assert (theirs.replicas, ours.replicas) == (0.5, 0.5)


def test_a_cell_of_several_batches_puts_both_halves_of_a_pod_together() -> None:
    off = [batch(n, {"a": served(100)}) for n in (0, 3, 4)]
    on = [batch(n, {"a": served(100)}) for n in (1, 2, 5)]
    theirs, ours = paired(off, on, 2 * MINUTE)
    assert [b.start for b in theirs] == [b.start for b in ours] == [0, 120, 240]


def test_a_cell_in_which_one_variant_was_not_seen_is_left_out() -> None:
    off, on = [batch(0, {"a": served(100)})], [batch(1, {"a": served(100)})]
    assert paired(off, on, MINUTE) == ((), ())


def test_a_slow_node_cancels() -> None:
    factors = {"a": 1.0, "b": 1.3}
    off = [batch(n, {p: served(100, 0.02 * f) for p, f in factors.items()}) for n in range(10)]
    on = [batch(n, {"b": served(100, 0.02 * 1.3)}) for n in range(10)]
    ratio = speedup(*paired(off, on, MINUTE))
    assert ratio is not None
    assert ratio.value == pytest.approx(1.0)


def test_with_little_traffic_cells_are_taken_together_until_both_variants_have_something() -> None:
    off = [batch(n, {"a": served(100)}) for n in range(0, 30, 2)]
    on = [batch(n, {"a": served(100)}) for n in range(1, 30, 2)]
    assert paired(off, on, MINUTE) == ((), ())
    theirs, ours, enough = in_span(off, on, MINUTE, EvidenceSpec(), Span(0.0, 1800.0, 3))
    assert enough
    assert theirs is not None
    assert len(ours) == len(theirs) == 15


def test_a_span_with_too_few_cells_is_not_enough() -> None:
    both = [batch(n, {"a": served(100)}) for n in range(4)]
    assert not in_span(both, both, MINUTE, EvidenceSpec(), Span(0.0, 600.0, 1))[2]


def replica(name: str, mine: Totals, other: Totals) -> Replica:
    def piece(totals: Totals) -> Piece:
        return Piece(totals=totals, gauges=Gauges(running=2.0, waiting=0.0))

    return Replica(name=name, ready_since=-1e6, pieces={0: piece(mine)}, others=({0: piece(other)},))


def test_an_engine_that_slept_is_in_no_batch_and_one_that_alternated_counts_half() -> None:
    pods = [
        replica("a", served(100), served(0)),
        replica("b", served(50), served(50)),
        replica("c", served(0), served(100)),
    ]
    found = batch_of(pods, 0, length=60.0, warmup=0.0)
    assert found is not None
    assert [share.replica for share in found.shares] == ["a", "b"]
    assert found.replicas == 1.5


def test_what_runs_is_told_for_the_time_awake() -> None:
    found = batch_of([replica("a", served(50), served(50))], 0, length=60.0, warmup=0.0)
    assert found is not None
    assert (found.replicas, found.gauges.running) == (0.5, 4.0)


def test_a_variant_that_slept_everywhere_has_no_batch() -> None:
    assert batch_of([replica("a", served(0), served(100))], 0, length=60.0, warmup=0.0) is None


def test_without_traffic_both_count_as_awake() -> None:
    found = batch_of([replica("a", served(0), served(0))], 0, length=60.0, warmup=0.0)
    assert found is not None
    assert found.replicas == 1

"""Batches of an arm: equal to those that are made at once, kept within bounds, and never shared between feeds."""

from breakeven.adapters.evidence_store.arm_batches import ArmBatches, BatchStore, LazyBatch
from breakeven.domain.counters.batches import Piece, Replica, combine
from breakeven.domain.counters.observation import Gauges, Totals

LENGTH = 60.0


def replica(name: str, numbers: range) -> Replica:
    pieces = {n: Piece(totals=Totals(generation_tokens=float(n)), gauges=Gauges(running=2.0)) for n in numbers}
    return Replica(name=name, ready_since=0.0, pieces=pieces)


REPLICAS = (replica("b", range(1, 50)), replica("a", range(1, 60)))


def test_batches_are_those_that_are_made_at_once() -> None:
    numbers = range(1, 50)
    made = ArmBatches(BatchStore()).batches(REPLICAS, length=LENGTH, warmup=0, numbers=numbers, firm=50)
    at_once = combine(REPLICAS, length=LENGTH, warmup=0, numbers=numbers)
    assert tuple(made) == at_once
    assert [(b.totals, b.gauges, b.replicas, b.shares) for b in made] == [
        (b.totals, b.gauges, b.replicas, b.shares) for b in at_once
    ]
    assert made[-1] == at_once[-1]
    assert made[3:5] == at_once[3:5]


def test_contents_are_made_when_they_are_looked_at_and_kept_within_bounds() -> None:
    store = BatchStore(most=8)
    made = ArmBatches(store).batches(REPLICAS, length=LENGTH, warmup=0, numbers=range(1, 50), firm=50)
    assert [b.start for b in made][-1] == 49 * LENGTH
    assert len(store) == 0
    for batch in made:
        assert batch.totals.generation_tokens == 2 * batch.start / LENGTH
    assert len(store) == 8
    first = made[0]
    assert first.totals.generation_tokens == 2.0


def test_what_was_looked_at_last_is_not_made_again() -> None:
    store, count = BatchStore(most=2), [0]
    whole = combine(REPLICAS, length=LENGTH, warmup=0, numbers=range(1, 4))

    def make(number: int) -> object:
        count[0] += 1
        return whole[number]

    for number in (0, 1, 0, 2, 0):
        assert store.content(make, number) is whole[number]  # type: ignore[arg-type]  # it makes batches
    assert count == [3]


def test_stores_know_nothing_of_each_other() -> None:
    ours, theirs = BatchStore(), BatchStore()
    made = ArmBatches(ours).batches(REPLICAS, length=LENGTH, warmup=0, numbers=range(1, 9), firm=9)
    assert isinstance(made[0], LazyBatch)
    assert made[0].totals
    assert (len(ours), len(theirs)) == (1, 0)

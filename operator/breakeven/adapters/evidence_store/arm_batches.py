"""Batches of one arm: which of them exist is worked out once each, what is in them when somebody looks at it."""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import overload

from breakeven.domain.counters.batches import Replica, batch_from, contributors
from breakeven.domain.counters.observation import Batch, Gauges, Share, Totals

KEPT = 1024
"""Batches whose contents are kept, of all arms of one store together: more than one pass looks at."""
Make = Callable[[int], Batch]
"""Makes the batch with a number from the pieces of its replicas."""


class BatchStore:
    """Contents of the batches that were looked at last, in whatever arm: rules of one pass look at the same ones.

    Each feed owns one. For one thread.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._contents: OrderedDict[tuple[Make, int], Batch] = OrderedDict()

    def __len__(self) -> int:
        return len(self._contents)

    def content(self, make: Make, number: int) -> Batch:
        """The batch that `make` makes for this number."""
        key = make, number
        held = self._contents.get(key)
        if held is None:
            held = self._contents[key] = make(number)
            if len(self._contents) > self._most:
                self._contents.popitem(last=False)
        else:
            self._contents.move_to_end(key)
        return held


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LazyBatch(Batch):
    """A batch whose contents come from a store when they are looked at: most passes look at the newest few."""

    number: int
    make: Make
    store: BatchStore
    totals: Totals = field(init=False, repr=False)
    gauges: Gauges = field(init=False, repr=False)
    replicas: float = field(init=False, repr=False)
    shares: tuple[Share, ...] = field(init=False, repr=False)

    def __getattr__(self, name: str) -> object:
        """What is not set here, which are the contents."""
        return getattr(self.store.content(self.make, self.number), name)

    def __eq__(self, other: object) -> bool:
        ours = self.store.content(self.make, self.number)
        return ours == (other.store.content(other.make, other.number) if isinstance(other, LazyBatch) else other)

    def __hash__(self) -> int:
        return hash((self.start, self.end))


class LazyBatches(Sequence[Batch]):
    """The batches of one arm in order of time. A slice has their contents; one alone is lazy, to search by time."""

    __slots__ = ("_length", "_make", "_numbers", "_store")

    def __init__(self, numbers: Sequence[int], length: float, make: Make, store: BatchStore) -> None:
        self._numbers = numbers
        self._length = length
        self._make = make
        self._store = store

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):  # a window, whose contents are what is asked for
            return tuple(self._store.content(self._make, n) for n in self._numbers[index])
        return self._at(self._numbers[index])

    def _at(self, n: int) -> LazyBatch:
        return LazyBatch(
            start=n * self._length, end=(n + 1) * self._length, number=n, make=self._make, store=self._store
        )

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._numbers))


class ArmBatches:
    """Remembers which batches of one arm exist, and of which replicas, until its replicas change."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._of: object = None
        self._existing: list[int] = []
        self._runs: list[tuple[int, tuple[int, ...]]] = []
        """From which batch on which replicas contribute, by their places in the order of names."""
        self._examined = range(0)
        """Numbers that were examined and are final."""
        self._answer: tuple[range, LazyBatches] | None = None

    def batches(
        self, replicas: Sequence[Replica], *, length: float, warmup: float, numbers: range, firm: int
    ) -> LazyBatches:
        """Batches with these numbers, oldest first.

        From `firm` on a replica that is not scraped at the moment may still add to a batch: those are examined again.
        """
        ordered = sorted(replicas, key=lambda r: r.name)
        of = (length, warmup, tuple((r.name, r.serial, r.ready_since, tuple(r.restarts)) for r in ordered))
        if of != self._of or numbers.start < self._examined.start:
            self._of, self._existing, self._runs, self._examined, self._answer = of, [], [], range(0), None
        if self._answer is not None and self._answer[0] == numbers and self._examined.stop >= numbers.stop <= firm:
            return self._answer[1]
        self._examine(ordered, length, warmup, numbers)
        self._examined = range(numbers.start, min(firm, numbers.stop))
        runs = tuple(self._runs)

        def make(n: int) -> Batch:
            places = runs[bisect_right(runs, n, key=_first) - 1][1]
            return batch_from([ordered[place] for place in places], n, length=length)

        answer = LazyBatches(array("q", self._existing), length, make, self._store)
        self._answer = numbers, answer
        return answer

    def _examine(self, ordered: Sequence[Replica], length: float, warmup: float, numbers: range) -> None:
        """Work out which batches exist."""
        first = max(numbers.start, self._examined.stop)
        self._existing = [n for n in self._existing if numbers.start <= n < min(self._examined.stop, numbers.stop)]
        self._runs = [run for run in self._runs if run[0] < first]
        if len(self._runs) > 1 and self._existing:
            del self._runs[: max(0, bisect_right(self._runs, self._existing[0], key=_first) - 1)]
        places = {r.name: place for place, r in enumerate(ordered)}
        for n in range(first, numbers.stop):
            members = contributors(ordered, n, length=length, warmup=warmup)
            if members is None:
                continue
            self._existing.append(n)
            contributing = tuple(places[r.name] for r in members)
            if not self._runs or self._runs[-1][1] != contributing:
                self._runs.append((n, contributing))


def _first(run: tuple[int, tuple[int, ...]]) -> int:
    return run[0]

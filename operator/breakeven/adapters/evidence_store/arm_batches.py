"""Batches of one arm: which of them there are is told once each, what is in them when somebody looks."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, overload

from breakeven.domain.counters.batches import Replica, batch_from, contributors
from breakeven.domain.counters.observation import Batch, Gauges, Share, Totals

KEPT = 1024
"""Batches that are kept as objects, of all arms together: more than one pass looks at."""


class LazyBatch(Batch):
    """A batch that knows where it lies, and is made when somebody looks at what is in it."""

    __slots__ = ("_make", "_whole")
    _make: Callable[[], Batch]
    _whole: Batch | None

    def __init__(self, start: float, end: float, make: Callable[[], Batch]) -> None:
        put = object.__setattr__
        put(self, "start", start)
        put(self, "end", end)
        put(self, "_make", make)
        put(self, "_whole", None)

    def _made(self) -> Batch:
        whole = self._whole
        if whole is None:
            whole = self._make()
            object.__setattr__(self, "_whole", whole)
        return whole

    @property
    def totals(self) -> Totals:
        """Increase of its counters."""
        return self._made().totals

    @property
    def gauges(self) -> Gauges:
        """Its levels."""
        return self._made().gauges

    @property
    def replicas(self) -> int:
        """Replicas that contributed."""
        return self._made().replicas

    @property
    def shares(self) -> tuple[Share, ...]:
        """Replica by replica."""
        return self._made().shares

    def __eq__(self, other: object) -> bool:
        return self._made() == (other._made() if isinstance(other, LazyBatch) else other)

    def __hash__(self) -> int:
        return hash((self.start, self.end))


class LazyBatches(Sequence[Batch]):
    """Batches that are made from their pieces when they are looked at: most passes look at the newest few.

    Those that were looked at last, in whatever arm, stay made: rules of one pass look at the same ones.
    """

    __slots__ = ("_length", "_make", "_numbers")
    _seen: ClassVar[dict[tuple[object, int], LazyBatch]] = {}
    """Of all arms together; used from the event loop only."""

    def __init__(self, numbers: Sequence[int], length: float, make: Callable[[int], Batch]) -> None:
        self._numbers = numbers
        self._length = length
        self._make = make

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):
            return tuple(map(self._at, self._numbers[index]))
        return self._at(self._numbers[index])

    def _at(self, n: int) -> LazyBatch:
        found = self._seen.get((self._make, n))
        if found is None:
            if len(self._seen) >= KEPT:
                self._seen.clear()
            found = LazyBatch(n * self._length, (n + 1) * self._length, partial(self._make, n))
            self._seen[self._make, n] = found
        return found

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._numbers))


class ArmBatches:
    """Remembers which batches of one arm are there, and of which replicas, until its replicas change."""

    def __init__(self) -> None:
        self._of: object = None
        self._there: list[int] = []
        self._runs: list[tuple[int, tuple[int, ...]]] = []
        """From which batch on which replicas contribute, by their places in the order of names."""
        self._looked = range(0)
        """Numbers that were looked at and are final."""
        self._answer: tuple[range, LazyBatches] | None = None

    def batches(
        self, replicas: Sequence[Replica], *, length: float, warmup: float, numbers: range, firm: int
    ) -> LazyBatches:
        """Batches with these numbers, oldest first.

        From `firm` on a replica that is not scraped at the moment may still add to a batch: those are looked at again.
        """
        ordered = sorted(replicas, key=lambda r: r.name)
        of = (length, warmup, tuple((r.name, r.serial, r.ready_since, tuple(r.restarts)) for r in ordered))
        if of != self._of or numbers.start < self._looked.start:
            self._of, self._there, self._runs, self._looked, self._answer = of, [], [], range(0), None
        if self._answer is not None and self._answer[0] == numbers and self._looked.stop >= numbers.stop <= firm:
            return self._answer[1]
        self._look(ordered, length, warmup, numbers)
        self._looked = range(numbers.start, min(firm, numbers.stop))
        runs = tuple(self._runs)

        def make(n: int) -> Batch:
            places = runs[bisect_right(runs, n, key=_first) - 1][1]
            return batch_from([ordered[place] for place in places], n, length=length)

        answer = LazyBatches(array("q", self._there), length, make)
        self._answer = numbers, answer
        return answer

    def _look(self, ordered: Sequence[Replica], length: float, warmup: float, numbers: range) -> None:
        """Find out which batches are there."""
        first = max(numbers.start, self._looked.stop)
        self._there = [n for n in self._there if numbers.start <= n < min(self._looked.stop, numbers.stop)]
        self._runs = [run for run in self._runs if run[0] < first]
        if len(self._runs) > 1 and self._there:
            del self._runs[: max(0, bisect_right(self._runs, self._there[0], key=_first) - 1)]
        places = {r.name: place for place, r in enumerate(ordered)}
        for n in range(first, numbers.stop):
            found = contributors(ordered, n, length=length, warmup=warmup)
            if found is None:
                continue
            self._there.append(n)
            contributing = tuple(places[r.name] for r in found)
            if not self._runs or self._runs[-1][1] != contributing:
                self._runs.append((n, contributing))


def _first(run: tuple[int, tuple[int, ...]]) -> int:
    return run[0]

"""Batches of one arm: which of them there are is told once each, what is in them when somebody looks."""

from collections.abc import Callable, Sequence
from typing import ClassVar, overload

from breakeven.domain.batches import Replica, batch_of, contributors
from breakeven.domain.observation import Batch

MADE = 256
"""Batches that are kept as objects, of all arms together."""


class LazyBatches(Sequence[Batch]):
    """Batches that are made from their pieces when they are looked at: most passes look at the newest few.

    Those that were looked at last, in whatever arm, stay made: rules of one pass look at the same ones.
    """

    __slots__ = ("_make", "_numbers")
    _made: ClassVar[dict[tuple[object, int], Batch]] = {}
    """Of all arms together; used from the event loop only."""

    def __init__(self, numbers: Sequence[int], make: Callable[[int], Batch]) -> None:
        self._numbers = tuple(numbers)
        self._make = make

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Batch, ...]: ...
    def __getitem__(self, index: int | slice) -> Batch | tuple[Batch, ...]:
        if isinstance(index, slice):
            return tuple(map(self._at, self._numbers[index]))
        return self._at(self._numbers[index])

    def _at(self, n: int) -> Batch:
        found = self._made.get((self._make, n))
        if found is None:
            if len(self._made) >= MADE:
                self._made.clear()
            found = self._made[self._make, n] = self._make(n)
        return found

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self._numbers)


class ArmBatches:
    """Remembers which batches of one arm are there until its replicas change."""

    def __init__(self) -> None:
        self._of: object = None
        self._there: list[int] = []
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
            self._of, self._there, self._looked, self._answer = of, [], range(0), None
        if self._answer is not None and self._answer[0] == numbers and self._looked.stop >= numbers.stop <= firm:
            return self._answer[1]
        first = max(numbers.start, self._looked.stop)
        kept = [n for n in self._there if numbers.start <= n < min(self._looked.stop, numbers.stop)]
        new = range(first, numbers.stop)
        self._there = kept + [n for n in new if contributors(ordered, n, length=length, warmup=warmup) is not None]
        self._looked = range(numbers.start, min(firm, numbers.stop))

        def make(n: int) -> Batch:
            found = batch_of(ordered, n, length=length, warmup=warmup)
            assert found is not None, "a piece went while its batch was in use"
            return found

        answer = LazyBatches(self._there, make)
        self._answer = numbers, answer
        return answer

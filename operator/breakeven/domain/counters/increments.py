"""Increments: batches as short as the scrapes allow, of the last few minutes only, for the sequential alarm.

A batch is a tenth of a window and is kept for hours; a large loss shows in what two scrapes bring. Increments are cut
like batches (`domain.batches`), on a grid that divides the batch, from the newest scrapes, and each is made only when
somebody looks at it: most passes look at the newest one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import overload

from breakeven.domain.counters.batches import Replica, batch_of, piece_of
from breakeven.domain.counters.observation import Batch, Scrape

PARTS = (4, 2)
"""Increments a batch may be cut into, finest first: 15 s of a batch of one minute."""
JITTER = 0.9
"""Share of the scrape interval that an increment must last at least: scrapes come a little early or late."""
KEPT = 3
"""Batches of the past that increments are made of: a loss that shows more slowly is found in the batches."""
REMEMBERED = 150
"""Batches before the increments that are handed on, at most."""


class Increments(Sequence[Batch]):
    """Increments by number, each made when it is first looked at; `reversed` makes the newest first."""

    __slots__ = ("_made", "_make", "_numbers")

    def __init__(self, numbers: range, make: Callable[[int], Batch | None]) -> None:
        self._numbers = numbers
        self._make = make
        self._made: dict[int, Batch | None] = {}

    def _at(self, n: int) -> Batch | None:
        if n not in self._made:
            self._made[n] = self._make(n)
        return self._made[n]

    def _all(self) -> tuple[Batch, ...]:
        return tuple(batch for n in self._numbers if (batch := self._at(n)) is not None)

    def __reversed__(self) -> Iterator[Batch]:
        return (batch for n in reversed(self._numbers) if (batch := self._at(n)) is not None)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Batch, ...]: ...
    def __getitem__(self, index: int | slice) -> Batch | tuple[Batch, ...]:
        return self._all()[index]

    def __bool__(self) -> bool:
        return next(reversed(self), None) is not None

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._numbers)


@dataclass(frozen=True, slots=True)
class Tail:
    """One replica and its newest scrapes, in order of time."""

    replica: Replica
    scrapes: Sequence[Scrape]
    times: Sequence[float]
    """Of the scrapes, Unix seconds."""
    interval: float
    """Seconds between them."""


def increments(tails: Sequence[Tail], *, batch: float, warmup: float) -> Increments | tuple[()]:
    """Increments of one arm. None of them when the scrapes of a replica are too rare to cut a batch."""
    interval = max((tail.interval for tail in tails), default=0.0)
    newest = max((tail.times[-1] for tail in tails if tail.times), default=None)
    length = next((batch / parts for parts in PARTS if batch / parts >= JITTER * interval), None)
    if length is None or newest is None or interval <= 0:
        return ()
    ordered = sorted(tails, key=lambda tail: tail.replica.name)

    def make(n: int) -> Batch | None:
        cut = []
        for tail in ordered:
            piece = piece_of(tail.scrapes, tail.times, n, length=length, interval=tail.interval)
            # Which engine of a pod was awake is told by batches; one that slept adds nothing here.
            cut.append(replace(tail.replica, pieces={} if piece is None else {n: piece}, others=()))
        return batch_of(cut, n, length=length, warmup=warmup)

    first = floor(newest / batch - KEPT) * round(batch / length)
    return Increments(range(first, floor(newest / length)), make)


def spliced(
    off: Sequence[Batch], on: Sequence[Batch], newest_off: Sequence[Batch], newest_on: Sequence[Batch]
) -> tuple[Sequence[Batch], Sequence[Batch]]:
    """Both arms with their newest batches replaced by increments, from a boundary of batches that both know."""
    if not newest_off or not newest_on or not on:
        return off, on
    batch = on[-1].end - on[-1].start
    begin = ceil(max(newest_off[0].start, newest_on[0].start) / batch - 1e-9) * batch
    return _joined(off, newest_off, begin), _joined(on, newest_on, begin)


def _joined(batches: Sequence[Batch], newest: Sequence[Batch], begin: float) -> tuple[Batch, ...]:
    last = len(batches)
    while last and batches[last - 1].end > begin + 1e-3:
        last -= 1
    return (*batches[max(0, last - REMEMBERED) : last], *(b for b in newest if b.start >= begin - 1e-3))

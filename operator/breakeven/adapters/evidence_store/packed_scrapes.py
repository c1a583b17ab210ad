"""The newest scrapes of one replica in a tenth of the space: as objects they were more than all its batches."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import overload

from breakeven.adapters.evidence_store.packed_pieces import PackedPieces, Shapes
from breakeven.domain.counters.batches import Piece
from breakeven.domain.counters.observation import Scrape


class PackedScrapes(Sequence[Scrape]):
    """In order of time, packed as pieces are, which hold the same numbers: those up to the scrape.

    Whoever looks at them later finds newer ones behind them, and in the end older ones gone: not copied for every look,
    because most looks are at the last two.
    """

    __slots__ = ("_first", "_rows", "times")

    def __init__(self, shapes: Shapes) -> None:
        self.times: list[float] = []
        """Unix seconds."""
        self._first = 0
        self._rows = PackedPieces(shapes)

    def append(self, scrape: Scrape) -> None:
        """Keep one that is newer than all others."""
        self._rows.put(self._first + len(self.times), Piece(totals=scrape.totals, gauges=scrape.gauges))
        self.times.append(scrape.at)

    def prune(self, oldest: float) -> None:
        """Forget those before this time."""
        gone = bisect_left(self.times, oldest)
        if gone:
            del self.times[:gone]
            self._first += gone
            self._rows.prune(self._first)

    @overload
    def __getitem__(self, index: int) -> Scrape: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Scrape]: ...
    def __getitem__(self, index: int | slice) -> Scrape | Sequence[Scrape]:
        places = range(len(self.times))[index]
        return self._scrape(places) if isinstance(places, int) else [self._scrape(place) for place in places]

    def _scrape(self, place: int) -> Scrape:
        row = self._rows[self._first + place]
        return Scrape(at=self.times[place], totals=row.totals, gauges=row.gauges)

    def __len__(self) -> int:
        return len(self.times)

"""Pieces of one replica in a fifth of the space: 26 windows of 2,000 replicas as objects are half a gigabyte.

Decisions look at the newest window and only now and then at older ones, so a piece is a row of doubles until asked for.
"""

from collections.abc import Iterator, Mapping
from math import nan
from struct import Struct, pack

from breakeven.domain.batches import Piece
from breakeven.domain.counters import SCALARS
from breakeven.domain.observation import Buckets, Gauges, Totals

_LEVELS = ("running", "waiting", "kv_usage")
_FIXED = len(SCALARS) + len(_LEVELS)
_Bounds = tuple[float, ...]


class _Shape:
    """What the doubles of a row mean beyond the fixed ones."""

    __slots__ = ("positions", "tpot", "ttft", "unpack")

    def __init__(self, positions: int, ttft: _Bounds, tpot: _Bounds) -> None:
        self.positions = positions
        self.ttft = ttft
        self.tpot = tpot
        self.unpack = Struct(f"{_FIXED + positions + len(ttft) + len(tpot)}d").unpack

    def fits(self, totals: Totals) -> bool:
        """Whether these totals have this shape."""
        return (
            len(totals.accepted_at) == self.positions
            and _bounds(totals.ttft_buckets) == self.ttft
            and _bounds(totals.tpot_buckets) == self.tpot
        )


class PackedPieces(Mapping[int, Piece]):
    """By number of the batch, written in ascending order. In a row NaN is unknown (None): no counter is that."""

    __slots__ = ("_first", "_rows", "_shapes")

    def __init__(self) -> None:
        self._first = 0
        self._rows: list[tuple[_Shape, bytes] | None] = []
        self._shapes: list[_Shape] = []

    def put(self, n: int, piece: Piece) -> None:
        """Keep the piece of batch `n`, which is newer than all that are kept."""
        if not self._rows:
            self._first = n
        self._rows.extend([None] * (n - self._first - len(self._rows)))
        self._rows.append((self._shape(piece.totals), _row(piece)))

    def prune(self, first: int) -> None:
        """Forget the batches before this one."""
        gone = first - self._first
        if gone > 0:
            del self._rows[:gone]
            self._first = first

    def __getitem__(self, n: int) -> Piece:
        found = self._rows[n - self._first] if n in self else None
        if found is None:
            raise KeyError(n)
        return _piece(*found)

    def __contains__(self, n: object) -> bool:
        index = n - self._first if isinstance(n, int) else -1
        return 0 <= index < len(self._rows) and self._rows[index] is not None

    def __iter__(self) -> Iterator[int]:
        return (self._first + i for i, row in enumerate(self._rows) if row is not None)

    def __len__(self) -> int:
        return sum(row is not None for row in self._rows)

    def _shape(self, totals: Totals) -> _Shape:
        found = next((s for s in self._shapes if s.fits(totals)), None)
        if found is None:
            found = _Shape(len(totals.accepted_at), _bounds(totals.ttft_buckets), _bounds(totals.tpot_buckets))
            self._shapes = [*self._shapes[-7:], found]
        return found


def _bounds(buckets: Buckets) -> _Bounds:
    return tuple(bound for bound, _ in buckets)


def _row(piece: Piece) -> bytes:
    totals, gauges = piece.totals, piece.gauges
    known = [getattr(totals, name) for name in SCALARS] + [getattr(gauges, name) for name in _LEVELS]
    values = [nan if v is None else v for v in known]
    values += totals.accepted_at
    for buckets in (totals.ttft_buckets, totals.tpot_buckets):
        values += (count for _, count in buckets)
    return pack(f"{len(values)}d", *values)


def _piece(shape: _Shape, row: bytes) -> Piece:
    values = shape.unpack(row)
    # NaN is the one number that differs from itself; it stands for unknown.
    known = [v if v == v else None for v in values[:_FIXED]]
    first = _FIXED + shape.positions
    second = first + len(shape.ttft)
    totals = Totals(
        **dict(zip(SCALARS, known, strict=False)),
        accepted_at=values[_FIXED:first],
        ttft_buckets=tuple(zip(shape.ttft, values[first:second], strict=True)) if shape.ttft else (),
        tpot_buckets=tuple(zip(shape.tpot, values[second:], strict=True)) if shape.tpot else (),
    )
    running, waiting, kv_usage = known[-3:]
    return Piece(totals=totals, gauges=Gauges(running=running, waiting=waiting, kv_usage=kv_usage))

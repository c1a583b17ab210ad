"""Pieces of one replica in a tenth of the space: 26 windows of 2,000 replicas as objects are half a gigabyte.

Decisions look at the newest window and only now and then at older ones, so a piece is a row of numbers until asked for,
and the rows of a replica lie one behind the other, each number in as many bytes as its column needs.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from struct import Struct

import numpy as np
import numpy.typing as npt

from breakeven.domain.counters.assembly import LEVELS, SCALARS
from breakeven.domain.counters.batches import Piece
from breakeven.domain.counters.observation import Buckets, Gauges, Totals

_FIXED = len(SCALARS) + len(LEVELS)
Bounds = tuple[float, ...]
Numbers = npt.NDArray[np.float64]
_UNKNOWN, _ZERO, _SHORT, _LONG, _DOUBLE = "?0HId"
"""How a column is written: not at all while it is unknown or zero, whole numbers in two or four bytes, or a double."""
_WRITTEN = frozenset((_SHORT, _LONG, _DOUBLE))
_RANK = {_ZERO: 0, _SHORT: 1, _LONG: 2, _DOUBLE: 3}
_DTYPE = {_SHORT: "<u2", _LONG: "<u4", _DOUBLE: "<f8"}


def _kind(value: float) -> str:
    if value != value:  # NaN, which stands for unknown
        return _UNKNOWN
    if value == 0:
        return _ZERO
    if not value.is_integer() or not 0 < value < 2**32:
        return _DOUBLE
    return _SHORT if value < 2**16 else _LONG


def _wider(one: str, other: str) -> str:
    """A kind that holds both."""
    if one == other:
        return one
    return _DOUBLE if _UNKNOWN in (one, other) else max(one, other, key=_RANK.__getitem__)


class _Shape:
    """What the numbers of a row mean beyond the fixed ones, and in how many bytes each is written."""

    __slots__ = ("blank", "kinds", "places", "positions", "row", "tpot", "ttft")

    def __init__(self, positions: int, ttft: Bounds, tpot: Bounds, kinds: str) -> None:
        self.positions = positions
        self.ttft = ttft
        self.tpot = tpot
        self.kinds = kinds
        """By column."""
        self.places = tuple(place for place, kind in enumerate(kinds) if kind in _WRITTEN)
        """Columns that are written."""
        self.blank = tuple(nan if kind == _UNKNOWN else 0.0 for kind in kinds)
        self.row = Struct("<" + "".join(kinds[place] for place in self.places))

    def pack(self, values: Sequence[float]) -> bytes:
        """These numbers as a row."""
        kinds = self.kinds
        return self.row.pack(*(values[p] if kinds[p] == _DOUBLE else int(values[p]) for p in self.places))

    def pack_all(self, rows: Numbers) -> bytes:
        """Many rows at once."""
        written = np.empty(len(rows), dtype=[(str(p), _DTYPE[self.kinds[p]]) for p in self.places])
        for place in self.places:
            written[str(place)] = rows[:, place]
        return written.tobytes()

    def unpack(self, data: bytearray, row: int) -> list[float]:
        """The numbers of a row."""
        values = list(self.blank)
        for place, value in zip(self.places, self.row.unpack_from(data, row * self.row.size), strict=True):
            values[place] = float(value)
        return values


class Shapes:
    """Shapes that replicas have in common: they have few between them, so each is kept once. Each feed owns them."""

    MOST = 1024

    def __init__(self) -> None:
        self._shapes: dict[tuple[int, Bounds, Bounds, str], _Shape] = {}

    def of(self, positions: int, ttft: Bounds, tpot: Bounds, kinds: str) -> _Shape:
        """The shape of such rows."""
        key = positions, ttft, tpot, kinds
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= self.MOST:
                self._shapes.clear()  # rows keep the shapes that they have
            shape = self._shapes[key] = _Shape(*key)
        return shape


class Rows:
    """Pieces of batches that follow one another, as numbers."""

    def __init__(self, first: int, values: Numbers, positions: int, ttft: Bounds, tpot: Bounds) -> None:
        self.first = first
        """Number of the first batch."""
        self.values = values
        """One row a batch: `SCALARS`, `LEVELS`, positions, then the counts of both histograms; NaN is unknown."""
        self.bounds = positions, ttft, tpot

    def kinds(self) -> str:
        """How each column can be written."""
        return "".join(map(self._column, range(self.values.shape[1])))

    def _column(self, place: int) -> str:
        column = self.values[:, place]
        unknown = np.isnan(column)
        if unknown.any():
            return _UNKNOWN if unknown.all() else _DOUBLE
        high = float(column.max())
        whole = column.min() >= 0 and (column == np.floor(column)).all()
        return _kind(high) if whole else _DOUBLE


class _Run:
    """Rows of one shape that follow one another."""

    __slots__ = ("count", "data", "first", "shape")

    def __init__(self, first: int, shape: _Shape) -> None:
        self.first = first
        self.shape = shape
        self.count = 0
        self.data = bytearray()

    @property
    def stop(self) -> int:
        """Number of the batch after its last one."""
        return self.first + self.count

    def add(self, rows: bytes, count: int) -> None:
        """Put rows behind the others."""
        self.data += rows
        self.count += count

    def prune(self, first: int) -> None:
        """Forget the rows before this batch."""
        gone = first - self.first
        if gone > 0:
            del self.data[: gone * self.shape.row.size]
            self.first, self.count = first, self.count - gone


class PackedPieces(Mapping[int, Piece]):
    """By number of the batch, written in ascending order. In a row NaN is unknown (None): no counter is that."""

    __slots__ = ("_runs", "_shapes")

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._runs: list[_Run] = []

    def put(self, n: int, piece: Piece) -> None:
        """Keep the piece of batch `n`, which is newer than all that are kept."""
        totals = piece.totals
        values = _values(piece)
        bounds = len(totals.accepted_at), _bounds(totals.ttft_buckets), _bounds(totals.tpot_buckets)
        run = self._run_for(n, bounds, "".join(map(_kind, values)))
        run.add(run.shape.pack(values), 1)

    def put_all(self, rows: Rows) -> None:
        """Keep many pieces, all newer than those that are kept."""
        if len(rows.values):
            run = self._run_for(rows.first, rows.bounds, rows.kinds())
            run.add(run.shape.pack_all(rows.values), len(rows.values))

    def _run_for(self, n: int, bounds: tuple[int, Bounds, Bounds], kinds: str) -> _Run:
        """The run that takes rows of these kinds from batch `n` on."""
        last = self._runs[-1] if self._runs else None
        held = last.shape if last is not None and last.stop == n else None
        if held is not None and (held.positions, held.ttft, held.tpot) == bounds:
            # A column that was ever wide stays so: it must not begin a new run with every other row.
            kinds = "".join(map(_wider, kinds, held.kinds))
        shape = self._shapes.of(*bounds, kinds)
        if last is None or held is not shape:
            last = _Run(n, shape)
            self._runs.append(last)
        return last

    def prune(self, first: int) -> None:
        """Forget the batches before this one."""
        while self._runs and self._runs[0].stop <= first:
            del self._runs[0]
        if self._runs:
            self._runs[0].prune(first)

    def _run(self, n: int) -> _Run | None:
        for run in reversed(self._runs):
            if n >= run.first:
                return run if n < run.stop else None
        return None

    def __getitem__(self, n: int) -> Piece:
        run = self._run(n)
        if run is None:
            raise KeyError(n)
        return _piece(run.shape, run.shape.unpack(run.data, n - run.first))

    def __contains__(self, n: object) -> bool:
        return isinstance(n, int) and self._run(n) is not None

    def __iter__(self) -> Iterator[int]:
        return (n for run in self._runs for n in range(run.first, run.stop))

    def __len__(self) -> int:
        return sum(run.count for run in self._runs)


def _bounds(buckets: Buckets) -> Bounds:
    return tuple(bound for bound, _ in buckets)


def _values(piece: Piece) -> list[float]:
    totals, gauges = piece.totals, piece.gauges
    known = [getattr(totals, name) for name in SCALARS] + [getattr(gauges, name) for name in LEVELS]
    values = [nan if v is None else float(v) for v in known]
    values += map(float, totals.accepted_at)
    for buckets in (totals.ttft_buckets, totals.tpot_buckets):
        values += (float(count) for _, count in buckets)
    return values


def _piece(shape: _Shape, values: Sequence[float]) -> Piece:
    known = [v if v == v else None for v in values[:_FIXED]]  # NaN is the one number that differs from itself
    first = _FIXED + shape.positions
    second = first + len(shape.ttft)
    totals = Totals(
        **dict(zip(SCALARS, known, strict=False)),
        accepted_at=tuple(values[_FIXED:first]),
        ttft_buckets=tuple(zip(shape.ttft, values[first:second], strict=True)) if shape.ttft else (),
        tpot_buckets=tuple(zip(shape.tpot, values[second:], strict=True)) if shape.tpot else (),
    )
    running, waiting, kv_usage = known[-3:]
    return Piece(totals=totals, gauges=Gauges(running=running, waiting=waiting, kv_usage=kv_usage))

"""Pieces of one replica in a tenth of the space: 26 windows of 2,000 replicas as objects are half a gigabyte.

Decisions look at the newest window and only now and then at older ones, so a piece is a row of numbers until asked for,
and the rows of a replica lie one behind the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from struct import Struct

from breakeven.domain.counters.batches import Piece
from breakeven.domain.counters.observation import Buckets, Gauges, Totals
from breakeven.domain.counters.scrapes import SCALARS

_LEVELS = ("running", "waiting", "kv_usage")
_FIXED = len(SCALARS) + len(_LEVELS)
_WHOLE = 2**32
_Bounds = tuple[float, ...]


class _Shape:
    """What the numbers of a row mean beyond the fixed ones, and in how many bytes each is written."""

    __slots__ = ("kinds", "positions", "row", "tpot", "ttft")

    def __init__(self, positions: int, ttft: _Bounds, tpot: _Bounds, kinds: str) -> None:
        self.positions = positions
        self.ttft = ttft
        self.tpot = tpot
        self.kinds = kinds
        """By column: `I`, a whole number of four bytes, which most counters are, or `d`, a double."""
        self.row = Struct(f"<{kinds}")

    def pack(self, values: Sequence[float]) -> bytes:
        """These numbers as a row."""
        return self.row.pack(*(int(v) if k == "I" else v for k, v in zip(self.kinds, values, strict=True)))


class Shapes:
    """Shapes that replicas have in common: they have few between them, so each is kept once. Each feed owns them."""

    MOST = 1024

    def __init__(self) -> None:
        self._shapes: dict[tuple[int, _Bounds, _Bounds, str], _Shape] = {}

    def of(self, positions: int, ttft: _Bounds, tpot: _Bounds, kinds: str) -> _Shape:
        """The shape of such rows."""
        key = positions, ttft, tpot, kinds
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= self.MOST:
                self._shapes.clear()  # rows keep the shapes that they have
            shape = self._shapes[key] = _Shape(*key)
        return shape


class _Run:
    """Rows of one shape that follow one another."""

    __slots__ = ("data", "first", "shape")

    def __init__(self, first: int, shape: _Shape) -> None:
        self.first = first
        self.shape = shape
        self.data = bytearray()

    @property
    def stop(self) -> int:
        """Number of the batch after its last one."""
        return self.first + len(self.data) // self.shape.row.size

    def prune(self, first: int) -> None:
        """Forget the rows before this batch."""
        if first > self.first:
            del self.data[: (first - self.first) * self.shape.row.size]
            self.first = first


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
        kinds = "".join("I" if v.is_integer() and 0 <= v < _WHOLE else "d" for v in values)
        bounds = len(totals.accepted_at), _bounds(totals.ttft_buckets), _bounds(totals.tpot_buckets)
        last = self._runs[-1] if self._runs else None
        held = last.shape if last is not None and last.stop == n else None
        if held is not None and (held.positions, held.ttft, held.tpot) == bounds:
            # A column that was ever fractional stays so: it must not begin a new run with every other row.
            kinds = "".join("I" if a == b == "I" else "d" for a, b in zip(kinds, held.kinds, strict=True))
        shape = self._shapes.of(*bounds, kinds)
        if last is None or held is not shape:
            last = _Run(n, shape)
            self._runs.append(last)
        last.data += shape.pack(values)

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
        row = run.shape.row
        return _piece(run.shape, tuple(map(float, row.unpack_from(run.data, (n - run.first) * row.size))))

    def __contains__(self, n: object) -> bool:
        return isinstance(n, int) and self._run(n) is not None

    def __iter__(self) -> Iterator[int]:
        return (n for run in self._runs for n in range(run.first, run.stop))

    def __len__(self) -> int:
        return sum(run.stop - run.first for run in self._runs)


def _bounds(buckets: Buckets) -> _Bounds:
    return tuple(bound for bound, _ in buckets)


def _values(piece: Piece) -> list[float]:
    totals, gauges = piece.totals, piece.gauges
    known = [getattr(totals, name) for name in SCALARS] + [getattr(gauges, name) for name in _LEVELS]
    values = [nan if v is None else float(v) for v in known]
    values += map(float, totals.accepted_at)
    for buckets in (totals.ttft_buckets, totals.tpot_buckets):
        values += (float(count) for _, count in buckets)
    return values


def _piece(shape: _Shape, values: tuple[float, ...]) -> Piece:
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

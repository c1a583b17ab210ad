"""Scrapes of one target as one table of numbers, for as long as its series are always the same.

A start reads tens of scrapes of thousands of replicas, and as objects they cost more than everything else of it.
Pages that are put together in a less simple way (several ranks, series that come and go, values that are no numbers,
V0 engines) make no table and are read scrape by scrape.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breakeven.adapters.evidence_store.packed_pieces import Bounds, Rows, piece_from
from breakeven.adapters.prometheus.promql import Column
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.assembly import LEVELS, SCALARS, Sum, assembly
from breakeven.domain.counters.batches import STALE
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.vllm_metrics import Series

Numbers = npt.NDArray[np.float64]
_FIRST_LEVEL, _FIXED = len(SCALARS), len(SCALARS) + len(LEVELS)


@dataclass(frozen=True, slots=True)
class Table:
    """In order of time, one row a scrape."""

    times: Numbers
    """Unix seconds."""
    rows: Numbers
    """`SCALARS`, `LEVELS`, positions, then the counts of both histograms; NaN is unknown."""
    bounds: tuple[int, Bounds, Bounds]
    """How many positions there are, and the bounds of both histograms."""

    def __len__(self) -> int:
        return len(self.times)

    def since(self, at: float) -> "Table":
        """The scrapes from this moment on."""
        first = int(np.searchsorted(self.times, at))
        return Table(self.times[first:], self.rows[first:], self.bounds)

    def without_histograms(self) -> "Table":
        """The same, narrower."""
        positions = self.bounds[0]
        return Table(self.times, self.rows[:, : _FIXED + positions], (positions, (), ()))

    def scrapes(self) -> Iterator[Scrape]:
        """As objects."""
        for at, row in zip(self.times.tolist(), self.rows.tolist(), strict=True):
            piece = piece_from(row, *self.bounds)
            yield Scrape(at=at, totals=piece.totals, gauges=piece.gauges)

    def restarts(self) -> list[float]:
        """Times of the first scrape after each restart: some counter fell."""
        fell = (counted(np.diff(self.rows, axis=0)) < 0).any(axis=1)
        return [float(at) for at in self.times[1:][fell]]

    def pieces(self, numbers: range, *, length: float, interval: float, restarts: Sequence[float]) -> Iterator[Rows]:
        """The pieces of these batches, which are all final, as `domain.counters.batches.cut` makes them."""
        restarted = np.array(restarts)
        ends = np.arange(numbers.start, numbers.stop + 1) * length
        at = np.searchsorted(self.times, ends, side="right") - 1
        fresh = (at >= 0) & (ends - self.times[at] <= STALE * interval)
        run: list[Numbers] = []
        for k, n in enumerate(numbers):
            i, j = int(at[k]), int(at[k + 1])
            begun, ended = self.times[i], self.times[j]
            if i == j or not fresh[k] or not fresh[k + 1] or ((begun < restarted) & (restarted <= ended)).any():
                yield from self._run(n, run)
                run = []
            else:
                run.append(self._piece(i, j))
        yield from self._run(numbers.stop, run)

    def _piece(self, i: int, j: int) -> Numbers:
        row: Numbers = self.rows[j] - self.rows[i]
        running, waiting, kv_usage = range(_FIRST_LEVEL, _FIXED)
        inside = self.rows[i + 1 : j + 1]
        row[[running, waiting]] = inside[:, [running, waiting]].mean(axis=0)
        row[kv_usage] = inside[:, kv_usage].max()
        return row

    def _run(self, stop: int, rows: Sequence[Numbers]) -> Iterator[Rows]:
        if rows:
            yield Rows(stop - len(rows), np.array(rows), *self.bounds)


def table_of(columns: Sequence[Column]) -> Table | None:
    """The table of a target's columns; None when it takes a closer look."""
    names = tuple(column.series for column in columns)
    times = columns[0].times
    together = all(column.times == times for column in columns)
    if not together or len(set(names)) < len(names) or len(set(times)) < len(times) or any(n.bare for n in names):
        return None
    if Series(vllm_metrics.ANCHOR) not in names or Series(vllm_metrics.V0_ONLY) in names:
        return None
    values = np.array([column.values for column in columns])
    if not np.isfinite(values).all() or values.min() < 0:
        return None
    how = assembly(names)
    places = [*((place,) for place in how.positions), *(places for _, places in (*how.ttft, *how.tpot))]
    rows = _known([*how.values, *((one,) for one in places)], values)
    bounds = len(how.positions), tuple(b for b, _ in how.ttft), tuple(b for b, _ in how.tpot)
    return Table(np.array(times), np.ascontiguousarray(rows.T), bounds)


def counted(rows: Numbers) -> Numbers:
    """The counters among the columns: all but the levels."""
    return np.delete(rows, slice(_FIRST_LEVEL, _FIXED), axis=1)


def _known(sums: Sequence[tuple[Sum, ...]], values: Numbers) -> Numbers:
    """The first sum of each, since all values are known; NaN where there is none."""
    absent = np.full(values.shape[1], np.nan)
    return np.array([values[list(each[0])].sum(axis=0) if each else absent for each in sums])

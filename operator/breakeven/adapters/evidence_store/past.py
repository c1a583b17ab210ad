"""The past of one replica, from what its counters were at the ends of its batches.

Hours of scrapes are not needed for pieces that are a minute long: the newest scrape before each end is, and a query can
bring exactly those. Their columns are subtracted as a whole, because a thousand resources have half a million pieces.
Only the levels (running, waiting, use of the KV cache) are poorer for it: those at the end of a batch stand for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breakeven.adapters.evidence_store.packed_pieces import Rows
from breakeven.adapters.prometheus.promql import Column, scrapes
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.assembly import LEVELS, SCALARS, Assembly, Sum, assembly
from breakeven.domain.counters.batches import Piece, cut
from breakeven.domain.counters.vllm_metrics import Series

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Past:
    """Pieces up to a batch, and what is known of restarts until then."""

    pieces: Sequence[Rows | tuple[int, Piece]]
    """In order of time."""
    restarts: tuple[float, ...]
    """Unix seconds; the end of the batch in which the engine restarted."""
    until: int
    """Number of the first batch that is not part of it."""


def past_of(columns: Sequence[Column], *, length: float, since: int, until: int) -> Past:
    """Pieces of the batches from `since` to `until` from values at their ends, dated by these ends.

    For the last of them the end of the batch after it has to be there as well.
    """
    found = _matrix(columns)
    if found is None:
        return _one_by_one(columns, length=length, since=since, until=until)
    times, names, values = found
    how = assembly(names)
    counters, levels = _counters(how, values), _known(how.values[-len(LEVELS) :], values)
    steps = np.diff(counters)
    numbers = np.rint(times / length).astype(np.int64)
    fell = (steps < 0).any(axis=0) & (numbers[1:] <= until)
    final = numbers[1:] <= min(until, int(numbers[-1]) - 1)
    whole = (np.diff(numbers) == 1) & ~fell & (numbers[:-1] >= since) & final
    rows = np.concatenate([steps[: len(SCALARS)], levels[:, 1:], steps[len(SCALARS) :]]).T
    bounds = len(how.positions), tuple(b for b, _ in how.ttft), tuple(b for b, _ in how.tpot)
    edges = np.flatnonzero(np.diff(whole, prepend=False, append=False))
    pieces = [Rows(int(numbers[a]), rows[a:b], *bounds) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return Past(pieces, tuple(map(float, times[1:][fell])), until)


def _matrix(columns: Sequence[Column]) -> tuple[_Values, tuple[Series, ...], _Values] | None:
    """Times, series and their values, when each series is there once at all times; None when it takes a closer look."""
    names = tuple(column.series for column in columns)
    times = columns[0].times
    together = all(column.times == times for column in columns)
    if not together or len(set(names)) < len(names) or len(set(times)) < len(times) or any(n.bare for n in names):
        return None
    if Series(vllm_metrics.ANCHOR) not in names or Series(vllm_metrics.V0_ONLY) in names:
        return None
    values = np.array([column.values for column in columns])
    return (np.array(times), names, values) if np.isfinite(values).all() and values.min() >= 0 else None


def _counters(how: Assembly, values: _Values) -> _Values:
    """Scalars, positions and both histograms, one row each."""
    places = [*((place,) for place in how.positions), *(places for _, places in (*how.ttft, *how.tpot))]
    return _known([*how.values[: len(SCALARS)], *((one,) for one in places)], values)


def _known(sums: Sequence[tuple[Sum, ...]], values: _Values) -> _Values:
    """The first sum of each, since all values are known; NaN where there is none."""
    absent = np.full(values.shape[1], np.nan)
    return np.array([values[list(each[0])].sum(axis=0) if each else absent for each in sums])


def _one_by_one(columns: Sequence[Column], *, length: float, since: int, until: int) -> Past:
    """The same from scrapes, for pages that are put together in a less simple way."""
    dated = [c._replace(times=tuple(round(at / length) * length for at in c.times)) for c in columns]
    done = cut(scrapes(dated), length=length, interval=0.0, since=since)
    pieces = [(n, piece) for n, piece in sorted(done.pieces.items()) if n < until]
    return Past(pieces, tuple(r for r in done.restarts if r <= until * length), until)

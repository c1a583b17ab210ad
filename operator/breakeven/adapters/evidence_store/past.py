"""The past of one replica, from what its counters were at the ends of its batches.

Hours of scrapes are not needed for pieces that are a minute long: the newest scrape before each end is, and a query can
bring exactly those. Their columns are subtracted as a whole, because a thousand resources have half a million pieces.
Only the levels (running, waiting, use of the KV cache) are poorer for it: those at the end of a batch stand for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.adapters.evidence_store.packed_pieces import Rows
from breakeven.adapters.evidence_store.table import counted, table_of
from breakeven.adapters.prometheus.promql import Column, scrapes
from breakeven.domain.counters.assembly import LEVELS, SCALARS
from breakeven.domain.counters.batches import Piece, cut


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
    table = table_of(columns)
    if table is None:
        return _one_by_one(columns, length=length, since=since, until=until)
    steps = np.diff(table.rows, axis=0)
    numbers = np.rint(table.times / length).astype(np.int64)
    fell = (counted(steps) < 0).any(axis=1) & (numbers[1:] <= until)
    final = numbers[1:] <= min(until, int(numbers[-1]) - 1)
    whole = (np.diff(numbers) == 1) & ~fell & (numbers[:-1] >= since) & final
    levels = slice(len(SCALARS), len(SCALARS) + len(LEVELS))
    steps[:, levels] = table.rows[1:, levels]
    edges = np.flatnonzero(np.diff(whole, prepend=False, append=False))
    pieces = [Rows(int(numbers[a]), steps[a:b], *table.bounds) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return Past(pieces, tuple(map(float, table.times[1:][fell])), until)


def _one_by_one(columns: Sequence[Column], *, length: float, since: int, until: int) -> Past:
    """The same from scrapes, for pages that are put together in a less simple way."""
    dated = [c._replace(times=tuple(round(at / length) * length for at in c.times)) for c in columns]
    done = cut(scrapes(dated), length=length, interval=0.0, since=since)
    pieces = [(n, piece) for n, piece in sorted(done.pieces.items()) if n < until]
    return Past(pieces, tuple(r for r in done.restarts if r <= until * length), until)

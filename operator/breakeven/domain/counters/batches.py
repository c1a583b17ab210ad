"""Scrapes of replicas cut into batches of an arm.

Batch n of length L covers the wall-clock time from n·L to (n + 1)·L, so that an operator that was restarted cuts the
same batches. A replica's share of it, a piece, is the increase from the last scrape at or before the start to the last
at or before the end. It is final once a later scrape exists, and is left out when

* a scrape at either boundary is missing or older than `STALE` scrape intervals,
* the engine restarted in it (what was counted before is lost, and what came after is a warm-up anyhow),
* the replica was not ready, or became ready or restarted less than the warm-up before it.

A batch needs pieces of at least `COVERAGE` of the replicas that were ready in it.

Two engines may share a pod, one of them asleep, whose counters stand still. Then the pieces of an engine are those of
the time it was awake: it is no part of a batch that it slept through, and counts half in one in which they alternated.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import floor
from statistics import median

from breakeven.domain.counters.observation import Batch, Gauges, Scrape, Share, Totals
from breakeven.domain.counters.scrapes import increase, restarted, total

COVERAGE = 0.8
"""Least share of the ready replicas that a batch needs."""
STALE = 2.5
"""Scrape intervals after which a scrape no longer speaks for a boundary: one missed scrape is forgiven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One replica's share of one batch."""

    totals: Totals
    gauges: Gauges


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What the scrapes of one replica give."""

    pieces: Mapping[int, Piece]
    """By number of the batch; only final ones."""
    restarts: tuple[float, ...]
    """Times of the first scrape after each restart."""
    until: int
    """Number of the first batch that is not final yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica, as `combine` sees it."""

    name: str
    ready_since: float | None
    """Unix seconds; None: not ready."""
    pieces: Mapping[int, Piece] = field(default_factory=dict)
    restarts: Sequence[float] = ()
    serial: int = 0
    """Identity of the history the pieces are from."""
    others: Sequence[Mapping[int, Piece]] = ()
    """Pieces of the other engines in the same pod, which are asleep while this one is awake. Empty: it is alone."""

    def asleep(self, n: int) -> bool:
        """Whether another engine of the pod served in batch `n` and this one did not."""
        return not _served(self.pieces, n) and any(_served(other, n) for other in self.others)

    def shared(self, n: int) -> bool:
        """Whether batch `n` was served in part by this engine and in part by another one of the pod."""
        return _served(self.pieces, n) and any(_served(other, n) for other in self.others)


def _served(pieces: Mapping[int, Piece], n: int) -> bool:
    return n in pieces and bool(pieces[n].totals.steps or pieces[n].totals.first_tokens)


def interval_of(times: Sequence[float]) -> float | None:
    """Seconds between scrapes: the median gap. None from fewer than two."""
    return median(b - a for a, b in pairwise(times)) if len(times) > 1 else None


def number(at: float, length: float) -> int:
    """Number of the batch that this moment lies in."""
    return floor(at / length)


def restarts_in(scrapes: Sequence[Scrape]) -> tuple[float, ...]:
    """Times of the first scrape after each restart."""
    return tuple(b.at for a, b in pairwise(scrapes) if restarted(a.totals, b.totals))


def cut(
    scrapes: Sequence[Scrape], *, length: float, interval: float, since: int, restarts: Sequence[float] | None = None
) -> Cut:
    """Cut the scrapes of one replica, in order of time, into pieces from batch `since` on.

    `restarts` are the times of the first scrapes after restarts, where they are known already.
    """
    times = [s.at for s in scrapes]
    restarts = restarts_in(scrapes) if restarts is None else tuple(restarts)
    if not times:
        return Cut(pieces={}, restarts=(), until=since)
    first = max(since, number(times[0], length))
    until = max(since, number(times[-1], length))
    while until > first and until * length >= times[-1]:
        until -= 1
    pieces = {}
    for n in range(first, until):
        piece = _piece(scrapes, times, restarts, start=n * length, end=(n + 1) * length, stale=STALE * interval)
        if piece is not None:
            pieces[n] = piece
    return Cut(pieces=pieces, restarts=restarts, until=until)


def piece_of(
    scrapes: Sequence[Scrape], times: Sequence[float], n: int, *, length: float, interval: float
) -> Piece | None:
    """The piece of batch `n` alone, once a later scrape than its end is there; None: it is left out, or not final.

    Only the scrapes in it and the one before are looked at.
    """
    start, end = n * length, (n + 1) * length
    if not times or times[-1] <= end:
        return None
    begin, stop = max(0, bisect_right(times, start) - 1), bisect_right(times, end)
    around = scrapes[begin:stop]
    return _piece(around, times[begin:stop], restarts_in(around), start=start, end=end, stale=STALE * interval)


def _piece(
    scrapes: Sequence[Scrape],
    times: Sequence[float],
    restarts: Sequence[float],
    *,
    start: float,
    end: float,
    stale: float,
) -> Piece | None:
    i, j = bisect_right(times, start) - 1, bisect_right(times, end) - 1
    if i < 0 or i == j or start - times[i] > stale or end - times[j] > stale:
        return None
    if any(times[i] < r <= times[j] for r in restarts):
        return None
    inside = [s.gauges for s in scrapes[i + 1 : j + 1]]
    return Piece(totals=increase(scrapes[i].totals, scrapes[j].totals), gauges=level(inside))


def level(gauges: Sequence[Gauges]) -> Gauges:
    """Mean of running and waiting, maximum of the KV use; what is unknown in all of them stays unknown."""
    running = [g.running for g in gauges if g.running is not None]
    waiting = [g.waiting for g in gauges if g.waiting is not None]
    return Gauges(
        running=sum(running) / len(running) if running else None,
        waiting=sum(waiting) / len(waiting) if waiting else None,
        kv_usage=max((g.kv_usage for g in gauges if g.kv_usage is not None), default=None),
    )


def contributes(replica: Replica, *, start: float, end: float, warmup: float) -> bool:
    """Whether a replica was ready and warm for the whole time from start to end."""
    if replica.ready_since is None or replica.ready_since + warmup > start:
        return False
    return not any(start - warmup < r <= end for r in replica.restarts)


def contributors(replicas: Sequence[Replica], n: int, *, length: float, warmup: float) -> Sequence[Replica] | None:
    """Replicas that batch `n` of their arm consists of; None when they are too few for a batch."""
    start, end = n * length, (n + 1) * length
    expected = [r for r in replicas if r.ready_since is not None and r.ready_since < end]
    found = [r for r in expected if n in r.pieces and contributes(r, start=start, end=end, warmup=warmup)]
    awake = [r for r in found if not r.asleep(n)]
    return awake if awake and len(found) >= COVERAGE * len(expected) else None


def batch_of(replicas: Sequence[Replica], n: int, *, length: float, warmup: float) -> Batch | None:
    """Batch `n` of one arm; None when too few replicas contribute. Replicas come in order of their names."""
    found = contributors(replicas, n, length=length, warmup=warmup)
    return None if found is None else batch_from(found, n, length=length)


def batch_from(found: Sequence[Replica], n: int, *, length: float) -> Batch:
    """Batch `n` of an arm from the replicas that it consists of: those of `contributors`."""
    parts = [r.pieces[n] for r in found]
    if len(parts) == 1 and not found[0].others:
        alone = parts[0]
        return Batch(start=n * length, end=(n + 1) * length, totals=alone.totals, gauges=alone.gauges, replicas=1)
    awake = len(parts) - sum(r.shared(n) for r in found) / 2
    return Batch(
        start=n * length,
        end=(n + 1) * length,
        totals=total(p.totals for p in parts),
        gauges=_while_awake(level([p.gauges for p in parts]), len(parts) / awake),
        replicas=awake,
        shares=tuple(share_of(r.name, p.totals) for r, p in zip(found, parts, strict=True)),
    )


def _while_awake(gauges: Gauges, factor: float) -> Gauges:
    """Levels of the time awake: an engine that sleeps shows nothing running and nothing waiting."""
    if factor == 1:
        return gauges
    running, waiting = (None if mean is None else mean * factor for mean in (gauges.running, gauges.waiting))
    return replace(gauges, running=running, waiting=waiting)


def share_of(name: str, totals: Totals) -> Share:
    """What one replica added to a batch."""
    finished = totals.finished if totals.finished is not None else totals.first_tokens
    return Share(name, finished, totals.drafted, totals.accepted, totals.steps, totals.step_seconds, totals)


def combine(replicas: Sequence[Replica], *, length: float, warmup: float, numbers: range) -> tuple[Batch, ...]:
    """Batches of one arm, oldest first, whatever the order of the replicas."""
    ordered = sorted(replicas, key=lambda r: r.name)
    found = (batch_of(ordered, n, length=length, warmup=warmup) for n in numbers)
    return tuple(b for b in found if b is not None)

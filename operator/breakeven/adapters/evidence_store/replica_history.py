"""What is kept of one replica: the last few scrapes, and the pieces that are final."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from statistics import median

from breakeven.adapters.evidence_store.packed_pieces import PackedPieces, Rows, Shapes
from breakeven.adapters.evidence_store.packed_scrapes import PackedScrapes
from breakeven.adapters.evidence_store.past import Past
from breakeven.adapters.prometheus.promql import Target
from breakeven.domain.counters.batches import Replica, cut, number, restarts_in
from breakeven.domain.counters.increments import KEPT, Increments, Tail, increments
from breakeven.domain.counters.observation import Scrape

_SERIALS = count()
GAPS = 15
"""Gaps between scrapes of which the interval is the median."""


class ReplicaHistory:
    """Scrapes of one pod, cut into pieces as they become final."""

    def __init__(self, *, length: float, since: float, shapes: Shapes) -> None:
        self.length = length
        self.covered = since
        """Up to when Prometheus was asked about it, in Unix seconds."""
        self.target: Target | None = None
        """The scrape target that speaks for it."""
        self.pieces = PackedPieces(shapes)
        self.restarts: list[float] = []
        self.newest: float | None = None
        """Time of the newest scrape."""
        self.serial = next(_SERIALS)
        """Tells this history from one that was begun anew for the same pod."""
        self.tail = PackedScrapes(shapes)
        """The newest scrapes without histograms: the batches under way and the `KEPT` before them."""
        self._recent: list[Scrape] = []
        self._next = number(since, length)
        self._gaps: tuple[float, ...] = ()

    @property
    def until(self) -> int:
        """Number of the first batch that is not final."""
        return self._next

    @property
    def interval(self) -> float | None:
        """Seconds between scrapes, the median of the last ones."""
        return median(self._gaps) if self._gaps else None

    def add(self, scrapes: Sequence[Scrape]) -> None:
        """Take scrapes, some of which may be known; what lies before the kept ones is settled and passed over."""
        floor = self._recent[0].at if self._recent else float("-inf")
        merged = {s.at: s for s in self._recent}
        merged.update((s.at, _with_histograms(s, merged.get(s.at))) for s in scrapes if s.at >= floor)
        for at in sorted(s.at for s in scrapes):
            if self.newest is None or at > self.newest:
                if self.newest is not None:
                    self._gaps = (*self._gaps, at - self.newest)[-GAPS:]
                self.newest = at
                self._keep_tail(merged[at])
        recent = [merged[at] for at in sorted(merged)]
        self._note_restarts(recent, known=len(self._recent))
        self._recent = recent
        self._settle()

    def _note_restarts(self, recent: Sequence[Scrape], known: int) -> None:
        """Find restarts between scrapes that were not compared before: usually the newest two alone."""
        appended = recent[:known] == self._recent
        fresh = restarts_in(recent[max(0, known - 1) :] if appended else recent)
        self.restarts += [r for r in fresh if r not in self.restarts]

    def take_past(self, past: Past) -> None:
        """Take pieces of a time that no scrapes are kept of; scrapes from before `past.until` on have to follow."""
        for rows in past.pieces:
            if isinstance(rows, Rows):
                self.pieces.put_all(rows)
            else:
                self.pieces.put(*rows)
        self.restarts += [r for r in past.restarts if r not in self.restarts]
        self._next = max(self._next, past.until)
        self._recent = []

    def _keep_tail(self, scrape: Scrape) -> None:
        totals = scrape.totals
        if totals.ttft_buckets or totals.tpot_buckets:
            scrape = replace(scrape, totals=replace(totals, ttft_buckets=(), tpot_buckets=()))
        self.tail.append(scrape)
        self.tail.prune(scrape.at - (KEPT + 2) * self.length)

    def _settle(self) -> None:
        if self.newest is None or number(self.newest, self.length) <= self._next:
            return  # no further batch is final
        interval = self.interval or self.length
        done = cut(self._recent, length=self.length, interval=interval, since=self._next, restarts=self.restarts)
        for n, piece in sorted(done.pieces.items()):
            self.pieces.put(n, piece)
        self._next = done.until
        boundary = bisect_right([s.at for s in self._recent], self._next * self.length) - 1
        if boundary > 0:
            del self._recent[:boundary]

    def prune(self, oldest: float) -> None:
        """Forget what lies before this time."""
        first = number(oldest, self.length)
        self._next = max(self._next, first)
        self.pieces.prune(first)
        self.restarts = [r for r in self.restarts if r >= oldest]


def increments_of(
    replicas: Sequence[tuple[Replica, ReplicaHistory]], *, batch: float, warmup: float
) -> Increments | tuple[()]:
    """The newest scrapes of an arm, cut as finely as they allow when somebody looks at them."""
    tails = [Tail(r, h.tail, h.tail.times, h.interval) for r, h in replicas if h.tail and h.interval is not None]
    return increments(tails, batch=batch, warmup=warmup)


def _with_histograms(scrape: Scrape, known: Scrape | None) -> Scrape:
    """The same scrape read again, with the histograms that were read before: not every reading asks for them."""
    if known is None:
        return scrape
    ours, theirs = scrape.totals, known.totals
    ttft, tpot = ours.ttft_buckets or theirs.ttft_buckets, ours.tpot_buckets or theirs.tpot_buckets
    if (ttft, tpot) == (ours.ttft_buckets, ours.tpot_buckets):
        return scrape
    return replace(scrape, totals=replace(ours, ttft_buckets=ttft, tpot_buckets=tpot))

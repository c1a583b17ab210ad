"""What is kept of one replica: the last few scrapes, and the pieces that are final."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from statistics import median

from breakeven.adapters.evidence_store.packed_pieces import PackedPieces, Shapes
from breakeven.adapters.prometheus.promql import Target
from breakeven.domain.counters.batches import Replica, cut, number
from breakeven.domain.counters.increments import KEPT, Increments, Tail, increments
from breakeven.domain.counters.observation import Scrape

_SERIALS = count()


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
        self.tail: deque[Scrape] = deque()
        """The newest scrapes without histograms: the batches under way and the `KEPT` before them."""
        self._recent: list[Scrape] = []
        self._next = number(since, length)
        self._gaps: deque[float] = deque(maxlen=15)

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
                    self._gaps.append(at - self.newest)
                self.newest = at
                self._keep_tail(merged[at])
        self._recent = [merged[at] for at in sorted(merged)]
        self._settle()

    def _keep_tail(self, scrape: Scrape) -> None:
        totals = scrape.totals
        if totals.ttft_buckets or totals.tpot_buckets:
            scrape = replace(scrape, totals=replace(totals, ttft_buckets=(), tpot_buckets=()))
        self.tail.append(scrape)
        while self.tail[0].at < scrape.at - (KEPT + 2) * self.length:
            self.tail.popleft()

    def _settle(self) -> None:
        done = cut(self._recent, length=self.length, interval=self.interval or self.length, since=self._next)
        fresh = [r for r in done.restarts if r not in self.restarts]
        for n, piece in sorted(done.pieces.items()):
            self.pieces.put(n, piece)
        self.restarts.extend(fresh)
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
    tails = [Tail(r, tuple(h.tail), h.interval) for r, h in replicas if h.tail and h.interval is not None]
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

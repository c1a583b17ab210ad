"""Reading one Prometheus for all resources that point at it, in a thread of its own: one that hangs delays no other.

A cycle asks a fixed number of queries: one range selector for the newest samples of all counters and levels, one more
when histograms are wanted and a batch has ended, times the number of label spellings in use (nearly always one). Only
after a start or a gap the past is read, some pods at a time: the newest scrapes as they are, and before them what the
counters were at the end of each batch. Only when a pod cannot be found the names are looked for again. Where metric
names cannot be matched by a pattern, each query becomes one for each name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import NamedTuple, TypeVar

from breakeven.adapters.evidence_store.heap import give_back
from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.errors import MetricsError, QueryFailed
from breakeven.adapters.prometheus.naming import Naming, Pairs, PodName, bare_name, namings
from breakeven.adapters.prometheus.pod_answers import Answers, OfPod, PastSpan
from breakeven.adapters.prometheus.questions import REFUSED, Asks, Questions
from breakeven.adapters.prometheus.selectors import Selector, at_ends, pod_selectors
from breakeven.adapters.prometheus.wanted import Wanted
from breakeven.domain.counters.batches import STALE, number
from breakeven.domain.counters.increments import KEPT
from breakeven.domain.counters.observation import Outage
from breakeven.domain.counters.vllm_metrics import best_prefix, prefix_of

log = logging.getLogger(__name__)

STEP_SAMPLES = 200_000
"""Samples that one reading of the newest scrapes may have; pods that are further behind are read by themselves."""
PAST_SAMPLES = 400_000
"""Samples that one reading of the past may have: about 10 MB of JSON."""
SERIES_OF_A_POD = 24
NAMED_PODS = 100
"""Up to this many pods are named in a selector; more are found by namespace alone, to keep the query short."""
MAX_BEHIND_S = 300.0
MIN_BEHIND_S = 30.0
"""A pod that is further behind than this, at most and at least, is read by itself."""
RECENT = KEPT + 3
"""Batches of the past that are read scrape by scrape: the increments of the loss alarm are made of them."""
OVERLAP = 1.5
"""Scrape intervals that are read again, for samples that became visible late."""
DEFAULT_INTERVAL_S = 15.0
"""Scrape interval until one was seen."""
LOOK_AGAIN_S = 10.0
"""Least seconds between looking for the names of pods that are not found."""
SILENT_S = 60.0
"""Seconds after its start when a pod that gives no samples may be named in another way than was taken for granted."""
CAUGHT_UP_S = 5.0
"""A reading of the past that took longer is followed by another at once: its newest samples are that old."""
MOST_ROUNDS = 5

T = TypeVar("T")


class _Behind(NamedTuple):
    """Pods with batches of one length whose past is read together."""

    pods: tuple[PodName, ...]
    length: float
    start: float
    """Unix seconds up to which all of them were read."""


class EndpointFeed:
    """State of one endpoint. Touched by the event loop only; queries and parsing run in its thread."""

    def __init__(self, connect: Callable[[], Asks]) -> None:
        self.histories: dict[PodName, ReplicaHistory] = {}
        self.failure: Outage | None = None
        """Why the last cycle failed."""
        self.outage: Outage | None = None
        """Why nothing may be judged: the last two cycles failed, or the first. One alone holds nobody, because what was
        read before is as fresh as after a scrape that was missed."""
        self.last_success: float | None = None
        """Unix seconds of the last complete cycle."""
        self.last_queries = 0
        """Queries of the last cycle."""
        self.last_cycle_s = 0.0
        self.prefixes: frozenset[str] = frozenset()
        """Prefixes of vLLM's series that were there when names were last looked for."""
        self._questions = Questions(connect)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prometheus")
        self._naming: dict[PodName, Naming] = {}
        self._answers = Answers(self._questions)
        self._shapes = Shapes()
        self._series: dict[PodName, Mapping[float, int]] = {}
        """How many series the newest scrapes of each pod had."""
        self._looked: float | None = None
        self._past_refused = False
        """Whether the past was refused before: what is refused twice is done without, for it would hold everybody."""

    def close(self) -> None:
        """Close the connections; what is under way ends at once."""
        self._questions.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def forget_past(self) -> None:
        """Read everything anew: what was read was dated by another clock."""
        self.histories.clear()
        self._series.clear()
        self._looked = None

    @property
    def queries(self) -> int:
        """Queries sent, ever."""
        return self._questions.sent

    def interval(self, pods: Iterable[PodName]) -> float | None:
        """Seconds between scrapes of these pods, as seen."""
        seen = [h.interval for p in pods if (h := self.histories.get(p)) is not None and h.interval is not None]
        return median(seen) if seen else None

    async def cycle(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Read what is new. A failure is kept as `outage`; what was asked for is then asked for again."""
        begun, before = monotonic(), self.queries
        try:
            await self._catch_up(now, wanted)
            await self._in_thread(give_back)
        except MetricsError as error:
            self._failed(error.reason, str(error), now)
        except Exception as error:  # the edge of the loop: whatever it is, it concerns this address alone
            log.exception("a cycle failed")
            self._failed("QueryFailed", f"the answer cannot be used: {type(error).__name__} {error}"[:300], now)
        else:
            self.failure = self.outage = None
            self.last_success = now
        self.last_queries = self.queries - before
        self.last_cycle_s = monotonic() - begun

    def _failed(self, reason: str, message: str, now: float) -> None:
        before = self.failure
        since = before.since if before is not None and before.reason == reason else None
        self.failure = Outage(reason=reason, message=message, since=since or datetime.fromtimestamp(now, UTC))
        self.outage = self.failure if before is not None or self.last_success is None else None

    async def _catch_up(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Read up to the present: what went by while a long past was read would look like an outage."""
        begun = monotonic()
        for _ in range(MOST_ROUNDS):
            started = monotonic()
            past = await self._cycle(now + started - begun, wanted)
            if not past or monotonic() - started < CAUGHT_UP_S:
                return

    async def _cycle(self, now: float, wanted: Mapping[PodName, Wanted]) -> bool:
        """Read up to `now`; answers whether that took reading the past."""
        self._make_room(now, wanted)
        if not wanted:
            return False
        await self._name(now, wanted)
        up_to_date, behind = self._plan(now, wanted)
        for group in behind:
            await self._read_past(group, now, wanted)
        if up_to_date:
            await self._read(up_to_date, min(self._covered(p, now, wanted) for p in up_to_date), now, wanted)
        for pod, history in self.histories.items():
            history.prune(now - wanted[pod].keep - 2 * wanted[pod].length)
        return bool(behind)

    def _make_room(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        for pod in [p for p, h in self.histories.items() if p not in wanted or h.length != wanted[p].length]:
            del self.histories[pod]
            self._series.pop(pod, None)
        gone = [p for p in self._naming if p not in wanted]
        for pod in gone:
            del self._naming[pod]
        self._answers.gone(len(gone), len(wanted))
        for pod, want in wanted.items():
            if pod not in self.histories:
                self.histories[pod] = self._empty(now, want)

    def _empty(self, now: float, wanted: Wanted) -> ReplicaHistory:
        since = max(now - wanted.keep - wanted.length, wanted.started or 0.0)
        return ReplicaHistory(length=wanted.length, since=since, shapes=self._shapes)

    async def _name(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Find out how pods are named; a new one is first taken to be named like the others."""
        missing = [p for p in wanted if self.histories[p].newest is None]
        common = Counter(n for p, n in self._naming.items() if self.histories[p].newest is not None).most_common(1)
        for pod in missing:
            want = wanted[pod]
            if want.prefix and want.namespace_label and want.pod_label:
                self._naming[pod] = Naming(
                    want.prefix, want.namespace_label, want.pod_label, want.pod_label == "instance", believed=True
                )
            elif pod not in self._naming and common and want.may_be(common[0][0]):
                self._naming[pod] = common[0][0]
        unnamed = [p for p in missing if p not in self._naming]
        silent = [p for p in missing if p in self._naming and now - (wanted[p].started or 0.0) > SILENT_S]
        pause = LOOK_AGAIN_S if unnamed else SILENT_S
        if (unnamed or silent) and (self._looked is None or now - self._looked >= pause or not self.prefixes):
            await self._look(now, {p: wanted[p] for p in (*unnamed, *silent)})

    async def _look(self, now: float, lost: Mapping[PodName, Wanted]) -> None:
        """Look for the names of these pods."""
        groups: dict[tuple[str | None, Pairs], set[PodName]] = {}
        for pod, want in lost.items():
            groups.setdefault((want.prefix, want.pairs), set()).add(pod)
        anchors: dict[str | None, Sequence[RawSeries]] = {}
        prefixes: set[str] = set()
        for (prefix, pairs), pods in groups.items():
            if prefix not in anchors:
                anchors[prefix] = await self._anchors(prefix, now)
            candidates = namings(anchors[prefix], frozenset(pods), pairs)
            for pod, naming in (await self._most_complete(candidates, now)).items():
                if self._naming.get(pod) != naming:
                    self._naming[pod] = naming
                    self.histories[pod] = self._empty(now, lost[pod])
                    self._series.pop(pod, None)
            prefixes.update(
                p for raw in anchors[prefix] if (p := prefix_of(raw.metric.get("__name__", ""))) is not None
            )
        self.prefixes = frozenset(prefixes)
        self._looked = now

    async def _anchors(self, prefix: str | None, now: float) -> Sequence[RawSeries]:
        return await self._in_thread(lambda: self._questions.anchors(prefix, now, again_s=SILENT_S))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do something blocking. One thing at a time, in the order in which it came."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _most_complete(
        self, candidates: Mapping[PodName, Sequence[Naming]], now: float
    ) -> Mapping[PodName, Naming]:
        """The naming of each pod: of several prefixes the one that has most of what is read."""
        several = {pod: those for pod, those in candidates.items() if len(those) > 1}
        if not several:
            return {pod: those[0] for pod, those in candidates.items()}
        every = [n for those in several.values() for n in those]
        spaces, names = sorted({n for n, _ in several}), sorted({bare_name(p) for p in several})
        names = names if len(names) <= NAMED_PODS else []
        asked = list(pod_selectors(every, spaces, buckets=False, seconds=0, pods=names))
        present = await self._in_thread(lambda: [series for s in asked for series in self._questions.series(s, now)])
        exported: dict[PodName, set[str]] = {}
        for labels, _ in present:
            for naming in {n for n in every if n.speaks(labels)}:
                exported.setdefault(naming.pod_of(labels), set()).add(labels.get("__name__", ""))
        best = {pod: best_prefix(exported.get(pod, ())) for pod in several}
        return {
            pod: next((n for n in those if n.prefix == best.get(pod)), min(those)) for pod, those in candidates.items()
        }

    def _covered(self, pod: PodName, now: float, wanted: Mapping[PodName, Wanted]) -> float:
        """Up to when a pod was read, as far as that matters."""
        history = self.histories[pod]
        return max(history.covered, now - wanted[pod].keep - history.length)

    def _plan(self, now: float, wanted: Mapping[PodName, Wanted]) -> tuple[tuple[PodName, ...], list[_Behind]]:
        """The pods that are up to date, and the others in groups, those that are furthest behind last."""
        most = self._most_behind(len(wanted))
        named = {p: at for p in self.histories if p in self._naming and (at := self._covered(p, now, wanted)) < now}
        lagging: dict[float, list[PodName]] = {}
        for pod in sorted((p for p, at in named.items() if now - at > most), key=lambda p: (-named[p], p)):
            lagging.setdefault(wanted[pod].length, []).append(pod)
        behind = []
        for length, pods in lagging.items():
            size = self._group_size(length, now - min(named[p] for p in pods))
            groups = [tuple(pods[n : n + size]) for n in range(0, len(pods), size)]
            behind += [_Behind(group, length, min(named[p] for p in group)) for group in groups]
        return tuple(sorted(p for p, at in named.items() if now - at <= most)), behind

    def _most_behind(self, pods: int) -> float:
        interval = self.interval(self.histories) or DEFAULT_INTERVAL_S
        return min(MAX_BEHIND_S, max(MIN_BEHIND_S, STEP_SAMPLES * interval / (SERIES_OF_A_POD * max(1, pods))))

    def _group_size(self, length: float, span: float) -> int:
        """Pods of whose past so many seconds are read at once: they are named, and the answer stays bounded."""
        interval = self.interval(self.histories) or DEFAULT_INTERVAL_S
        samples = SERIES_OF_A_POD * (span / length + min(span, RECENT * length) / interval)
        return max(1, min(NAMED_PODS, int(PAST_SAMPLES / max(1.0, samples))))

    async def _read_past(self, group: _Behind, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Read the newest scrapes of some pods, and before them what their counters were at the ends of batches."""
        pods, length = group.pods, group.length
        recent = (number(now, length) - RECENT) * length
        interval = self.interval(pods) or DEFAULT_INTERVAL_S
        by_ends = recent > group.start and length >= STALE * interval and (length * 1000).is_integer()
        since = recent - STALE * interval if by_ends else group.start
        scraped = await self._scraped(pods, since, now, wanted)
        if by_ends:
            seen = [b - a for each in scraped.values() for a, b in pairwise(s.at for s in each.scrapes)]
            if seen and length < STALE * median(seen):  # too rare for one a batch: read as they are after all
                scraped = await self._scraped(pods, group.start, now, wanted)
            else:
                await self._take_past(group, recent, median(seen) if seen else interval, wanted)
        await self._take(scraped, pods, now)

    async def _take_past(
        self, group: _Behind, recent: float, interval: float, wanted: Mapping[PodName, Wanted]
    ) -> None:
        """Read the batches that end before `recent`."""
        pods, length = group.pods, group.length
        first, until = number(group.start, length), number(recent, length)
        within = at_ends(length, until + 2 - first)
        asked = self._asked(pods, pods, STALE * interval, wanted, within)
        naming, held = self._known(pods)
        since = {p: max(first, self.histories[p].until) for p in pods}
        span = PastSpan(length=length, since=since, until=until)
        try:
            found = await self._in_thread(lambda: self._answers.past(asked, naming, held, span))
        except QueryFailed as error:
            before, self._past_refused = self._past_refused, True
            if error.status not in REFUSED or not before:
                raise
            log.warning("the past of %d pods cannot be read, so their evidence begins now: %s", len(pods), error)
            return
        for pod, past in found.items():
            self.histories[pod].take_past(past)

    async def _read(
        self, pods: tuple[PodName, ...], start: float, end: float, wanted: Mapping[PodName, Wanted]
    ) -> None:
        await self._take(await self._scraped(pods, start, end, wanted), pods, end)

    async def _take(self, scraped: Mapping[PodName, OfPod], pods: Sequence[PodName], end: float) -> None:
        """Keep what was read of these pods up to `end`."""
        for count, pod in enumerate(pods):
            history = self.histories[pod]
            if pod in scraped:
                history.target, fresh, self._series[pod] = scraped[pod]
                history.add(fresh)
            history.covered = max(history.covered, end)
            if count % 200 == 199:
                await asyncio.sleep(0)

    async def _scraped(
        self, pods: tuple[PodName, ...], start: float, end: float, wanted: Mapping[PodName, Wanted]
    ) -> Mapping[PodName, OfPod]:
        """The scrapes of some pods; histograms of those whose batch ends."""
        interval = self.interval(pods) or DEFAULT_INTERVAL_S
        crossing = [p for p in pods if self._crosses(p, end)]
        asked = self._asked(pods, crossing, end - start + OVERLAP * interval, wanted)
        naming, held = self._known(pods)
        return await self._in_thread(lambda: self._answers.scrapes(asked, end, naming, held, patience=STALE * interval))

    def _known(self, pods: Sequence[PodName]) -> tuple[Mapping[PodName, Naming], Mapping[PodName, OfPod]]:
        held = {p: OfPod(self.histories[p].target, [], self._series.get(p, {})) for p in pods}
        return {p: self._naming[p] for p in pods}, held

    def _asked(
        self,
        pods: Sequence[PodName],
        crossing: Sequence[PodName],
        seconds: float,
        wanted: Mapping[PodName, Wanted],
        within: str = "{}",
    ) -> Sequence[Selector]:
        """Selectors for the counters of some pods, and for the histograms of those among them that want them."""
        asked: list[Selector] = []
        for buckets, those in ((False, pods), (True, [p for p in crossing if wanted[p].buckets])):
            if those:
                spaces, naming = sorted({n for n, _ in those}), [self._naming[p] for p in those]
                named = sorted({bare_name(p) for p in those}) if len(those) <= NAMED_PODS else []
                asked += pod_selectors(naming, spaces, buckets=buckets, seconds=seconds, pods=named, within=within)
        return asked

    def _crosses(self, pod: PodName, end: float) -> bool:
        """Whether the newest scrape is of another batch than this moment.

        A piece is cut from the scrapes around the two ends of its batch when a later one comes, and from no others, so
        histograms between them would be read for nothing.
        """
        history = self.histories[pod]
        return history.newest is None or number(history.newest, history.length) < number(end, history.length)

"""Reading one Prometheus for all resources that point at it, in a thread of its own: one that hangs delays no other.

A cycle asks a fixed number of queries: one range selector for the newest samples of all counters and levels, one more
when histograms are wanted and a batch has ended, times the number of label spellings in use (nearly always one). Only
when a pod is new, or after a gap, its past is read in bounded steps, and only when a pod cannot be found the names are
looked for again. Where metric names cannot be matched by a pattern, each query becomes one for each name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import monotonic
from typing import NamedTuple, TypeVar

from breakeven.adapters.evidence_store.heap import give_back
from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.errors import MetricsError
from breakeven.adapters.prometheus.naming import Naming, Pairs, PodName, namings
from breakeven.adapters.prometheus.promql import Gathering, Places, Target, chosen, gather, scrapes, series_at
from breakeven.adapters.prometheus.questions import Asks, Questions
from breakeven.adapters.prometheus.selectors import Selector, pod_selectors
from breakeven.domain.counters.batches import STALE, number
from breakeven.domain.counters.observation import Outage, Scrape
from breakeven.domain.counters.vllm_metrics import best_prefix, prefix_of

log = logging.getLogger(__name__)

STEP_SAMPLES = 200_000
"""Samples that one step of reading the past may have: about 20 MB of JSON."""
SERIES_OF_A_POD = 24
NAMED_PODS = 100
"""Up to this many pods are named in a selector; more are found by namespace alone, to keep the query short."""
MAX_STEP_S = 300.0
MIN_STEP_S = 30.0
"""Longest and shortest step of reading the past."""
MAX_STEPS = 500
"""Steps of one cycle; more is no history but a mistake."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of one pod."""

    length: float
    """Seconds of a batch."""
    keep: float
    """Seconds of the past, history and warm-up."""
    started: float | None
    """Unix seconds; its metrics begin here."""
    buckets: bool = False
    prefix: str | None = None
    namespace_label: str | None = None
    pod_label: str | None = None

    @property
    def pairs(self) -> Pairs:
        """Label names that may carry it."""
        return Pairs.of(self.namespace_label, self.pod_label)


class _OfPod(NamedTuple):
    """What a reading has of one pod, or what was read of it before."""

    target: Target | None
    """The target that speaks for it."""
    scrapes: list[Scrape]
    """Those that were not read before."""
    series: Mapping[float, int]
    """How many series its newest scrapes have: a scrape with as many is not taken apart a second time."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One span of time to be read for some pods."""

    pods: tuple[PodName, ...]
    start: float
    end: float


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
        self._places = Places()
        self._shapes = Shapes()
        self._series: dict[PodName, Mapping[float, int]] = {}
        """How many series the newest scrapes of each pod had."""
        self._looked: float | None = None

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
            steps = await self._cycle(now + started - begun, wanted)
            if steps <= 1 or monotonic() - started < CAUGHT_UP_S:
                return

    async def _cycle(self, now: float, wanted: Mapping[PodName, Wanted]) -> int:
        """Read up to `now`; answers in how many steps."""
        self._make_room(now, wanted)
        if not wanted:
            return 0
        await self._name(now, wanted)
        steps = 0
        for _ in range(MAX_STEPS):
            reads = self._plan(now, wanted)
            if not reads:
                break
            steps += 1
            for read in reads:
                await self._read(read, wanted)
        for pod, history in self.histories.items():
            history.prune(now - wanted[pod].keep - 2 * wanted[pod].length)
        return steps

    def _make_room(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        for pod in [p for p, h in self.histories.items() if p not in wanted or h.length != wanted[p].length]:
            del self.histories[pod]
            self._series.pop(pod, None)
        gone = [p for p in self._naming if p not in wanted]
        for pod in gone:
            del self._naming[pod]
        self._places.gone(len(gone), len(wanted))
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
            elif pod not in self._naming and common and _agrees(common[0][0], want):
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
        spaces, names = sorted({n for n, _ in several}), sorted({p for _, p in several})
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

    def _plan(self, now: float, wanted: Mapping[PodName, Wanted]) -> list[_Read]:
        """What to read next: the newest samples of pods that are up to date, one step of the past for the others."""
        step = self._step(len(wanted))
        behind = {p: max(h.covered, now - wanted[p].keep - h.length) for p, h in self.histories.items()}
        named = {p: at for p, at in behind.items() if p in self._naming and at < now}
        if not named:
            return []
        steady = tuple(sorted(p for p, at in named.items() if now - at <= step))
        lagging = tuple(sorted(p for p, at in named.items() if now - at > step))
        reads = []
        if steady:
            reads.append(_Read(steady, min(named[p] for p in steady), now))
        if lagging:
            start = min(named[p] for p in lagging)
            reads.append(_Read(lagging, start, min(now, start + step)))
        return reads

    def _step(self, pods: int) -> float:
        interval = self.interval(self.histories) or DEFAULT_INTERVAL_S
        return min(MAX_STEP_S, max(MIN_STEP_S, STEP_SAMPLES * interval / (SERIES_OF_A_POD * max(1, pods))))

    async def _read(self, read: _Read, wanted: Mapping[PodName, Wanted]) -> None:
        naming = {p: self._naming[p] for p in read.pods}
        held = {p: _OfPod(self.histories[p].target, [], self._series.get(p, {})) for p in read.pods}
        interval = self.interval(read.pods) or DEFAULT_INTERVAL_S
        seconds = read.end - read.start + OVERLAP * interval
        asked: list[Selector] = []
        crossing = [p for p in read.pods if wanted[p].buckets and self._crosses(p, read.end)]
        for buckets, pods in ((False, read.pods), (True, crossing)):
            if pods:
                spaces, their = sorted({n for n, _ in pods}), [naming[p] for p in pods]
                named = sorted({p for _, p in pods}) if len(pods) <= NAMED_PODS else []
                asked += pod_selectors(their, spaces, buckets=buckets, seconds=seconds, pods=named)
        scraped = await self._in_thread(lambda: self._gather(asked, read.end, naming, held, STALE * interval))
        for count, pod in enumerate(read.pods):
            history = self.histories[pod]
            if pod in scraped:
                history.target, fresh, self._series[pod] = scraped[pod]
                history.add(fresh)
            history.covered = max(history.covered, read.end)
            if count % 200 == 199:
                await asyncio.sleep(0)

    def _crosses(self, pod: PodName, end: float) -> bool:
        """Whether the newest scrape is of another batch than this moment.

        A piece is cut from the scrapes around the two ends of its batch when a later one comes, and from no others, so
        histograms between them would be read for nothing.
        """
        history = self.histories[pod]
        return history.newest is None or number(history.newest, history.length) < number(end, history.length)

    def _gather(
        self,
        asked: Sequence[Selector],
        at: float,
        naming: Mapping[PodName, Naming],
        held: Mapping[PodName, _OfPod],
        patience: float,
    ) -> dict[PodName, _OfPod]:
        """Ask and parse, in the thread. All of it or, when one query fails, nothing: half a scrape is no scrape."""
        gathering: Gathering[PodName] = Gathering()
        for selector in asked:
            for result in self._questions.results(selector, at):
                gather(gathering, result, naming, self._places)
        by_pod = {}
        for pod, targets in gathering.by_owner.items():
            target = chosen(targets, held[pod].target, patience=patience)
            before = held[pod].series if target == held[pod].target else {}
            by_pod[pod] = _OfPod(target, scrapes(targets[target], before), series_at(targets[target]))
        return by_pod


def _agrees(naming: Naming, wanted: Wanted) -> bool:
    pairs = wanted.pairs
    return (
        (wanted.prefix or naming.prefix) == naming.prefix
        and (naming.namespace, naming.pod) in pairs.pairs
        and naming.believed == pairs.believed
    )

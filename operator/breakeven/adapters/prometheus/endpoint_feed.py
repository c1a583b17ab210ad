"""Reading one Prometheus for all resources that point at it.

A cycle asks a fixed number of queries: one range selector for the newest samples of all counters and levels, one more
when histograms are wanted and a batch has ended, times the number of label spellings in use (nearly always one). Only
when a pod is new, or after a gap, its past is read in bounded steps, and only when a pod cannot be found the names are
looked for again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import monotonic
from typing import Protocol

from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.prometheus.client import MetricsError, RawSeries
from breakeven.adapters.prometheus.promql import (
    LABEL_PAIRS,
    Gathering,
    Naming,
    Places,
    PodName,
    Target,
    anchor_query,
    chosen,
    namings,
    scrapes,
    selectors,
)
from breakeven.domain.counters.batches import STALE, number
from breakeven.domain.counters.observation import Outage, Scrape
from breakeven.domain.counters.vllm_metrics import prefix_of

STEP_SAMPLES = 200_000
"""Samples one step of reading the past may bring: about 20 MB of JSON."""
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


class Asks(Protocol):
    """A Prometheus to ask; blocking."""

    def query(self, text: str, *, at: float) -> Iterable[RawSeries]:
        """Evaluate an instant query. Raises MetricsError, at once or while the answer is gone through."""

    def close(self) -> None:
        """Close the connections."""


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
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Label names that may carry it."""
        if self.namespace_label and self.pod_label:
            return ((self.namespace_label, self.pod_label),)
        pairs = ((self.namespace_label or n, self.pod_label or p) for n, p in LABEL_PAIRS)
        return tuple(dict.fromkeys(pairs))


Found = dict[PodName, tuple[Target, list[Scrape]]]


@dataclass(frozen=True, slots=True)
class _Read:
    """One span of time to be read for some pods."""

    pods: tuple[PodName, ...]
    start: float
    end: float


class EndpointFeed:
    """State of one endpoint. Touched by the event loop only; queries and parsing run in a thread."""

    def __init__(self, client: Asks, executor: Executor) -> None:
        self.histories: dict[PodName, ReplicaHistory] = {}
        self.outage: Outage | None = None
        """Why the last cycle failed."""
        self.last_success: float | None = None
        """Unix seconds of the last complete cycle."""
        self.queries = 0
        """Queries sent, ever."""
        self.prefixes: frozenset[str] = frozenset()
        """Prefixes of vLLM's series that were there when names were last looked for."""
        self._client = client
        self._executor = executor
        self._naming: dict[PodName, Naming] = {}
        self._places = Places()
        self._looked: float | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def interval(self, pods: Iterable[PodName]) -> float | None:
        """Seconds between scrapes of these pods, as seen."""
        seen = [h.interval for p in pods if (h := self.histories.get(p)) is not None and h.interval is not None]
        return median(seen) if seen else None

    async def cycle(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Read what is new. A failure is kept as `outage`; what was asked for is then asked for again."""
        try:
            await self._catch_up(now, wanted)
        except MetricsError as error:
            held = self.outage
            since = held.since if held is not None and held.reason == error.reason else None
            self.outage = Outage(
                reason=error.reason, message=str(error), since=since or datetime.fromtimestamp(now, UTC)
            )
        else:
            self.outage = None
            self.last_success = now

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
        gone = [p for p in self._naming if p not in wanted]
        for pod in gone:
            del self._naming[pod]
        self._places.gone(len(gone), len(wanted))
        for pod, want in wanted.items():
            if pod not in self.histories:
                self.histories[pod] = _empty(now, want)

    async def _name(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Find out how pods are named; a new one is first taken to be named like the others."""
        missing = [p for p in wanted if self.histories[p].newest is None]
        common = Counter(n for p, n in self._naming.items() if self.histories[p].newest is not None).most_common(1)
        for pod in missing:
            want = wanted[pod]
            if want.prefix and want.namespace_label and want.pod_label:
                self._naming[pod] = Naming(want.prefix, want.namespace_label, want.pod_label)
            elif pod not in self._naming and common and _agrees(common[0][0], want):
                self._naming[pod] = common[0][0]
        unnamed = [p for p in missing if p not in self._naming]
        silent = [p for p in missing if p in self._naming and now - (wanted[p].started or 0.0) > SILENT_S]
        pause = LOOK_AGAIN_S if unnamed else SILENT_S
        if (unnamed or silent) and (self._looked is None or now - self._looked >= pause or not self.prefixes):
            await self._look(now, {p: wanted[p] for p in (*unnamed, *silent)})

    async def _look(self, now: float, lost: Mapping[PodName, Wanted]) -> None:
        prefixes: set[str] = set()
        groups: dict[tuple[str | None, tuple[tuple[str, str], ...]], set[PodName]] = {}
        for pod, want in lost.items():
            groups.setdefault((want.prefix, want.pairs), set()).add(pod)
        results: dict[str | None, Sequence[RawSeries]] = {}
        for (prefix, pairs), pods in groups.items():
            if prefix not in results:
                results[prefix] = await self._ask([anchor_query(prefix)], now)
            found = results[prefix]
            for pod, naming in namings(found, frozenset(pods), pairs).items():
                if self._naming.get(pod) != naming:
                    self._naming[pod] = naming
                    self.histories[pod] = _empty(now, lost[pod])
            prefixes.update(p for raw in found if (p := prefix_of(raw["metric"].get("__name__", ""))) is not None)
        self.prefixes = frozenset(prefixes)
        self._looked = now

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
        held = {p: self.histories[p].target for p in read.pods}
        interval = self.interval(read.pods) or DEFAULT_INTERVAL_S
        seconds = read.end - read.start + OVERLAP * interval
        texts: list[str] = []
        crossing = [p for p in read.pods if wanted[p].buckets and self._crosses(p, read.end)]
        for buckets, pods in ((False, read.pods), (True, crossing)):
            if pods:
                spaces, their = sorted({n for n, _ in pods}), [naming[p] for p in pods]
                named = sorted({p for _, p in pods}) if len(pods) <= NAMED_PODS else []
                texts += selectors(their, spaces, buckets=buckets, seconds=seconds, pods=named)
        self.queries += len(texts)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._executor, lambda: _gather(self._client, texts, read.end, naming, held, STALE * interval, self._places)
        )
        for count, pod in enumerate(read.pods):
            history = self.histories[pod]
            if pod in found:
                history.target = found[pod][0]
                history.add(found[pod][1])
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

    async def _ask(self, texts: Sequence[str], at: float) -> list[RawSeries]:
        self.queries += len(texts)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, lambda: [raw for text in texts for raw in self._client.query(text, at=at)]
        )


def _empty(now: float, wanted: Wanted) -> ReplicaHistory:
    since = max(now - wanted.keep - wanted.length, wanted.started or 0.0)
    return ReplicaHistory(length=wanted.length, since=since)


def _agrees(naming: Naming, wanted: Wanted) -> bool:
    return (wanted.prefix or naming.prefix) == naming.prefix and (naming.namespace, naming.pod) in wanted.pairs


def _gather(
    client: Asks,
    texts: Sequence[str],
    at: float,
    naming: Mapping[PodName, Naming],
    held: Mapping[PodName, Target | None],
    patience: float,
    places: Places,
) -> Found:
    """Ask and parse, in a thread. All of it or, when one query fails, nothing: half a scrape is no scrape."""
    gathering = Gathering(places)
    for text in texts:
        gathering.add(client.query(text, at=at), naming)
    found: Found = {}
    for pod, targets in gathering.by_pod.items():
        target = chosen(targets, held[pod], patience=patience)
        found[pod] = (target, scrapes(targets[target]))
    return found

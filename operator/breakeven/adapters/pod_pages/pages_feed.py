"""Reading the pages of engine pods: the evidence of `EndpointFeed`, without a Prometheus.

Each cycle asks every pod once, side by side, within a deadline and with answers of a bounded size; nothing but the
request itself is sent, no credential among it, and no redirection is followed. Who is asked are pods that the resource
controls, at the address that the API server has. What was read before this process began is not known: its windows
begin anew.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median
from time import monotonic

import aiohttp

from breakeven.adapters.bodies import bounded_body
from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.pod_pages.page import Unreadable, read_page
from breakeven.adapters.prometheus.naming import PodName
from breakeven.adapters.prometheus.wanted import Wanted
from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Outage, Scrape

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""For one page, from the connection to its end."""
MAX_BYTES = 4 * 1024 * 1024
"""Largest page that is read: an engine's has some hundred kilobytes."""
AT_ONCE = 32
"""Pods asked at the same time."""
_LONGEST = 200
_NO_ADDRESS = "its address is not known, is its node's, or it holds two engines, which pages do not tell apart"


class PodPagesFeed:
    """Pages of all pods whose resources are measured this way. Touched by the event loop only; parsing has a thread."""

    def __init__(self) -> None:
        self.histories: dict[PodName, ReplicaHistory] = {}
        self.failure: Outage | None = None
        """Why the last cycle failed as a whole."""
        self.outage: Outage | None = None
        self.last_success: float | None = None
        """Unix seconds of the last cycle."""
        self.last_queries = 0
        """Pages asked for in the last cycle."""
        self.last_cycle_s = 0.0
        self._why: dict[PodName, str] = {}
        """Why the last page of a pod could not be read."""
        self._shapes = Shapes()
        self._session: aiohttp.ClientSession | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages")

    def close(self) -> None:
        """Close the connections; what is under way ends."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._session is not None and not self._session.closed:
            asyncio.get_running_loop().create_task(self._session.close())

    def forget_past(self) -> None:
        """Begin anew: what was read was dated by another clock."""
        self.histories.clear()

    def interval(self, pods: Iterable[PodName]) -> float | None:
        """Seconds between pages of these pods, as read."""
        seen = [h.interval for p in pods if (h := self.histories.get(p)) is not None and h.interval is not None]
        return median(seen) if seen else None

    def missing(self, pods: Iterable[PodName], *, fresh: int) -> Outage:
        """Why too few of these pods were read."""
        named = sorted(pods)[:3]
        words = "; ".join(f"{pod[1]}: {self._why.get(pod) or self._late(pod)}" for pod in named)
        reason = Reason.PODS_UNSCRAPED if fresh else Reason.PODS_UNREADABLE
        return Outage(reason=reason, message=f"/metrics of pods cannot be read: {words}")

    def _late(self, pod: PodName) -> str:
        """Without the age, which grows by itself: a status that only ages is not written again."""
        history = self.histories.get(pod)
        if history is None or history.newest is None:
            return "not read yet"
        return "read before, and too long ago: the operator, the pod or a node between them is too busy"

    async def cycle(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        """Read every pod once. A pod that does not answer is missing, and delays no other."""
        begun = monotonic()
        self._make_room(now, wanted)
        gate = asyncio.Semaphore(AT_ONCE)
        try:
            await asyncio.gather(*(self._read(pod, want, now, gate) for pod, want in wanted.items()))
        except Exception as error:  # the edge of the loop: whatever it is, the others are asked again next time
            log.exception("pages could not be read")
            self.failure = self.outage = Outage(
                reason=Reason.QUERY_FAILED,
                message=f"pages could not be read: {type(error).__name__} {error}"[:300],
                since=datetime.fromtimestamp(now, UTC),
            )
        else:
            self.failure = self.outage = None
            self.last_success = now
        for pod, history in self.histories.items():
            history.prune(now - wanted[pod].keep - 2 * wanted[pod].length)
        self.last_queries = len(wanted)
        self.last_cycle_s = monotonic() - begun

    def _make_room(self, now: float, wanted: Mapping[PodName, Wanted]) -> None:
        for pod in [p for p, h in self.histories.items() if p not in wanted or h.length != wanted[p].length]:
            del self.histories[pod]
        for pod in self._why.keys() - wanted.keys():
            del self._why[pod]
        for pod, want in wanted.items():
            if pod not in self.histories:
                self.histories[pod] = ReplicaHistory(length=want.length, since=now, shapes=self._shapes)

    async def _read(self, pod: PodName, want: Wanted, now: float, gate: asyncio.Semaphore) -> None:
        if want.address is None:
            self._why[pod] = _NO_ADDRESS
            return
        begun = monotonic()
        async with gate:
            waited = monotonic() - begun
            try:
                body = await self._page(want.address)
                scrape = await asyncio.get_running_loop().run_in_executor(
                    self._thread, _scrape, body, now + waited, want
                )
            except (aiohttp.ClientError, TimeoutError, OSError, Unreadable, UnicodeDecodeError) as error:
                self._why[pod] = _words(error)
                return
        self._why.pop(pod, None)
        history = self.histories.get(pod)
        if history is not None:
            history.add([scrape])

    async def _page(self, address: str) -> bytes:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                trust_env=False,
                auto_decompress=False,  # a small answer could unpack to any size
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "text/plain", "Accept-Encoding": "identity"},
            )
        async with self._session.get(f"http://{address}/metrics", allow_redirects=False) as answer:
            if answer.status != 200:
                raise Unreadable(f"HTTP {answer.status}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unreadable("the page is compressed, which was not asked for")
            body = await bounded_body(answer, MAX_BYTES)
            if len(body) > MAX_BYTES:
                raise Unreadable(f"the page is larger than {MAX_BYTES >> 20} MiB")
            return body


def _scrape(body: bytes, at: float, want: Wanted) -> Scrape:
    return read_page(body.decode("utf-8"), at=at, prefix=want.prefix, buckets=want.buckets)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    text = "the page is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST]

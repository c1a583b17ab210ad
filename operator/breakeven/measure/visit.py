"""One visit: the load of one cell on one server, its warm-up left out, between two readings of the counters."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from breakeven.domain.counters.observation import Gauges, Totals
from breakeven.domain.counters.scrapes import increase, restarted
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.prompts import PromptSet
from breakeven.measure.server import Answer, Page, Server

READINGS = 4
"""Readings of the page in a window after the first: acceptance and levels are told over these parts."""
PATIENCE = 20
"""Times its length that the last part of a window, or a warm-up, may last until enough requests have ended."""
HOPELESS = 12
"""Failures without a single answer after which a visit ends."""
_BACK_OFF = (0.1, 2.0)
"""First and longest pause of a client after a failure, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one visit measured."""

    cell: Cell
    arm: Arm
    turn: int
    """Which round of the grid it belongs to, from 0."""
    seconds: float
    """Length of the window."""
    totals: Totals
    """Increase of the server's counters over it."""
    parts: tuple[tuple[float, float], ...] = ()
    """Drafted and accepted tokens between two readings."""
    gauges: Gauges = field(default_factory=Gauges)
    prefix_queries: float | None = None
    prefix_hits: float | None = None
    kv_tokens: float | None = None
    answers: tuple[Answer, ...] = ()
    """Requests that ended in the window."""
    failures: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0
    """Prompt and output tokens that the visit cost, warm-up included."""


class Trouble(Exception):
    """A server cannot be measured further; the message says why and what to do."""


class Pace:
    """Holds requests back so that no more than so many start in a second, over all visits."""

    def __init__(self, most: float | None) -> None:
        self._gap = 1 / most if most else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next request may start."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        begin = max(now, self._next)
        self._next = begin + self._gap
        if begin > now:
            await asyncio.sleep(begin - now)


@dataclass(slots=True)
class _Load:
    """Keeps the requests of one cell going and notes what comes of them."""

    server: Server
    cell: Cell
    prompts: PromptSet
    pace: Pace
    rng: Random
    answers: list[Answer] = field(default_factory=list)
    firsts: list[Answer] = field(default_factory=list)
    """Answers to each client's first request: they all began at once, so they are nobody's usual answer."""
    failures: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        if self.cell.arrivals:
            self._spawn(self._arrive())
        else:
            for _ in range(round(self.cell.load)):
                self._spawn(self._client(Random(self.rng.random())))

    async def stop(self) -> None:
        """Give up what is open: it would be measured without its neighbours."""
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _client(self, rng: Random) -> None:
        """One client: the next request as soon as the last one ended. The first is cut at random, out of step."""
        share, pause = rng.random(), _BACK_OFF[0]
        while True:
            await self.pace.turn()
            if await self._one(rng, share):
                share, pause = 1.0, _BACK_OFF[0]
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _BACK_OFF[1])

    async def _arrive(self) -> None:
        due = asyncio.get_running_loop().time()
        while True:
            due += self.rng.expovariate(self.cell.load)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self.pace.turn()
            self._spawn(self._request(Random(self.rng.random())))

    async def _request(self, rng: Random) -> None:
        await self._one(rng, 1.0)

    async def _one(self, rng: Random, share: float) -> bool:
        path, body, kind = self.prompts.body(rng, kind=self.cell.prompts, temperature=self.cell.temperature)
        body["max_tokens"] = max(1, round(share * body["max_tokens"]))
        answer = await self.server.ask(path, body, kind)
        if answer.failure:
            self.failures[answer.failure] += 1
        else:
            (self.answers if share == 1.0 else self.firsts).append(answer)
        self.changed.set()
        return not answer.failure

    async def wait(self, begun: float, seconds: float, enough: Callable[[], bool]) -> None:
        """Wait so long, and that long again until there is enough, but not more often than patience lasts.

        It never ends just because a request did: a window that begins there would begin with the next one's first
        token every time.
        """
        clock = asyncio.get_running_loop().time
        for turn in range(1, PATIENCE + 1):
            while clock() < begun + turn * seconds:
                if not (self.answers or self.firsts) and self.failures.total() >= HOPELESS:
                    raise Trouble(_hopeless(self.failures))
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(begun + turn * seconds):
                        await self.changed.wait()
            if enough():
                return


async def visit(
    server: Server,
    cell: Cell,
    arm: Arm,
    *,
    turn: int,
    prompts: PromptSet,
    pace: Pace,
    warmup: float,
    window: float,
    seed: int,
) -> Visit:
    """Measure one cell on one server once. `warmup` and `window` are seconds.

    Raises
    ------
    Trouble
        If the server restarted, or nothing is answered.
    PageError
        If its page cannot be read.
    """
    # The same sequence for every arm: what differs between requests does not differ between servers.
    load = _Load(server, cell, prompts, pace, Random(f"{seed} {cell} {turn}"))
    clock = asyncio.get_running_loop().time
    clients = 1 if cell.arrivals else max(1, round(cell.load))
    load.start()
    try:
        await load.wait(clock(), max(warmup, 0.1), lambda: len(load.firsts) + len(load.answers) >= clients)
        warm, spoiled = len(load.answers), Counter(load.failures)
        pages, times = [await server.page()], [clock()]

        def answered() -> bool:
            return len(load.answers) - warm >= clients

        for part in range(READINGS):
            await load.wait(times[-1], window / READINGS, answered if part == READINGS - 1 else _at_once)
            pages.append(await server.page())
            times.append(clock())
        answers = tuple(a for a in load.answers[warm:] if times[0] <= a.last <= times[-1])
    finally:
        await load.stop()
    return _made(cell, arm, turn, times[-1] - times[0], pages, answers, load, spoiled)


def _at_once() -> bool:
    return True


def _made(
    cell: Cell,
    arm: Arm,
    turn: int,
    seconds: float,
    pages: Sequence[Page],
    answers: tuple[Answer, ...],
    load: _Load,
    before: Counter[str],
) -> Visit:
    first, last = pages[0], pages[-1]
    if first.started != last.started or restarted(first.scrape.totals, last.scrape.totals):
        raise Trouble("the server restarted while it was measured; look at its log, then run the same command again")
    counted = [page.scrape.totals for page in pages]
    parts = [increase(a, b) for a, b in pairwise(counted)]
    return Visit(
        cell=cell,
        arm=arm,
        turn=turn,
        seconds=seconds,
        totals=increase(counted[0], counted[-1]),
        parts=tuple((p.drafted, p.accepted) for p in parts if p.drafted and p.accepted is not None),
        gauges=_levels([page.scrape.gauges for page in pages]),
        prefix_queries=_risen(first.prefix_queries, last.prefix_queries),
        prefix_hits=_risen(first.prefix_hits, last.prefix_hits),
        kv_tokens=last.kv_tokens,
        answers=answers,
        failures=dict(load.failures - before),
        tokens=sum(a.tokens + a.prompt_tokens for a in (*load.firsts, *load.answers)),
    )


def _levels(gauges: Sequence[Gauges]) -> Gauges:
    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    return Gauges(
        running=mean([g.running for g in gauges]),
        waiting=mean([g.waiting for g in gauges]),
        kv_usage=max((g.kv_usage for g in gauges if g.kv_usage is not None), default=None),
    )


def _risen(earlier: float | None, later: float | None) -> float | None:
    return None if earlier is None or later is None else max(0.0, later - earlier)


def _hopeless(failures: Counter[str]) -> str:
    what, _ = failures.most_common(1)[0]
    advice = {
        "HTTP 429": "it turns requests away: lower --concurrency or set --max-rate",
        "HTTP 500": "it fails inside: look at its log",
        "HTTP 503": "it is not ready, or overloaded: look at its log",
        "HTTP 404": "it does not serve this path or model: give --model, or prompts it can answer",
        "HTTP 401": "it wants a key: set OPENAI_API_KEY",
        "HTTP 400": "it refuses the requests: are the prompts too long for it, or lacks the model a chat template?",
        "cannot be reached": "it is gone: look at its log, then run the same command again",
        "connection lost": "it ended while it answered: look at its log, then run the same command again",
    }
    return f"{failures.total()} requests in a row failed ({what}): {advice.get(what, 'look at its log')}"

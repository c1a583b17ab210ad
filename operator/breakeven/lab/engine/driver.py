"""Runs a core in real time: a few wake-ups a second, several steps at each."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from breakeven.lab.engine.core import EngineCore, Request

TICK = 0.04
"""Least seconds between two wake-ups. Steps in between are computed together with exact times; an answer is at most
this late."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A request under way and how its reader is told."""

    request: Request
    progress: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when tokens came or the request ended; a reader clears it."""


class Driver:
    """Feeds a core with requests and lets simulated time follow the clock."""

    def __init__(self, core: EngineCore, *, time_scale: float = 1.0) -> None:
        self.core = core
        self._scale = time_scale
        self._began = time.monotonic()
        self._tickets: dict[int, Ticket] = {}
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._quiet = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that are not finished."""
        return len(self._tickets)

    def now(self) -> float:
        """Simulated seconds since the engine began."""
        return (time.monotonic() - self._began) * self._scale

    def submit(self, request: Request) -> Ticket:
        """Queue a request as of now. Raises ValueError when it can never fit."""
        now = self.now()
        if self.core.idle:
            self.core.advance(now)
        request.arrival = max(now, self.core.clock) if self.core.idle else now
        self.core.submit(request)
        ticket = Ticket(request)
        self._tickets[id(request)] = ticket
        self._work.set()
        return ticket

    def abort(self, ticket: Ticket, reason: str = "abort") -> None:
        """End a request early; its reader gets what there is."""
        self.core.abort(ticket.request, reason)
        self._tickets.pop(id(ticket.request), None)
        ticket.progress.set()
        if not self.core.running:
            self._quiet.set()

    def abort_all(self, reason: str = "abort") -> None:
        """End every request early."""
        for ticket in list(self._tickets.values()):
            self.abort(ticket, reason)

    def abort_running(self) -> None:
        """End early what runs, and leave what waits."""
        running = set(map(id, self.core.running))
        for ticket in [t for t in self._tickets.values() if id(t.request) in running]:
            self.abort(ticket)

    async def nothing_runs(self) -> None:
        """Wait until every request that was begun is finished; others may wait."""
        self._quiet.clear()
        if self.core.running:
            await self._quiet.wait()

    def go_on(self) -> None:
        """What waited while the core was paused may run now."""
        self._work.set()

    async def run(self) -> None:
        """Step until cancelled."""
        while True:
            if self.core.idle:
                self._work.clear()
                await self._work.wait()
            self.catch_up()
            next_event = self.core.next_event
            wait = 0.0 if next_event is None else (next_event - self.now()) / self._scale
            if not self.core.idle:
                await asyncio.sleep(max(wait, TICK))

    async def drained(self, seconds: float) -> bool:
        """Wait until nothing is in flight; False when that took longer than allowed."""
        self._empty.clear()
        if not self._tickets:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        return not self._tickets

    def catch_up(self) -> None:
        """Run every step that is over by now and tell the readers."""
        for request in self.core.advance(self.now()):
            ticket = self._tickets.pop(id(request), None)
            if ticket is not None:
                ticket.progress.set()
        if not self._tickets:
            self._empty.set()
        if not self.core.running:
            self._quiet.set()
        for ticket in self._tickets.values():
            if ticket.request.emitted:
                ticket.progress.set()

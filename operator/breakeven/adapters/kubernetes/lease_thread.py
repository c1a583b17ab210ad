"""The Lease in a thread of its own: passes that hold the event loop for seconds must not cost the leadership.

Renewing proves only that this thread lives, so it ends as well when the main loop has not turned for `PATIENCE_S`: a
process that hangs gives way to a standby.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from breakeven.adapters.kubernetes.lease import LeaseElector, LeaseSettings
from breakeven.adapters.kubernetes.rest import Rest

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""A main loop that did not turn for so long is taken to hang. The longest turn seen is far below it."""
BEAT_S = 1.0


class LeaseThread:
    """`control.ports.Leadership` for the main loop; electing and renewing run in a thread with its own connection."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Rest]],
        settings: LeaseSettings,
        *,
        patience_s: float = PATIENCE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._settings = settings
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._elector: LeaseElector | None = None
        self._beaten = monotonic()
        self.held = asyncio.Event()
        """Set, on the main loop, once the lease is held."""
        self.lost = asyncio.Event()
        """Set, on the main loop, when it was held and is no more, or when it cannot be tried any longer."""

    def may_write(self) -> bool:
        """Whether the lease is held and was renewed within the deadline. Reads one number that the thread writes."""
        return self._elector is not None and self._elector.may_write()

    async def run(self, stop: asyncio.Event) -> None:
        """Acquire and renew until told to stop, or until the lease is lost. Releases it at the end."""
        loop, ended, quitting = asyncio.get_running_loop(), asyncio.Event(), _Quit()

        def tell(event: asyncio.Event) -> None:
            with contextlib.suppress(RuntimeError):  # the main loop was closed in the middle of the end
                loop.call_soon_threadsafe(event.set)

        def work() -> None:
            try:
                asyncio.run(self._elect(quitting, tell))
            except Exception:  # the edge of the thread: without it nothing can be written
                log.exception("the lease cannot be renewed any more")
            finally:
                if not quitting.asked:
                    tell(self.lost)
                tell(ended)

        thread = threading.Thread(target=work, name="lease", daemon=True)
        thread.start()
        try:
            await self._beat(stop, ended)
        finally:
            quitting.ask()
        await ended.wait()
        thread.join()

    async def _beat(self, stop: asyncio.Event, ended: asyncio.Event) -> None:
        """Show that the main loop turns, until told to stop or the thread is through."""
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(ended.wait())]
        try:
            done: set[asyncio.Task[Literal[True]]] = set()
            while not done:
                self._beaten = self._monotonic()
                done, _ = await asyncio.wait(waiting, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _elect(self, quitting: "_Quit", tell: Callable[[asyncio.Event], None]) -> None:
        """The thread's own loop."""
        rest, stop = await self._connect(), asyncio.Event()
        elector = LeaseElector(rest, self._settings, monotonic=self._monotonic, alive=self._alive)
        self._elector = elector
        quitting.calls(asyncio.get_running_loop(), stop)

        async def pass_on() -> None:
            await elector.held.wait()
            tell(self.held)

        passing = asyncio.create_task(pass_on())
        try:
            await elector.run(stop)
        finally:
            passing.cancel()
            if elector.lost.is_set():
                tell(self.lost)
            await rest.close()

    def _alive(self) -> bool:
        return self._monotonic() - self._beaten < self._patience_s


class _Quit:
    """Asks a loop in another thread to stop, whether it has begun yet or not."""

    def __init__(self) -> None:
        self.asked = False
        self._lock = threading.Lock()
        self._call: Callable[[], object] | None = None

    def ask(self) -> None:
        """From the main loop."""
        with self._lock:
            self.asked = True
            if self._call is not None:
                with contextlib.suppress(RuntimeError):  # that loop has ended by itself
                    self._call()

    def calls(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        """From the thread: what to set."""
        with self._lock:
            self._call = lambda: loop.call_soon_threadsafe(stop.set)
            if self.asked:
                stop.set()

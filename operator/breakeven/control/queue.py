"""A queue of keys: each key waits at most once, is worked on by one worker at a time, and may be due later.

A key that is due goes to the worker that has waited longest, and one timer stands for all keys that are due later: if
every worker waited for the next date itself, all of them would wake for each key.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable

from breakeven.control.ports import Key


class KeyQueue:
    """Keys by due time. For one event loop; `clock` and `jitter` are arguments for tests."""

    def __init__(
        self,
        *,
        base_s: float = 1.0,
        ceiling_s: float = 120.0,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._base_s = base_s
        self._ceiling_s = ceiling_s
        self._clock = clock
        self._jitter = jitter
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._waiting: deque[asyncio.Future[Key | None]] = deque()
        """Workers without a key, the longest waiting first."""
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that are due now and wait for a worker."""
        now = self._now()
        return sum(1 for key, due in self._due.items() if due <= now and key not in self._busy)

    @property
    def busy(self) -> int:
        """Keys that are being worked on."""
        return len(self._busy)

    async def add(self, key: Key, after_s: float = 0.0) -> None:
        """Have the key looked at in `after_s` seconds; an earlier date that it already has stays."""
        due = self._now() + max(0.0, after_s)
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._push(key, due)

    async def retry(self, key: Key, at_least_s: float = 0.0) -> float:
        """Have the key looked at again after a failure: the delay doubles with each one and is spread by half.

        Returns the seconds until then.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._ceiling_s, self._base_s * 2.0 ** min(failures, 30)) * (0.5 + 0.5 * self._jitter())
        delay = max(delay, at_least_s)
        await self.add(key, delay)
        return delay

    def succeeded(self, key: Key) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    async def close(self) -> None:
        """Hand out nothing more."""
        self._closed = True
        self._hand_out()

    async def get(self) -> Key | None:
        """Wait for the next key that is due and that nobody works on; `done` must follow. None once it is closed."""
        handed: asyncio.Future[Key | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(handed)
        self._hand_out()
        try:
            return await handed
        except asyncio.CancelledError:
            key = handed.result() if handed.done() and not handed.cancelled() else None
            if key is not None:  # it was handed over in the moment of the cancellation
                await self.add(key)
                await self.done(key)
            raise

    async def done(self, key: Key) -> None:
        """The worker is through with the key; if it was added meanwhile, it is due again."""
        self._busy.discard(key)
        due = self._due.get(key)
        if due is not None:
            self._push(key, due)

    def _push(self, key: Key, due: float) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, key))
        self._hand_out()

    def _hand_out(self) -> None:
        """Give what is due to whoever waits, and come back when the next key is due if somebody still waits then."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            if self._waiting[0].done():  # cancelled
                self._waiting.popleft()
                continue
            key, wait_s = (None, None) if self._closed else self._next()
            if key is None and not self._closed:
                if wait_s is not None:
                    self._timer = asyncio.get_running_loop().call_later(wait_s, self._hand_out)
                return
            if key is not None:
                self._busy.add(key)
            self._waiting.popleft().set_result(key)

    def _next(self) -> tuple[Key | None, float | None]:
        now = self._now()
        while self._heap:
            due, _, key = self._heap[0]
            stale = self._due.get(key) != due or key in self._busy
            if not stale and due > now:
                return None, due - now
            heapq.heappop(self._heap)
            if not stale:
                del self._due[key]
                return key, None
        return None, None

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()

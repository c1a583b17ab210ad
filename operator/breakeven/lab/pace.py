"""How much of a processor this machine gives, so that deadlines meant for an idle one stretch with a busy one."""

import os
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Self

SLICE_S = 0.02
"""CPU time of one sample: several turns of the scheduler, and 2 % of a core at one sample a second."""
EVERY_S = 1.0
KEEP = 0.8
"""Weight of what was known before a sample: a few seconds of starvation count, one late wake-up does not."""
MOST = 30.0
"""No deadline is stretched further: work that takes thirty times as long does not end well by waiting."""

BUSY = 2.0
"""From here on the machine is worth a word when something took too long."""


def slice_seconds(cpu: Callable[[], float] = time.thread_time, wall: Callable[[], float] = time.monotonic) -> float:
    """Wall seconds that one second of CPU time takes this thread now: 1 on an idle machine."""
    began, used = wall(), cpu()
    while cpu() - used < SLICE_S:
        sum(range(200))
    return max(1.0, (wall() - began) / SLICE_S)


class Pace:
    """Samples the machine's pace in a thread of its own, from `start` until the process ends."""

    def __init__(
        self, sample: Callable[[], float] = slice_seconds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sample = sample
        self.clock = clock
        self._slowness = 1.0
        self._thread: threading.Thread | None = None

    @property
    def slowness(self) -> float:
        """Seconds that a second of work takes, lately: at least 1."""
        return self._slowness

    def start(self) -> Self:
        """Begin sampling; the first sample is taken before this returns."""
        self._slowness = self._sample()
        self._thread = threading.Thread(target=self._run, name="pace", daemon=True)
        self._thread.start()
        return self

    def take(self) -> None:
        """Take one sample into the average."""
        self._slowness = KEEP * self._slowness + (1 - KEEP) * self._sample()

    def stretched(self, seconds: float) -> float:
        """A limit meant for an idle machine, for this one."""
        return seconds * min(self._slowness, MOST)

    def __str__(self) -> str:
        cores = len(os.sched_getaffinity(0))
        plural = "s" if cores > 1 else ""
        return f"a second of work takes {self._slowness:.1f} s (load {os.getloadavg()[0]:.0f} on {cores} core{plural})"

    def _run(self) -> None:
        while True:
            time.sleep(EVERY_S)
            self.take()


@cache
def this_machine() -> Pace:
    """The pace of this machine, sampled from the first call on: one thread for a process."""
    return Pace().start()


class Patience:
    """A deadline in seconds of an idle machine: time counts for less while the machine is slow."""

    def __init__(self, seconds: float, pace: Pace) -> None:
        self._seconds = seconds
        self._pace = pace
        self._began = self._seen = pace.clock()
        self._spent = 0.0

    @property
    def waited(self) -> float:
        """Wall seconds since it began."""
        return self._pace.clock() - self._began

    @property
    def slowness(self) -> float:
        """How many times longer than meant it has lasted: 1 on an idle machine."""
        return self.waited / self._spent if self._spent > 0 else 1.0

    @property
    def remark(self) -> str:
        """A clause about the machine, where it is busy."""
        return f"; the machine is busy: {self._pace}" if self.slowness > BUSY else ""

    def over(self) -> bool:
        """Whether the time is up. Ask it at least every few seconds: what passed is weighed by the pace of now."""
        now = self._pace.clock()
        self._spent += (now - self._seen) / min(self._pace.slowness, MOST)
        self._seen = now
        return self._spent >= self._seconds

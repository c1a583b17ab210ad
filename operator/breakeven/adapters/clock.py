"""Time: the system's clock, and whether it can be trusted."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

JUMP_S = 60.0
"""The system's clock may be corrected by so much at once; more is a jump, after which nothing is judged."""
ADOPTED_AFTER_S = 120.0
"""Seconds after which a clock that jumped is the clock again, if it has run evenly since and the API server's clock
agrees: somebody set it right."""


class SystemClock:
    """`control.ports.Clock` on the system's clock, watched by the monotonic one, which nobody can set.

    After a jump time goes on as before it, so that nothing grows old or young by it, until the system clock is back or
    has run evenly for `ADOPTED_AFTER_S` in agreement with that of another machine. Meanwhile `jump` says by how much it
    is off.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        """The system's clock less the monotonic one, as it is believed."""
        self._jumped: tuple[float, float] | None = None
        """Offset after a jump, and when it was first seen, on the monotonic clock."""
        self._other: tuple[float, float] | None = None
        """Offset of another machine's clock, and when it was last heard, on the monotonic clock."""
        self.adopted = 0
        """How often a clock that had jumped was adopted: what was dated before is dated otherwise."""

    def now(self) -> datetime:
        """Aware, UTC, whole milliseconds: what is written to a status reads back the same."""
        now = datetime.fromtimestamp(self.unix(), UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def unix(self) -> float:
        """The same in Unix seconds."""
        self._look()
        return self._monotonic() + self._offset

    def heard(self, unix: float) -> None:
        """Take note of what another machine's clock says now; from any thread."""
        now = self._monotonic()
        self._other = unix - now, now

    @property
    def jump(self) -> float:
        """Seconds by which the system's clock was set forward (or back, below zero) since it was last trusted."""
        self._look()
        return self._jumped[0] - self._offset if self._jumped is not None else 0.0

    def _look(self) -> None:
        now = self._monotonic()
        offset = self._wall() - now
        if abs(offset - self._offset) <= JUMP_S:
            self._offset, self._jumped = offset, None  # NTP's small corrections are followed
        elif self._jumped is None or abs(offset - self._jumped[0]) > JUMP_S:
            self._jumped = offset, now
        elif now - self._jumped[1] >= ADOPTED_AFTER_S and self._agreed(offset, since=self._jumped[1]):
            self._offset, self._jumped = offset, None
            self.adopted += 1

    def _agreed(self, offset: float, *, since: float) -> bool:
        other = self._other
        return other is not None and other[1] >= since and abs(other[0] - offset) <= JUMP_S

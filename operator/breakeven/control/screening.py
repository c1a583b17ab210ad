"""After a reading of the metrics: which resources it concerns. All others sleep until time or an object wakes them."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from breakeven.control.ports import Key
from breakeven.control.queue import KeyQueue

log = logging.getLogger(__name__)

AT_A_TIME = 50
"""Resources that are looked at before everything else has its turn: some five milliseconds."""


class Screening:
    """Looks at all resources with a new reading at once and puts those that ask for a pass into the queue."""

    def __init__(self, asks: Callable[[Key], bool], queue: KeyQueue) -> None:
        self._asks = asks
        self._queue = queue

    async def screen(self, keys: Sequence[Key]) -> None:
        """Look at these resources."""
        for begin in range(0, len(keys), AT_A_TIME):
            for key in keys[begin : begin + AT_A_TIME]:
                if self._needs_a_pass(key):
                    await self._queue.add(key)
            await asyncio.sleep(0)

    def _needs_a_pass(self, key: Key) -> bool:
        try:
            return self._asks(key)
        except Exception:  # the edge of the loop: one broken resource must not end the feed, and its pass says why
            log.exception("a reading could not be screened", extra={"key": str(key)})
            return True

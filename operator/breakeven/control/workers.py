"""Workers that take keys from the queue and run one pass for each."""

import logging
import random
import time
from collections.abc import Awaitable, Callable

from breakeven.control.errors import ControlError, Gone, Refused, Retry
from breakeven.control.outcome import Outcome
from breakeven.control.ports import Key, Recorder
from breakeven.control.queue import KeyQueue

log = logging.getLogger(__name__)


class Workers:
    """A fixed number of workers. Start `run` as many times as there should be; nothing a pass does ends one."""

    def __init__(
        self,
        queue: KeyQueue,
        reconcile: Callable[[Key], Awaitable[Outcome]],
        recorder: Recorder,
        *,
        refused_s: float = 30.0,
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._recorder = recorder
        self._refused_s = refused_s

    async def run(self) -> None:
        """Work until the queue is closed; a pass that has begun is finished."""
        while (key := await self._queue.get()) is not None:
            await self.work(key)

    async def work(self, key: Key) -> None:
        """One pass for one key, timed and caught."""
        start = time.monotonic()
        error = ""
        try:
            outcome = await self._reconcile(key)
            self._queue.succeeded(key)
            if outcome.again_s is not None:
                # Spread: a thousand resources must not come back in the same instant. Later rather than earlier: the
                # next reading of the metrics comes then and asks for the passes that have a reason.
                await self._queue.add(key, outcome.again_s * (1.0 + 0.2 * random.random()))
        except Refused as exc:
            error = "refused"
            log.error("refused: %s", exc, extra={"key": str(key)})
            await self._queue.retry(key, self._refused_s)
        except Retry as exc:
            error = type(exc).__name__.lower()
            delay = await self._queue.retry(key, exc.after_s or 0.0)
            log.warning("again in %.1f s: %s", delay, exc, extra={"key": str(key)})
        except Gone as exc:
            error = "gone"  # deleted while the pass ran: the next one finds that out
            log.debug("%s", exc, extra={"key": str(key)})
            await self._queue.retry(key)
        except ControlError as exc:
            error = type(exc).__name__.lower()
            log.warning("%s", exc, extra={"key": str(key)})
            await self._queue.retry(key)
        except Exception:  # the edge of the loop: one broken resource must not end a worker
            error = "bug"
            log.exception("a pass failed", extra={"key": str(key)})
            await self._queue.retry(key)
        finally:
            await self._queue.done(key)
            self._recorder.passed(key, seconds=time.monotonic() - start, error=error)

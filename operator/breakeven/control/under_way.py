"""Work that passes start and never wait for, so much of it at a time."""

import asyncio
from collections.abc import Coroutine


class UnderWay:
    """Tasks of one kind, kept until they end: asyncio itself holds none of them."""

    def __init__(self, *, at_once: int) -> None:
        self.gate = asyncio.Semaphore(at_once)
        """Entered by a task for as long as it asks somebody."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin it in the background."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what is running."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

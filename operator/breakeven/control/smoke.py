"""Real completions sent to a new replica before its variant takes a trial, in the background of the passes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from breakeven.control.fleet import alive, ready_since, variant_of
from breakeven.control.ports import Key, Manifest, SmokeTest
from breakeven.domain.counters.observation import Smoke


@dataclass(frozen=True, slots=True)
class _Result:
    state: Smoke
    message: str


class SmokeDesk:
    """Outcomes by pod uid. A pass asks and never waits; when an answer comes, `wake` gets the key."""

    def __init__(self, test: SmokeTest, wake: Callable[[Key], Awaitable[None]], *, at_once: int = 8) -> None:
        self._test = test
        self._wake = wake
        self._results: dict[Key, dict[str, _Result]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(at_once)

    @property
    def pending(self) -> int:
        """Tests that are under way."""
        return len(self._tasks)

    def look(self, key: Key, pods: Iterable[Manifest], *, variant: str, model: str) -> Mapping[str, tuple[Smoke, str]]:
        """Outcome for one variant; starts the test for its ready pods that have none yet."""
        known = self._results.setdefault(key, {})
        mine = [p for p in pods if variant_of(p) == variant and alive(p)]
        for pod in mine:
            if not ready_since(pod):
                continue  # an engine that died of the test is not ready any more, and its outcome counts
            uid, address = pod["metadata"]["uid"], pod.get("status", {}).get("podIP", "")
            if uid not in known and address:
                known[uid] = _Result(Smoke.PENDING, "")
                task = asyncio.create_task(self._run(key, uid, address, model))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        results = [known[p["metadata"]["uid"]] for p in mine if p["metadata"]["uid"] in known]
        for state in (Smoke.FAILED, Smoke.PENDING, Smoke.PASSED):
            found = next((r for r in results if r.state is state), None)
            if found:
                return {variant: (found.state, found.message)}
        return {}

    def forget(self, key: Key, keep: Iterable[str] = ()) -> None:
        """Drop the outcomes of pods that are gone."""
        keep = set(keep)
        left = {uid: r for uid, r in self._results.get(key, {}).items() if uid in keep}
        if left:
            self._results[key] = left
        else:
            self._results.pop(key, None)

    async def close(self) -> None:
        """Stop what is running."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, key: Key, uid: str, address: str, model: str) -> None:
        async with self._gate:
            why = await self._test.run(address, model)
        if uid in self._results.get(key, {}):
            self._results[key][uid] = _Result(Smoke.FAILED if why else Smoke.PASSED, why)
            await self._wake(key)

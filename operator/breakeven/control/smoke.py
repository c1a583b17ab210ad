"""Real completions sent to a new replica before its variant takes a trial, in the background of the passes."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from breakeven.control.fleet import SmokeResult, address_of, alive, ready_since, variant_of
from breakeven.control.ports import Key, Manifest, SmokeTest
from breakeven.control.under_way import UnderWay
from breakeven.domain.counters.observation import Smoke

log = logging.getLogger(__name__)

_ON_HOST = (
    "the pod is on its node's network, where a request may reach somebody else: "
    "leave spec.podTemplate.spec.hostNetwork out"
)


class SmokeTests:
    """Tests that are under way. A pass starts them and never waits; when an answer comes, `wake` gets the key.

    The outcomes belong to the resource: a pass hands them in, by uid of the pod.
    """

    def __init__(self, test: SmokeTest, wake: Callable[[Key], Awaitable[None]], *, at_once: int = 8) -> None:
        self._test = test
        self._wake = wake
        self._under_way = UnderWay(at_once=at_once)

    @property
    def pending(self) -> int:
        """Tests that are under way."""
        return len(self._under_way)

    def start_missing(
        self, key: Key, pods: Iterable[Manifest], results: dict[str, SmokeResult], *, variant: str, model: str
    ) -> None:
        """Start the test for the ready pods of one variant that have no outcome yet."""
        for pod in pods:
            uid, address = pod["metadata"]["uid"], address_of(pod)
            if variant_of(pod) != variant or not ready_since(pod) or uid in results:
                continue
            if (pod.get("spec") or {}).get("hostNetwork"):
                results[uid] = SmokeResult(Smoke.FAILED, _ON_HOST)
                continue
            if address is None:
                continue
            results[uid] = SmokeResult(Smoke.PENDING)
            self._under_way.start(self._run(key, uid, address, model, results))

    async def close(self) -> None:
        """Stop what is running."""
        await self._under_way.close()

    async def _run(self, key: Key, uid: str, address: str, model: str, results: dict[str, SmokeResult]) -> None:
        try:
            async with self._under_way.gate:
                why = await self._test.run(address, model)
        except Exception as error:  # whatever a test does, its outcome is known afterwards
            log.exception("the smoke test of %s ended in an error", key)
            why = f"the test could not be carried out: {type(error).__name__} {error}"
        if uid in results:
            results[uid] = SmokeResult(Smoke.FAILED if why else Smoke.PASSED, why)
            await self._wake(key)


def forget_gone(results: dict[str, SmokeResult], pods: Iterable[Manifest]) -> None:
    """Drop the outcomes of pods that are gone."""
    for uid in results.keys() - {pod["metadata"]["uid"] for pod in pods}:
        del results[uid]


def smoke_outcome(pods: Iterable[Manifest], results: Mapping[str, SmokeResult], *, variant: str) -> SmokeResult | None:
    """What the tests of a variant came to: one failure is enough, and all must have passed. None: none was begun.

    An engine that died of the test is not ready any more, and its outcome counts.
    """
    known = [r for p in pods if variant_of(p) == variant and alive(p) and (r := results.get(p["metadata"]["uid"]))]
    worst_first = (Smoke.FAILED, Smoke.PENDING, Smoke.PASSED)
    return next((r for state in worst_first for r in known if r.state is state), None)

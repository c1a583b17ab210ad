"""Outcomes of smoke tests, whatever the test does."""

import asyncio

from breakeven.api.names import RESOURCE, VARIANT
from breakeven.control.fleet import SmokeResult
from breakeven.control.ports import Key, Manifest
from breakeven.control.smoke import SmokeTests
from breakeven.domain.counters.observation import Smoke

KEY = Key("inference", "llama")
POD: Manifest = {
    "metadata": {"uid": "u", "name": "p", "namespace": "inference", "labels": {VARIANT: "v", RESOURCE: "llama"}},
    "status": {
        "podIP": "10.0.0.1",
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z"}],
    },
}


class Answers:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def run(self, address: str, model: str) -> str:
        self.asked.append(address)
        return ""


async def nobody(key: Key) -> None:
    return


async def test_a_pod_on_the_network_of_its_node_is_not_asked_and_says_why() -> None:
    test, results = Answers(), dict[str, SmokeResult]()
    tests = SmokeTests(test, nobody)
    tests.start_missing(KEY, [{**POD, "spec": {"hostNetwork": True}}], results, variant="v", model="m")
    await tests.close()
    assert test.asked == []
    assert results["u"].state is Smoke.FAILED
    assert "hostNetwork" in results["u"].message


class Raises:
    async def run(self, address: str, model: str) -> str:
        raise RecursionError("maximum recursion depth exceeded")


async def test_a_test_that_raises_has_failed_and_is_not_pending_for_ever() -> None:
    woken = asyncio.Event()

    async def wake(key: Key) -> None:
        woken.set()

    tests = SmokeTests(Raises(), wake)
    results: dict[str, SmokeResult] = {}
    tests.start_missing(KEY, [POD], results, variant="v", model="m")
    assert results["u"].state is Smoke.PENDING
    async with asyncio.timeout(5):
        await woken.wait()
    assert results["u"].state is Smoke.FAILED
    assert "recursion depth" in results["u"].message

"""Which changes of a pod start it: each pod runs once, however late its last changes are heard."""

import asyncio
from typing import Any, ClassVar

import pytest

from breakeven.lab.kubelet import kubelet as module
from breakeven.lab.kubelet.kubelet import Kubelet


class Runner:
    """Stands in for a pod: runs until it is told to end, as `PodRunner` does."""

    started: ClassVar[list[str]] = []

    def __init__(self, pod: dict[str, Any], _around: object) -> None:
        self.pod, self.gone, self._ending = pod, False, asyncio.Event()

    def update(self, pod: dict[str, Any]) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            self._ending.set()

    def remove(self) -> None:
        self.gone = True
        self._ending.set()

    async def run(self) -> None:
        self.started.append(self.pod["metadata"]["uid"])
        await self._ending.wait()


def pod(uid: str, **metadata: str) -> dict[str, Any]:
    return {"metadata": {"name": "one", "uid": uid, **metadata}, "spec": {"nodeName": "h100"}, "status": {}}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(module, "PodRunner", Runner)
    monkeypatch.setattr(Runner, "started", [])
    return Runner.started


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_change_heard_after_the_end_starts_nothing(started: list[str]) -> None:
    kubelet = Kubelet(None, frozenset({"h100"}))  # type: ignore[arg-type]
    one, ending = pod("a"), pod("a", deletionTimestamp="2026-11-26T12:00:00Z")
    kubelet.changed(None, one)
    await settle()
    kubelet.changed(one, ending)
    await settle()
    kubelet.changed(ending, ending)  # its last status, written before the object was let go
    await settle()
    assert started == ["a"]
    kubelet.changed(ending, None)
    kubelet.changed(None, pod("b"))
    await settle()
    assert started == ["a", "b"]
    await kubelet.stop()


async def test_a_pod_whose_object_went_first_is_not_remembered(started: list[str]) -> None:
    kubelet = Kubelet(None, frozenset({"h100"}))  # type: ignore[arg-type]
    kubelet.changed(None, pod("a"))
    await settle()
    kubelet.changed(pod("a"), None)
    await settle()
    assert started == ["a"]
    assert not kubelet._finished

"""The Lease is renewed beside the event loop, and given up when that loop hangs."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from tests.support.fake_rest import FakeRest

from breakeven.adapters.kubernetes.lease import LeaseSettings
from breakeven.adapters.kubernetes.lease_thread import LeaseThread

SETTINGS = LeaseSettings(namespace="n", name="l", identity="a", duration_s=0.6, deadline_s=0.4, period_s=0.01)


class ClosableRest(FakeRest):
    """One that tells how often the lease was written, to a thread that waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Semaphore(0)
        self.closed = False

    def _store(self, body: Any, version: int) -> Any:
        stored = super()._store(body, version)
        self.written.release()
        return stored

    async def close(self) -> None:
        self.closed = True


def lease(rest: FakeRest, **more: Any) -> LeaseThread:
    async def connect() -> Any:
        return rest

    return LeaseThread(connect, SETTINGS, **more)


async def led(rest: ClosableRest, then: Callable[[LeaseThread], None], **more: Any) -> LeaseThread:
    """Lead, do something, and stop."""
    leading, stop = lease(rest, **more), asyncio.Event()
    running = asyncio.create_task(leading.run(stop))
    await leading.held.wait()
    then(leading)
    stop.set()
    await running
    return leading


async def test_lease_is_renewed_while_a_pass_holds_the_main_loop() -> None:
    rest = ClosableRest()

    def hog(leading: LeaseThread) -> None:
        for _ in range(5):  # blocks this loop until the other thread has renewed again
            assert rest.written.acquire(timeout=10)
        assert leading.may_write()

    leading = await led(rest, hog)
    assert not leading.lost.is_set()


async def test_lease_is_released_and_nothing_is_written_after_the_end() -> None:
    rest = ClosableRest()
    leading = await led(rest, lambda _: None)
    assert rest.lease is not None
    assert rest.lease["spec"]["holderIdentity"] == ""
    assert rest.closed
    assert not leading.may_write()
    assert not leading.lost.is_set()


async def test_lost_lease_is_told_to_the_main_loop() -> None:
    rest = ClosableRest()
    leading, stop = lease(rest), asyncio.Event()
    running = asyncio.create_task(leading.run(stop))
    await leading.held.wait()
    assert rest.lease is not None
    taken = {**rest.lease, "spec": {**rest.lease["spec"], "holderIdentity": "b"}}
    taken["metadata"]["resourceVersion"] = str(int(taken["metadata"]["resourceVersion"]) + 100)
    rest.lease = taken
    await leading.lost.wait()
    await running
    assert not leading.may_write()
    assert rest.lease["spec"]["holderIdentity"] == "b"


async def test_main_loop_that_hangs_loses_the_lease() -> None:
    rest, stop = ClosableRest(), asyncio.Event()
    leading = lease(rest, patience_s=0.0)  # as if it had not turned for long, whenever the thread looks
    leading._beaten = float("inf")
    running = asyncio.create_task(leading.run(stop))
    while not leading.held.is_set():
        leading._beaten = float("inf")
        await asyncio.sleep(0)
    leading._beaten = 0.0
    await leading.lost.wait()
    await running
    assert not leading.may_write()


async def test_thread_that_cannot_connect_loses_the_lease() -> None:
    async def connect() -> Any:
        raise OSError("no route")

    leading = LeaseThread(connect, SETTINGS)
    await leading.run(asyncio.Event())
    assert leading.lost.is_set()
    assert not leading.may_write()

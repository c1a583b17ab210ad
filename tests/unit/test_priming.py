"""The first complete listing has an age in `/healthz`, at the start and on becoming the leader."""

import asyncio
from types import SimpleNamespace
from typing import Any

from breakeven import app
from breakeven.control.errors import Retry
from breakeven.settings import Settings
from breakeven.telemetry.health import Age


class Listing:
    """A resync that works only when it is let."""

    def __init__(self) -> None:
        self.works = asyncio.Event()
        self.pod_monitors = False

    async def run(self) -> set[Any]:
        if not self.works.is_set():
            await self.works.wait()
            raise Retry("one last time")
        return set()


def operator_and_age() -> tuple[Any, Age]:
    made = app._Operator(Settings(), None, asyncio.Event())
    (age,) = (a for a in made._health()._ages if a.name == "priming")
    return made, age


async def test_a_listing_that_does_not_end_grows_old_and_one_that_ended_owes_nothing(monkeypatch: Any) -> None:
    made, age = operator_and_age()
    listing = Listing()
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: _pause())
    task = asyncio.create_task(made._keep_listed(listing, SimpleNamespace(), None))
    await _pause()
    assert age.last() == made.started
    assert not made.primed.is_set()
    listing.works.set()
    async with asyncio.timeout(5):
        await made.primed.wait()
    assert age.last() is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_standby_owes_nothing_until_it_leads() -> None:
    made, age = operator_and_age()
    listing, elector = Listing(), SimpleNamespace(held=asyncio.Event())
    listing.works.set()
    task = asyncio.create_task(made._keep_listed(listing, SimpleNamespace(), elector))
    for _ in range(5):
        await _pause()
    assert age.last() is None
    listing.works.clear()
    elector.held.set()
    for _ in range(10):
        await _pause()
    assert age.last() is not None
    assert not made.primed.is_set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _pause() -> None:
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned

"""What ends by itself ends the process, and says so."""

import asyncio
import logging

import pytest

from breakeven.app import Background


async def fails() -> None:
    raise ValueError("netloc is no address")


async def returns() -> None:
    return


async def waits(until: asyncio.Event) -> None:
    await until.wait()


@pytest.mark.parametrize(("work", "reason"), [(fails, "netloc is no address"), (returns, "it returned")])
async def test_a_task_that_ends_unexpectedly_ends_the_process_with_its_reason(
    work: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    background = Background(stop)
    with caplog.at_level(logging.CRITICAL):
        task = background.start("the metrics feed", work())  # type: ignore[operator]  # one of the two above
        await asyncio.wait({task})
        async with asyncio.timeout(5):
            await stop.wait()
    assert background.failed
    assert "the metrics feed ended unexpectedly" in caplog.text
    assert reason in caplog.text


async def test_tasks_that_are_told_to_end_are_fine() -> None:
    stop = asyncio.Event()
    background = Background(stop)
    tasks = {background.start("a", waits(background.ending)), background.start("b", waits(asyncio.Event()))}
    background.finishing = True
    background.ending.set()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert not background.failed
    assert not stop.is_set()


async def test_after_a_stop_nothing_is_unexpected() -> None:
    stop = asyncio.Event()
    background = Background(stop)
    stop.set()
    await asyncio.wait({background.start("a", returns())})
    assert not background.failed

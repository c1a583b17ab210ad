"""Keys by due time, one worker a key."""

import asyncio

from breakeven.control.ports import Key
from breakeven.control.queue import KeyQueue

A, B = Key("n", "a"), Key("n", "b")


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_key_that_is_added_twice_is_handed_out_once() -> None:
    queue = KeyQueue()
    await queue.add(A)
    await queue.add(A)
    assert queue.depth == 1
    assert await queue.get() == A
    assert queue.depth == 0


async def test_earlier_date_wins() -> None:
    time = Time()
    queue = KeyQueue(clock=time)
    await queue.add(A, 60)
    await queue.add(A, 0)
    assert await queue.get() == A
    await queue.done(A)
    await queue.add(B, 0)
    await queue.add(B, 60)
    assert await queue.get() == B


async def test_key_is_never_worked_on_twice_at_once_and_not_lost() -> None:
    queue = KeyQueue()
    await queue.add(A)
    assert await queue.get() == A
    await queue.add(A)
    await queue.add(B)
    assert await queue.get() == B
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.done(A)
    assert await waiting == A


async def test_failures_double_the_delay_up_to_a_ceiling_and_success_forgets_them() -> None:
    time = Time()
    queue = KeyQueue(clock=time, base_s=1, ceiling_s=8, jitter=lambda: 1.0)
    assert [await queue.retry(A) for _ in range(5)] == [1, 2, 4, 8, 8]
    queue.succeeded(A)
    assert await queue.retry(A) == 1
    assert await queue.retry(B, 30) == 30


async def test_jitter_spreads_by_half() -> None:
    assert await KeyQueue(jitter=lambda: 0.0, base_s=10).retry(A) == 5


async def test_delayed_key_comes_when_it_is_due() -> None:
    time = Time()
    queue = KeyQueue(clock=time)
    await queue.add(A, 10)
    assert queue.depth == 0
    time.now += 10
    assert queue.depth == 1
    assert await queue.get() == A


async def test_keys_that_are_due_later_come_in_order_to_the_workers_that_wait() -> None:
    queue = KeyQueue()
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    await queue.add(A, 0.02)
    await queue.add(B, 0.01)
    assert [await waiting[0], await waiting[1]] == [B, A], "whoever waits longest gets what is due first"
    assert not waiting[2].done()
    assert queue.busy == 2
    await queue.close()
    assert await waiting[2] is None


async def test_date_that_moves_forward_is_kept_while_a_worker_waits() -> None:
    queue = KeyQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await queue.add(A, 3600)
    await queue.add(A, 0.01)
    assert await waiting == A


async def test_worker_that_is_cancelled_loses_no_key() -> None:
    queue = KeyQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await queue.add(A)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert queue.busy == 0
    cancelled = asyncio.create_task(queue.get())
    assert await cancelled == A
    await queue.done(A)
    idle = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    idle.cancel()
    await asyncio.wait([idle])
    await queue.add(B)
    assert await queue.get() == B


async def test_closed_queue_hands_out_nothing() -> None:
    queue = KeyQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await queue.close()
    assert await waiting is None
    await queue.add(A)
    assert await queue.get() is None

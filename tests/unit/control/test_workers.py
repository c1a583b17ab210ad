"""The edge of the loop."""

import pytest
from tests.support.world import FakeRecorder

from breakeven.control.errors import Gone, Refused, Retry
from breakeven.control.outcome import Outcome
from breakeven.control.ports import Key
from breakeven.control.queue import KeyQueue
from breakeven.control.workers import Workers

A = Key("n", "a")


class Book(FakeRecorder):
    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def passed(self, key: Key, *, seconds: float, error: str) -> None:
        self.errors.append(error)


@pytest.mark.parametrize(
    ("error", "word"),
    [(Retry("x", 3.0), "retry"), (Refused("x"), "refused"), (Gone("x"), "gone"), (ZeroDivisionError("x"), "bug")],
)
async def test_nothing_that_a_pass_raises_ends_a_worker(error: Exception, word: str) -> None:
    async def fail(key: Key) -> Outcome:
        raise error

    queue, book = KeyQueue(), Book()
    workers = Workers(queue, fail, book)
    await queue.add(A)
    key = await queue.get()
    assert key is not None
    await workers.work(key)
    assert book.errors == [word]
    assert queue.busy == 0
    assert queue._due  # it comes back


async def test_outcome_says_when_to_look_again() -> None:
    async def fine(key: Key) -> Outcome:
        return Outcome(again_s=60) if key == A else Outcome()

    queue, book = KeyQueue(), Book()
    workers = Workers(queue, fine, book)
    for key in (A, Key("n", "gone")):
        await workers.work(key)
    assert book.errors == ["", ""]
    assert list(queue._due) == [A]


async def test_run_ends_when_the_queue_is_closed() -> None:
    queue = KeyQueue()
    await queue.close()

    async def never(key: Key) -> Outcome:
        raise AssertionError

    await Workers(queue, never, Book()).run()

"""After a reading: those that ask get a pass, and one that breaks in it gets one too."""

from breakeven.control.ports import Key
from breakeven.control.queue import KeyQueue
from breakeven.control.screening import AT_A_TIME, Screening

KEYS = [Key("n", f"r{i}") for i in range(2 * AT_A_TIME + 1)]


async def test_only_those_that_ask_get_a_pass() -> None:
    queue = KeyQueue()
    await Screening(lambda key: key in KEYS[::AT_A_TIME], queue).screen(KEYS)
    assert [await queue.get() for _ in range(3)] == KEYS[::AT_A_TIME]
    assert queue.depth == 0


async def test_resource_that_cannot_be_screened_gets_a_pass_and_the_others_are_screened() -> None:
    def asks(key: Key) -> bool:
        if key == KEYS[0]:
            raise ValueError("broken")
        return key == KEYS[1]

    queue = KeyQueue()
    await Screening(asks, queue).screen(KEYS)
    assert [await queue.get(), await queue.get()] == KEYS[:2]

"""Questions and orders that are under way.

A pass starts them and never waits; when one is answered, `wake` gets the key.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable

from breakeven.control.errors import ControlError
from breakeven.control.ports import Clock, Key, Leadership, Switches
from breakeven.control.under_way import UnderWay
from breakeven.control.warm.book import Book
from breakeven.control.warm.state import Doing, Order, WarmState

log = logging.getLogger(__name__)


class Driver:
    """Carries orders to the replicas. What they answer goes into the book of the resource."""

    def __init__(
        self,
        switches: Switches,
        leadership: Leadership,
        clock: Clock,
        wake: Callable[[Key], Awaitable[None]],
        *,
        at_once: int = 32,
    ) -> None:
        self._switches = switches
        self._leadership = leadership
        self._clock = clock
        self._wake = wake
        self._under_way = UnderWay(at_once=at_once)

    @property
    def pending(self) -> int:
        """Questions and orders that are under way."""
        return len(self._under_way)

    def start(self, key: Key, orders: Iterable[Order], book: Book, token: str) -> None:
        """Begin to carry these out, side by side. One replica is asked one thing at a time."""
        for order in orders:
            book.of(order.uid).doing = order.doing
            self._under_way.start(self._carry_out(key, order, book, token))

    async def close(self) -> None:
        """Stop what is under way: a replica carries its switch to the end whoever listens."""
        await self._under_way.close()

    async def _carry_out(self, key: Key, order: Order, book: Book, token: str) -> None:
        replica = book.of(order.uid)
        try:
            async with self._under_way.gate:
                state = await self._ask(order, token)
            book.answered(order.uid, state, self._clock.now())
        except ControlError as error:
            book.gave_up(order.uid, str(error), self._clock.now())
            log.warning("%s: %s", order.doing, error, extra={"key": str(key)})
        except Exception as error:  # the edge: whatever one replica does, the others are switched
            book.gave_up(order.uid, f"{type(error).__name__}", self._clock.now())
            log.exception("a replica could not be asked", extra={"key": str(key)})
        finally:
            replica.doing = None
        await self._wake(key)

    async def _ask(self, order: Order, token: str) -> WarmState:
        if order.doing is Doing.LOOK or not self._leadership.may_write():
            # Who is not the leader any more looks, and leaves the orders to the one who is.
            return await self._switches.state(order.address)
        if order.doing is Doing.WAKE:
            return await self._switches.awake(order.address, id=order.id, variant=order.variant, token=token)
        return await self._switches.load(order.address, id=order.id, token=token)

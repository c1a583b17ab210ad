"""Whole looks, and what they rested on: a pass that finds the same again need not weigh it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from breakeven.control.ports import Key, Manifest, MetricsReading
from breakeven.domain.counters.observation import Arm, Observation
from breakeven.domain.decision import Decision
from breakeven.domain.quiet import unremarkable

WHOLE_AFTER = 7.5
"""Passes after which everything is weighed again, for what only time changes: two minutes at the usual 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A whole look that found nothing to write."""

    body: Manifest
    objects: Sequence[Manifest]
    arms: Mapping[str, Arm]
    window_end: float | None
    """When the window under way will be over; Unix seconds."""
    again: timedelta
    whole_at: datetime


class Looks:
    """The last whole look of each key, while a pass may rest on it."""

    def __init__(self) -> None:
        self._looks: dict[Key, Look] = {}

    def rests(self, key: Key, body: Manifest, objects: Sequence[Manifest], now: datetime) -> Look | None:
        """The look that still holds as far as the API server's objects and the clock go.

        Objects count as the same only when they are: the cache replaces what changes.
        """
        look = self._looks.get(key)
        if look is None or now >= look.whole_at or body is not look.body or len(objects) != len(look.objects):
            return None
        return look if all(a is b for a, b in zip(objects, look.objects, strict=True)) else None

    def found(
        self,
        key: Key,
        body: Manifest,
        objects: Sequence[Manifest],
        observation: Observation,
        decision: Decision,
        now: datetime,
    ) -> None:
        """Keep a look that found nothing to do. Not while a canary, an outage or an end of cooldown is waited for, nor
        while a loss is suspected: a second slow increment is like the first, and is what the alarm waits for.
        """
        memory = decision.memory
        if (
            decision.suspects
            or memory.canary is not None
            or memory.cooldown_until is not None
            or observation.outage is not None
        ):
            self.forget(key)
            return
        self._looks[key] = Look(
            body=body,
            objects=objects,
            arms=observation.arms,
            window_end=decision.next_window,
            again=decision.look_again,
            whole_at=now + WHOLE_AFTER * decision.look_again,
        )

    def forget(self, key: Key) -> None:
        """Look at everything next time."""
        self._looks.pop(key, None)

    def clear(self) -> None:
        """The same for all keys."""
        self._looks.clear()


def holds(look: Look, reading: MetricsReading) -> bool:
    """Whether the metrics say nothing new either."""
    return reading.outage is None and unremarkable(look.arms, reading.arms, until=look.window_end)

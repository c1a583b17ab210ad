"""What an answer of an earlier pass rested on: a pass that rests on the very same need not work the answer out again.

Two answers are kept: "there is nothing to do" spares the whole pass, "there is no object to write" the rendering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from breakeven.control.ports import Manifest, MetricsReading
from breakeven.domain.counters.observation import Arm, Observation
from breakeven.domain.decision import Decision
from breakeven.domain.quiet import unremarkable

FULL_PASS_AFTER = 7.5
"""Passes after which everything is weighed again, for what only time changes: two minutes at the usual 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What an answer rested on."""

    objects: Sequence[Manifest]
    """From the cache, which replaces what changes: an object is the same only when it is the very same."""
    values: Any = None
    """Whatever else went in, compared by value."""

    def same_as(self, other: "Basis | None") -> bool:
        """Whether an answer that rested on the other one still holds."""
        return (
            other is not None
            and len(self.objects) == len(other.objects)
            and all(a is b for a, b in zip(self.objects, other.objects, strict=True))
            and bool(self.values == other.values)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietPass:
    """A pass that found nothing to do."""

    basis: Basis
    arms: Mapping[str, Arm]
    window_end: float | None
    """When the window under way will be over; Unix seconds."""
    again: timedelta
    """When to come back."""
    full_pass_at: datetime
    """When everything is weighed again, whatever the metrics say."""

    def still_holds(self, basis: Basis, now: datetime) -> bool:
        """Whether neither an object nor the clock asks for a full pass."""
        return now < self.full_pass_at and basis.same_as(self.basis)

    def agrees_with(self, reading: MetricsReading) -> bool:
        """Whether the metrics do not ask for a full pass either."""
        return reading.outage is None and unremarkable(self.arms, reading.arms, until=self.window_end)


def quiet_pass(basis: Basis, observation: Observation, decision: Decision, now: datetime) -> QuietPass | None:
    """What later passes may rest on after one that found nothing to do; None when each of them has to be a full one.

    That is so while a canary, an outage or an end of cooldown is waited for, and while a loss is suspected: a second
    slow increment is like the first, and is what the alarm waits for.
    """
    memory = decision.memory
    waited_for = (memory.canary, memory.cooldown_until, observation.outage)
    if decision.suspects or any(each is not None for each in waited_for):
        return None
    return QuietPass(
        basis=basis,
        arms=observation.arms,
        window_end=decision.next_window,
        again=decision.look_again,
        full_pass_at=now + FULL_PASS_AFTER * decision.look_again,
    )

"""What an answer of an earlier pass rested on: a pass that rests on the very same need not work the answer out again.

Two answers are kept: "there is nothing to do" spares the whole pass, "there is no object to write" the rendering.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from breakeven.api.status import State
from breakeven.control.ports import Manifest, MetricsReading
from breakeven.domain.counters.observation import Arm, Fleet, Observation
from breakeven.domain.decision import Decision

FULL_PASS_AFTER = timedelta(minutes=2)
"""When everything is weighed again, for what only time changes."""
AT_REST_AFTER = timedelta(minutes=15)
"""The same where speculation is judged window by window and every replica is at rest: what time changes then is counted
in windows or hours, and the end of a window asks for a full pass anyhow."""


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
    asks: Callable[[Mapping[str, Arm], datetime], bool]
    """Whether newer evidence asks for a full pass."""
    until: datetime
    """When everything is weighed again, whatever the metrics say."""

    def still_holds(self, basis: Basis, now: datetime) -> bool:
        """Whether neither an object nor the clock asks for a full pass."""
        return now < self.until and basis.same_as(self.basis)

    def agrees_with(self, reading: MetricsReading, now: datetime) -> bool:
        """Whether the metrics do not ask for a full pass either."""
        return reading.outage is None and not self.asks(reading.arms, now)


def quiet_pass(
    basis: Basis, observation: Observation, decision: Decision, now: datetime, *, at_most: timedelta | None = None
) -> QuietPass | None:
    """What later passes may rest on after one that found nothing to do; None when each of them has to be a full one.

    That is so while a canary, an outage or an end of cooldown is waited for, and while a loss is suspected: a second
    slow increment is like the first, and is what the alarm waits for. `at_most` is how long one may be good for
    besides: until a warm replica is to be asked or switched.
    """
    memory = decision.memory
    waited_for = (memory.canary, memory.cooldown_until, observation.outage)
    if decision.asks is None or any(each is not None for each in waited_for):
        return None
    judged = memory.state is State.SPECULATING and decision.next_window is not None
    at_rest = judged and all(map(_settled, observation.fleet.values()))
    good_for = AT_REST_AFTER if at_rest else FULL_PASS_AFTER
    if at_most is not None:
        good_for = min(good_for, at_most)
    return QuietPass(basis=basis, asks=decision.asks, until=now + good_for)


def _settled(fleet: Fleet) -> bool:
    """Whether nothing about these replicas is a question of time."""
    busy = fleet.terminating or fleet.stuck or fleet.failing or fleet.unschedulable
    return not busy and (fleet.settled_since is not None or fleet.wanted == fleet.existing == 0)

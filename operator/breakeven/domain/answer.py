"""What a rule answers: a transition, a quiet note, a reason to stay, or None for "not mine".

A rule never returns a memory. `ledger.apply` writes the answer down, in one place.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, Unpack

from breakeven.api.changes import MemoryChange
from breakeven.api.vocabulary import Action, Reason, StayReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A decision: it becomes a line in `status.history`, an Event and a line in the log."""

    action: Action
    reason: Reason
    message: str
    """Why, with the figures."""
    changes: MemoryChange
    """What is remembered differently after it."""

    def also(self, **changes: Unpack[MemoryChange]) -> "Transition":
        """The same decision with more to remember."""
        return replace(self, changes={**self.changes, **changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to remember that is no decision: a measured band of load, a mode that was read."""

    changes: MemoryChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Why nothing is done where something could be. The message is free of moving figures: it stands in the status."""

    reason: StayReason
    message: str
    ends: bool = True
    """Whether the pass is over with it. False: later rules are asked as if this one had nothing to say."""


Answer: TypeAlias = Transition | Note | Stay | None
"""None: the rule has nothing to say about this situation, and the next one is asked."""


def transition(action: Action, reason: Reason, message: str, **changes: Unpack[MemoryChange]) -> Transition:
    """A decision with what it changes."""
    return Transition(action=action, reason=reason, message=message, changes=changes)


def note(**changes: Unpack[MemoryChange]) -> Note:
    """Something to remember."""
    return Note(changes=changes)

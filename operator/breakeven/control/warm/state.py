"""What a warm replica says of itself, and what it is asked.

The words are those of its port 8001 (docs/adr/0021-warm-replica.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """Where one of the two engines of a replica stands."""

    EMPTY = "empty"
    STARTING = "starting"
    ASLEEP = "asleep"
    AWAKE = "awake"
    FAILED = "failed"


MOST_DEATHS = 3
"""Within an hour of being loaded, after which an engine is not loaded again."""
LOADED = (Phase.ASLEEP, Phase.AWAKE)
"""Phases in which a variant can be switched to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One of the two engines of a replica."""

    variant: str
    """Name of the variant that it runs."""
    phase: Phase
    since: datetime
    """Since when it is in that phase."""
    error: str = ""
    """Why it failed; empty when it did not."""
    deaths: int = 0
    """How often its engine was lost after it was up, or could not be started since then."""

    @property
    def loaded(self) -> bool:
        """Whether it can be switched to."""
        return self.phase in LOADED

    @property
    def comes_back(self) -> bool:
        """Whether an engine that was up has died, and is to be loaded again, as a container would be restarted.

        One that never came up, or keeps dying, is not: each load takes the replica away for minutes.
        """
        return self.phase is Phase.FAILED and 0 < self.deaths <= MOST_DEATHS


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSwitch:
    """The last switch of a replica, however it ended."""

    id: str
    """Identity of the order."""
    to: str
    """Name of the variant that was to wake."""
    seconds: float
    """From the order to the first token of that variant."""
    at: datetime
    """When it ended."""
    error: str = ""
    """Why the former variant serves again; empty when the switch went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmState:
    """What one replica says."""

    revision: str
    """Revision of the slots file that it has read."""
    loaded_revision: str = ""
    """Newest revision whose variants have all been tried here; empty: none yet."""
    awake: str
    """Name of the variant that serves; empty when none does."""
    switching: bool = False
    """Whether a switch or a load is under way."""
    slots: Mapping[str, Slot] = field(default_factory=dict)
    """By name of the slot, a and b."""
    last: LastSwitch | None = None
    """None: it has not switched yet."""

    def slot_of(self, variant: str) -> Slot | None:
        """The slot that holds a variant."""
        return next((slot for slot in self.slots.values() if slot.variant == variant), None)


class Doing(StrEnum):
    """What a replica is asked."""

    LOOK = "look"
    """What it holds and what is awake."""
    WAKE = "wake"
    """To wake one of the variants that it holds."""
    LOAD = "load"
    """To load what its slots file names and it does not hold: it serves nothing for those minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing to ask of one replica."""

    uid: str
    """Of its pod."""
    address: str
    doing: Doing
    id: str = ""
    """The same id asks again without doing again."""
    variant: str = ""
    """Name of the variant to wake."""

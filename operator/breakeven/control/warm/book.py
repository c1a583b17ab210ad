"""What this process knows of each warm replica. All of it can be lost: the replicas tell it again."""

from dataclasses import dataclass, field
from datetime import datetime

from breakeven.control.warm.state import Doing, WarmState


@dataclass(slots=True, kw_only=True)
class Replica:
    """One warm replica, by its last answer."""

    state: WarmState | None = None
    """None: it has not answered yet."""
    asked_at: datetime | None = None
    """When it last answered, or was given up. None: never."""
    error: str = ""
    """Why the last question got no answer; empty when it did."""
    doing: Doing | None = None
    """What it is being asked at the moment; None: nothing."""
    loaded_since: dict[str, datetime] = field(default_factory=dict)
    """By variant, since when it has been loaded without a break."""
    failures: int = 0
    """Questions in a row without an answer, or orders in a row that were not carried out."""
    failed_at: datetime | None = None
    """When the last of them failed."""
    lost: dict[str, str] = field(default_factory=dict)
    """By variant, why it must not be woken here until it was loaded anew."""

    @property
    def heard(self) -> bool:
        """Whether it answered or was given up at least once."""
        return self.asked_at is not None

    def answered(self, state: WarmState, now: datetime) -> bool:
        """Take an answer in; says whether a switch has ended since the last one."""
        before = self.state.last.id if self.state and self.state.last else ""
        news = state.last is not None and state.last.id != before
        if news and state.last is not None and state.last.error:
            self.failures, self.failed_at = self.failures + 1, now
        elif news or self.error:
            self.failures = 0
        loaded = {slot.variant: slot.since for slot in state.slots.values() if slot.loaded}
        self.loaded_since = {name: self.loaded_since.get(name, min(since, now)) for name, since in loaded.items()}
        self.lost = {name: why for name, why in self.lost.items() if name in loaded}
        self.state, self.asked_at, self.error = state, now, ""
        return news

    def gave_up(self, why: str, now: datetime) -> None:
        """Note that a question got no answer. What it said before is as good as any guess."""
        self.asked_at, self.failed_at, self.error, self.failures = now, now, why, self.failures + 1


@dataclass(slots=True, kw_only=True)
class Book:
    """The warm replicas of one resource."""

    replicas: dict[str, Replica] = field(default_factory=dict)
    """By uid of the pod."""
    switches: int = 0
    """Switches that ended while this process looked, the failed ones left out."""
    changes: int = 0
    """Answers that said something new."""

    def of(self, uid: str) -> Replica:
        """What is known of the replica of a pod; an empty page for a new one."""
        return self.replicas.setdefault(uid, Replica())

    def forget_gone(self, uids: set[str]) -> None:
        """Drop what is known of pods that are gone."""
        for uid in self.replicas.keys() - uids:
            del self.replicas[uid]

    def answered(self, uid: str, state: WarmState, now: datetime) -> None:
        """Take the answer of a replica in, unless its pod is gone."""
        replica = self.replicas.get(uid)
        if replica is None:
            return
        self.changes += replica.state != state or bool(replica.error)
        if replica.answered(state, now) and state.last is not None and state.last.to:
            self.switches += not state.last.error

    def gave_up(self, uid: str, why: str, now: datetime) -> None:
        """Note that a question to a replica got no answer."""
        replica = self.replicas.get(uid)
        if replica is not None:
            self.changes += replica.error != why
            replica.gave_up(why, now)

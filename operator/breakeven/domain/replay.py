"""Deciding over recorded history: what would have been decided, when, and what held it back.

Only `decide` decides. What the history cannot tell is assumed, and said in `ASSUMPTIONS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from breakeven.api.spec import LadderStep, SpeculativeDeploymentSpec
from breakeven.api.status import DecisionRecord, EvidenceStatus, Memory, State
from breakeven.api.variant import declared_variant
from breakeven.api.vocabulary import HoldReason, Reason
from breakeven.domain.counters.observation import Arm, Fleet, Observation, Outage, Smoke
from breakeven.domain.decide import decide
from breakeven.domain.decision import Declared, Hold

ASSUMPTIONS = (
    "replicas of both arms are those that were recorded, whatever would have been decided: the traffic they saw and "
    "the figures they gave are taken as they were",
    "a replica counts as ready from its first sample and as gone after its last, but an arm that falls silent counts "
    "as there and not scraped; smoke tests count as passed",
    "only variants that were recorded are tried: steps of the ladder that would need others are left out",
)
"""What a replay takes for granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One arm at a moment of the past."""

    arm: Arm
    changed: datetime | None
    """When replicas last came or went."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """By replica, the node it ran on, where the record tells."""

    def fleet(self) -> Fleet:
        """Its replicas, as the API server would have shown them."""
        ready = self.arm.ready
        return Fleet(
            variant=self.arm.variant,
            wanted=ready,
            existing=ready,
            ready=ready,
            settled_since=self.changed if ready else None,
            smoke=Smoke.PASSED,
            nodes=self.nodes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision, with the evidence of that moment."""

    record: DecisionRecord
    state: State
    """After it."""
    evidence: EvidenceStatus | None


@dataclass(slots=True, kw_only=True)
class Held:
    """A stretch of time in which nothing was judged, for one reason."""

    since: datetime
    until: datetime
    why: Hold


def replayable(spec: SpeculativeDeploymentSpec) -> tuple[SpeculativeDeploymentSpec, tuple[LadderStep, ...]]:
    """The spec without what no history can answer, and the steps of the ladder that were left out."""
    policy = spec.policy
    kept = [s for s in policy.on_below_break_even if s == LadderStep.DISABLE]
    left_out = tuple(s for s in policy.on_below_break_even if s != LadderStep.DISABLE)
    changed = policy.model_copy(update={"on_below_break_even": kept})
    return spec.model_copy(update={"policy": changed, "alternatives": []}), left_out


@dataclass(slots=True)
class Replay:
    """The state of a replay; give it one look after the other, in order of time."""

    spec: SpeculativeDeploymentSpec
    memory: Memory = field(default_factory=Memory)
    decided: list[Decided] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    seconds_in: dict[State, float] = field(default_factory=dict)
    evidence: EvidenceStatus | None = None
    """The last figures."""
    _last: datetime | None = None
    _outage: Outage | None = None
    _fleets: dict[str, Fleet] = field(default_factory=dict)
    """Arms that had samples once, as they were when they last had."""

    def look(self, off: Seen, on: Seen, now: datetime) -> None:
        """One pass at a moment of the past."""
        variant = declared_variant(self.spec)
        arms = {variant.baseline.name: self._believed(off), variant.name: self._believed(on)}
        if missing := [side for side, name in zip(("off", "on"), arms, strict=True) if name not in self._fleets]:
            before, self._last = self._last, now
            nothing = f"nothing recorded yet of: {', '.join(missing)}"
            self._note(Hold(reason=HoldReason.NO_DATA, message=nothing), now, before)
            return
        observation = Observation(
            arms=arms,
            fleet=dict(self._fleets),
            outage=self._silence(off.arm, on.arm, now),
        )
        if self._last is not None:
            spent = (now - self._last).total_seconds()
            self.seconds_in[self.memory.state] = self.seconds_in.get(self.memory.state, 0.0) + spent
        decision = decide(Declared(spec=self.spec, generation=1), self.memory, observation, now)
        before, self.memory, self._last = self._last, decision.memory, now
        self.evidence = decision.evidence or self.evidence
        for record in decision.news:
            self.decided.append(Decided(record=record, state=decision.memory.state, evidence=decision.evidence))
        self._note(decision.hold, now, before)

    def _believed(self, side: Seen) -> Arm:
        """The arm, its replicas still there when it is silent: only the API server could have told that they went."""
        if side.arm.ready:
            self._fleets[side.arm.variant] = side.fleet()
        before = self._fleets.get(side.arm.variant)
        return side.arm if before is None else replace(side.arm, ready=before.ready)

    def _silence(self, off: Arm, on: Arm, now: datetime) -> Outage | None:
        if off.scraped or on.scraped:
            self._outage = None
        elif self._outage is None:
            self._outage = Outage(reason=Reason.NO_DATA, message="no replica of either arm has samples", since=now)
        return self._outage

    def _note(self, why: Hold | None, now: datetime, before: datetime | None) -> None:
        """Remember why nothing was judged; a reason that lasts from one look to the next is one stretch."""
        last = self.held[-1] if self.held else None
        if why is not None and last is not None and last.why == why and last.until == before:
            last.until = now
        elif why is not None:
            self.held.append(Held(since=now, until=now, why=why))

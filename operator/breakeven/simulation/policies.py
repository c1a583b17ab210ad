"""Who decides in a simulation: the operator, and two others on the same requests.

The fourth, an oracle, needs no policy: it is the better state of every minute, reached at once and for free.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, Role
from breakeven.api.variant import Variant, declared_variant
from breakeven.domain.counters.observation import Observation
from breakeven.domain.decide import decide
from breakeven.domain.decision import Decision, Declared, Placement
from breakeven.domain.evidence.loss_alarm import Lookout, lookout
from breakeven.domain.measures.figures import sums
from breakeven.domain.measures.speedup import decode_tokens
from breakeven.domain.rota import Rota
from breakeven.domain.situation import situation_at


@dataclass(frozen=True, slots=True)
class Turn:
    """What a policy wants, and what it decided in this pass."""

    placements: tuple[Placement, ...]
    actions: tuple[tuple[str, str], ...] = ()
    """Action and reason."""
    speculating: bool = False
    """Whether speculation serves by its decision."""
    hold: str = ""
    """Reason for which nothing was judged; empty when judging."""
    rota: Rota | None = None
    """In a warm fleet, which variant is awake when. None: every pod has one."""
    slots: tuple[Variant, Variant | None] | None = None
    """In a warm fleet, what each pod holds."""


class Policy(Protocol):
    """One way of deciding."""

    name: str
    sequential: bool
    """Whether it looks at more than whole minutes."""

    def turn(self, observation: Observation, now: datetime, /) -> Turn:
        """Decide."""


@dataclass(slots=True)
class Breakeven:
    """The operator's own code."""

    spec: SpeculativeDeploymentSpec
    name: str = "breakeven"
    memory: Memory = field(default_factory=Memory)
    last: Turn | None = None
    seen: tuple[object, ...] = ()
    quiet_until: datetime | None = None
    lookout: Lookout | None = None
    """What the alarm compares until the next pass that is decided."""
    sequential: bool = True
    every_pass: bool = False
    """Decide in every pass, as the operator does; otherwise passes that cannot come out differently are left out."""

    def turn(self, observation: Observation, now: datetime) -> Turn:
        """Decide as the operator does.

        Passes that cannot come out differently are left out unless every one is wanted: nothing changed in the fleet or
        in what is remembered, no window ended and no timer ran out since the last one.
        """
        seen = (observation.fleet, observation.outage)
        quiet = self.quiet_until is not None and now < self.quiet_until and seen == self.seen
        if self.last is not None and quiet and not self.every_pass and not self._suspicious(observation):
            return self.last
        before, declared = self.memory, Declared(spec=self.spec, generation=1)
        decision = decide(declared, self.memory, observation, now)
        self.memory = decision.memory
        stable = self.memory.stable
        speculating = stable is not None and stable.speculates
        self.seen = seen
        self.quiet_until = self._quiet_until(decision, now) if self.memory == before else None
        self.lookout = lookout(situation_at(declared, self.memory, observation, now)) if self.quiet_until else None
        self.last = Turn(
            decision.placements,
            (),
            speculating=speculating,
            hold=decision.hold.reason if decision.hold is not None else "",
            rota=decision.rota,
            slots=decision.slots,
        )
        return replace(self.last, actions=tuple((record.action, record.reason) for record in decision.news))

    def _suspicious(self, observation: Observation) -> bool:
        """Whether the newest increments could raise the alarm."""
        return self.lookout is not None and observation.outage is None and self.lookout.sees(observation.arms)

    def _quiet_until(self, decision: Decision, now: datetime) -> datetime | None:
        moments = [now + self.spec.evidence.window]
        if decision.next_window is not None:
            moments.append(datetime.fromtimestamp(decision.next_window, UTC))
        elif self.memory.canary is not None or (self.memory.stable is not None and self.memory.stable.speculates):
            return None
        if self.memory.cooldown_until is not None:
            moments.append(self.memory.cooldown_until)
        return min(moment for moment in moments if moment > now) if moments else None


@dataclass(slots=True)
class Simple:
    """A policy that only says on or off for the whole fleet."""

    spec: SpeculativeDeploymentSpec
    name: str = ""
    sequential: bool = False
    on: bool = True
    off_until: datetime | None = None

    def placed(self, *, control: bool = False) -> tuple[Placement, ...]:
        """The replicas."""
        wished, total = declared_variant(self.spec), self.spec.replicas
        if not self.on:
            return (Placement(variant=wished.baseline, role=Role.STABLE, replicas=total),)
        if not control:
            return (Placement(variant=wished, role=Role.STABLE, replicas=total),)
        return (
            Placement(variant=wished, role=Role.STABLE, replicas=total - 1),
            Placement(variant=wished.baseline, role=Role.HOLDBACK, replicas=1),
        )

    def rearmed(self, now: datetime) -> bool:
        """Switch on again after the cooldown."""
        if self.on or self.off_until is None or now < self.off_until:
            return False
        self.on, self.off_until = True, None
        return True

    def stop(self, now: datetime) -> None:
        """Switch off for the cooldown."""
        self.on, self.off_until = False, now + self.spec.policy.cooldown


@dataclass(slots=True)
class AlwaysOn(Simple):
    """Speculation everywhere from the first minute on, whatever happens."""

    name: str = "always on"

    def turn(self, _observation: Observation, _now: datetime) -> Turn:
        """Change nothing."""
        return Turn(self.placed(), speculating=self.on)


@dataclass(slots=True)
class AlwaysOff(AlwaysOn):
    """No speculation at all."""

    name: str = "always off"
    on: bool = False


@dataclass(slots=True)
class Article(Simple):
    """The rule everybody quotes: accepted / drafted over five minutes below 0.5 switches off for the cooldown."""

    name: str = "acceptance < 0.5"

    def turn(self, observation: Observation, now: datetime) -> Turn:
        """Decide on acceptance alone."""
        actions: list[tuple[str, str]] = []
        if self.rearmed(now):
            actions.append(("Promote", "Rearm"))
        arm = observation.arms.get(declared_variant(self.spec).name)
        if self.on and arm is not None and len(arm.batches) >= 5 and observation.outage is None:
            ratio = sums(arm.batches[-5:]).acceptance
            if ratio is not None and ratio < 0.5:
                self.stop(now)
                actions.append(("Disable", "Acceptance"))
        return Turn(self.placed(), tuple(actions), speculating=self.on)


@dataclass(slots=True)
class ThreeBadChecks(Simple):
    """As Flagger runs a check: one minute's ratio, missing counts as bad, bad checks add up, three roll back."""

    name: str = "three bad checks"
    bad: int = 0
    last: float = 0.0

    def turn(self, observation: Observation, now: datetime) -> Turn:
        """Decide on one-minute point estimates against a permanent control."""
        actions: list[tuple[str, str]] = []
        if self.rearmed(now):
            self.bad = 0
            actions.append(("Promote", "Rearm"))
        wished = declared_variant(self.spec)
        on, off = observation.arms.get(wished.name), observation.arms.get(wished.baseline.name)
        if self.on and on is not None and off is not None and on.ready and off.ready and (on.batches or self.bad):
            a, b = (arm.batches[-1] if arm.batches else None for arm in (on, off))
            value = None
            if a and b and now.timestamp() - a.end < 90 and observation.outage is None:
                ours, theirs = decode_tokens(a.totals), decode_tokens(b.totals)
                if ours and theirs and a.totals.step_seconds and b.totals.step_seconds:
                    value = (b.totals.step_seconds / theirs) / (a.totals.step_seconds / ours)
            self.bad += value is None or value < 1.0
            if self.bad >= 3:
                self.stop(now)
                actions.append(("Disable", "FailedChecks"))
        return Turn(self.placed(control=True), tuple(actions), speculating=self.on)

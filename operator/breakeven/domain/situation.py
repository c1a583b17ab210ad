"""What one pass of deciding looks at, and the questions that several rules ask of it."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from breakeven.api.choices import SwitchingMode
from breakeven.api.spec import EvidenceSpec, PolicySpec, SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant, declared_variant
from breakeven.domain.counters.observation import Arm, Fleet, Observation
from breakeven.domain.decision import Declared

SWITCH = timedelta(seconds=1)
"""A warm switch before one was measured: 0.73 to 0.85 s on an H100 with vLLM 0.26.0, without requests in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a rule may look at."""

    declared: Declared
    memory: Memory
    observation: Observation
    time: datetime
    """The moment that is decided for: nothing else in the core asks a clock."""
    wished: Variant
    """The declared variant, its draft included."""

    @property
    def spec(self) -> SpeculativeDeploymentSpec:
        """What the team declared."""
        return self.declared.spec

    @property
    def policy(self) -> PolicySpec:
        """What may be done."""
        return self.declared.spec.policy

    @property
    def evidence(self) -> EvidenceSpec:
        """How much must be measured."""
        return self.declared.spec.evidence

    @property
    def is_new(self) -> bool:
        """Whether more is declared than the last pass looked at."""
        return any(getattr(self.memory, field) != value for field, value in self.declared.looked_at.items())

    @property
    def stable(self) -> Variant:
        """The variant that serves; before the first pass, the declared one without speculation."""
        return self.memory.stable or self.wished.baseline

    @property
    def on_trial(self) -> bool:
        """Whether a canary is being compared."""
        memory = self.memory
        if memory.canary is None or memory.state not in (State.TRIAL, State.TUNING):
            return False
        return memory.canary.name != self.stable.name

    @property
    def warm(self) -> bool:
        """Whether a pod holds two variants, one of them asleep."""
        return self.policy.switching.mode == SwitchingMode.WARM

    def same_pods(self, one: Variant, other: Variant) -> bool:
        """Whether both are held by the same pods: warm, and nothing but the draft is different."""
        return self.warm and one.baseline == other.baseline

    @property
    def moves_pods(self) -> bool:
        """Whether what is on trial, or would be, needs pods of its own."""
        canary = self.memory.canary if self.on_trial else None
        return not self.same_pods(self.stable, canary or self.wished)

    @property
    def switch(self) -> timedelta:
        """How long a warm switch takes."""
        seconds = self.observation.switch_seconds
        known = seconds is not None and math.isfinite(seconds) and seconds >= 0
        return timedelta(seconds=min(seconds, 86400.0)) if known and seconds is not None else SWITCH

    def fleet(self, variant: Variant) -> Fleet | None:
        """Its replicas, as the API server sees them."""
        return self.observation.fleet.get(variant.name)

    def arm(self, variant: Variant) -> Arm | None:
        """Its counters."""
        return self.observation.arms.get(variant.name)

    def with_memory(self, memory: Memory) -> "Situation":
        """The same moment with another memory."""
        return replace(self, memory=memory)


def situation_at(declared: Declared, memory: Memory, observation: Observation, time: datetime) -> Situation:
    """What one pass looks at."""
    wished = declared_variant(declared.spec)
    return Situation(declared=declared, memory=memory, observation=observation, time=time, wished=wished)

"""What one pass of deciding looks at, and the questions that several rules ask of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from breakeven.api.spec import EvidenceSpec, PolicySpec, SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant, declared_variant
from breakeven.domain.counters.observation import Arm, Fleet, Observation
from breakeven.domain.decision import Declared


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

"""The pure parts that a pass calls, gathered so that a test can put plain functions in their place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from breakeven.api.conditions import Reason
from breakeven.api.planned import PlanStatus
from breakeven.api.spec import DisruptionBudgetSpec, ServiceSpec, SpeculativeDeploymentSpec
from breakeven.api.status import Memory, Role
from breakeven.api.variant import Variant
from breakeven.control.ports import Manifest
from breakeven.control.warm.pools import WarmWanted
from breakeven.domain.counters.observation import Observation
from breakeven.domain.decision import Decision, Declared, Finding
from breakeven.render.names import Owner
from breakeven.render.objects import Rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """What engine knowledge and planning say about a spec before a pod exists."""

    engine_version: str = ""
    """Version the arguments are rendered for."""
    refusals: tuple[str, ...] = ()
    """Why it cannot start; each names the field and what to write instead."""
    reason: Reason = Reason.INVALID_CONFIGURATION
    """Why in one word, when it is refused."""
    findings: tuple[Finding, ...] = ()
    """Conditions: memory, version, advice."""
    plan: PlanStatus | None = None
    """The plan in short, for the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One variant to render."""

    variant: Variant
    role: Role
    replicas: int


class Check(Protocol):
    """Whether a spec can be rendered and started."""

    def __call__(self, resource: Manifest, spec: SpeculativeDeploymentSpec, known: Sequence[str] = ()) -> Fitness:
        """Pure; the same resource gives the same answer. `known` is advice that is known already."""


class Decide(Protocol):
    """The decision core."""

    def __call__(self, declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
        """Pure; memory in, memory out."""


class Render(Protocol):
    """Variants to manifests; `render.desired` is one."""

    def __call__(
        self,
        owner: Owner,
        placements: Sequence[Wanted],
        *,
        service: ServiceSpec,
        warm: WarmWanted | None = None,
        with_pod_monitor: bool = False,
        budget: DisruptionBudgetSpec | None = None,
    ) -> Rendering:
        """Pure; never raises: what cannot be rendered is in `refusals`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The pure parts."""

    check: Check
    decide: Decide
    render: Render

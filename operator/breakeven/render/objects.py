"""Everything that should exist for one resource, from the replicas decided for each variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from breakeven.api.names import NAME_MESSAGE, fits_name
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.check import check
from breakeven.render.disruption import disruption_budget
from breakeven.render.monitoring import pod_monitor
from breakeven.render.names import Manifest, Owner
from breakeven.render.network import service
from breakeven.render.request import read
from breakeven.render.workload import deployment


class Placed(Protocol):
    """Replicas of one variant; `domain.decision.Placement` is one."""

    @property
    def variant(self) -> Variant: ...

    @property
    def role(self) -> Role: ...

    @property
    def replicas(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Manifests, and what was found on the way."""

    shared: tuple[Manifest, ...]
    """Service, and PodMonitor and PodDisruptionBudget where asked for."""
    deployments: Mapping[str, Manifest]
    """By name of the variant, in the order of the placements; a refused variant has none."""
    refusals: tuple[Refusal, ...]
    cautions: tuple[Caution, ...]

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """All of them, in the order to apply: what is shared, then the stable variant, then the others."""
        return (*self.shared, *self.deployments.values())


def desired(
    owner: Owner, placements: Sequence[Placed], *, with_pod_monitor: bool = False, with_disruption_budget: bool = False
) -> Rendering:
    """Render a resource. Never raises: what cannot be rendered is in `refusals`, each named once."""
    found: dict[EngineRemark, None] = {}
    if not fits_name(owner.name):
        refusal = Refusal(field="metadata.name", reason=Reason.INVALID_CONFIGURATION, message=NAME_MESSAGE)
        return Rendering(shared=(), deployments={}, refusals=(refusal,), cautions=())
    deployments = {}
    for placed in placements:
        request, findings = read(placed.variant), check(placed.variant)
        found.update(dict.fromkeys(findings))
        if not isinstance(request, Refusal) and not any(isinstance(f, Refusal) for f in findings):
            made = deployment(owner, request, role=placed.role, replicas=placed.replicas)
            deployments[placed.variant.name] = made
    return Rendering(
        shared=_shared(owner, placements, with_pod_monitor=with_pod_monitor, with_budget=with_disruption_budget),
        deployments=deployments,
        refusals=tuple(f for f in found if isinstance(f, Refusal)),
        cautions=tuple(f for f in found if isinstance(f, Caution)),
    )


def _shared(
    owner: Owner, placements: Sequence[Placed], *, with_pod_monitor: bool, with_budget: bool
) -> tuple[Manifest, ...]:
    budget = disruption_budget(owner, sum(p.replicas for p in placements)) if with_budget else None
    made = (service(owner), pod_monitor(owner) if with_pod_monitor else None, budget)
    return tuple(m for m in made if m is not None)

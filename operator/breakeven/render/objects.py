"""Everything that should exist for one resource, from the replicas decided for each variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from breakeven.api.disruption import DisruptionBudgetSpec
from breakeven.api.names import NAME_MESSAGE, fits_name
from breakeven.api.serving import DEFAULT_PORT_NAME
from breakeven.api.spec import ServiceSpec
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.check import check
from breakeven.render.disruption import disruption_budget
from breakeven.render.monitoring import pod_monitor
from breakeven.render.names import Manifest, Owner
from breakeven.render.network import check_service, service_of
from breakeven.render.pools import Pools, pool_objects
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
    """Service, PodMonitor and PodDisruptionBudget, each where asked for, and the ConfigMaps of warm replicas."""
    deployments: Mapping[str, Manifest]
    """By name of the variant or of the warm pool, in the order given; a refused one has none."""
    refusals: tuple[Refusal, ...]
    cautions: tuple[Caution, ...]

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """All of them, in the order to apply: what is shared, then the stable variant, then the others."""
        return (*self.shared, *self.deployments.values())


_SERVICE = ServiceSpec()


def desired(
    owner: Owner,
    placements: Sequence[Placed],
    *,
    service: ServiceSpec = _SERVICE,
    warm: Pools | None = None,
    with_pod_monitor: bool = False,
    budget: DisruptionBudgetSpec | None = None,
) -> Rendering:
    """Render a resource. Never raises: what cannot be rendered is in `refusals`, each named once.

    `placements` have replicas of their own; `warm` are pools whose replicas hold two variants.
    """
    found: dict[EngineRemark, None] = dict.fromkeys(check_service(service))
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
    maps: list[Manifest] = []
    first = [p.variant for p in placements] + [v for pool in (warm.pools if warm else ()) for v in pool.variants]
    port = next((v.engine.port_name for v in first), DEFAULT_PORT_NAME)
    for pool, held in [(pool, pool_objects(owner, pool, warm)) for pool in warm.pools] if warm is not None else ():
        found.update(dict.fromkeys(held.refusals))
        if held.deployment is not None:
            deployments[pool.pool] = held.deployment
            maps += [m for m in (held.programs, held.slots) if m is not None]
    return Rendering(
        shared=(
            *_shared(owner, service, port, monitor=with_pod_monitor, budget=budget),
            *maps,
        ),
        deployments=deployments,
        refusals=tuple(f for f in found if isinstance(f, Refusal)),
        cautions=tuple(f for f in found if isinstance(f, Caution)),
    )


def _shared(
    owner: Owner, declared: ServiceSpec, port: str, *, monitor: bool, budget: DisruptionBudgetSpec | None
) -> tuple[Manifest, ...]:
    made = (
        service_of(owner, declared, target_port=port) if declared.enabled else None,
        pod_monitor(owner, port=port) if monitor else None,
        disruption_budget(owner, budget) if budget is not None else None,
    )
    return tuple(m for m in made if m is not None)

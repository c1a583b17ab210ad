"""Pools of replicas that hold two variants: what they need by plan, and what is made of it."""

from collections.abc import Sequence
from typing import Protocol

from breakeven.api.choices import OnDrainTimeout, SwitchingMode
from breakeven.api.policy import SwitchingSpec
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import Variant, declared_variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.planning.warm import warm_memory
from breakeven.render.names import Owner
from breakeven.render.warm import WarmObjects, WarmSettings, warm_objects
from breakeven.render.warm_refusals import FIELD, cannot_be_warm


class Pool(Protocol):
    """Replicas that hold one or two variants of one baseline; `control.warm.pools.Held` is one."""

    @property
    def variants(self) -> tuple[Variant, ...]:
        """That which serves first."""

    @property
    def replicas(self) -> int: ...

    @property
    def pool(self) -> str:
        """Its name."""


class Pools(Protocol):
    """All that a resource has of them; `control.warm.pools.WarmWanted` is one."""

    @property
    def pools(self) -> Sequence[Pool]: ...

    @property
    def switching(self) -> SwitchingSpec: ...

    @property
    def token_digest(self) -> str:
        """SHA-256 of the token that opens their switching port."""


def pool_objects(owner: Owner, pool: Pool, pools: Pools) -> WarmObjects:
    """The objects of one pool. Never raises: what cannot be warm is in `refusals`."""
    memory = warm_memory(pool.variants)
    if memory.host_bytes is None or memory.gpu_bytes is None:
        return WarmObjects(refusals=(_unknown(memory.unknowns),))
    settings = WarmSettings(
        token_sha256=pools.token_digest,
        host_memory_bytes=memory.host_bytes,
        gpu_memory_bytes=memory.gpu_bytes,
        drain_timeout=pools.switching.drain_timeout,
        abort_on_drain_timeout=pools.switching.on_drain_timeout is OnDrainTimeout.ABORT,
    )
    return warm_objects(owner, pool.variants, replicas=pool.replicas, settings=settings)


def refused_warm(spec: SpeculativeDeploymentSpec) -> tuple[Refusal, ...]:
    """The same where the mode is Warm; empty where it is not."""
    return why_not_warm(spec) if spec.policy.switching.mode is SwitchingMode.WARM else ()


def why_not_warm(spec: SpeculativeDeploymentSpec) -> tuple[Refusal, ...]:
    """Why the declared variant or an alternative cannot be warm; empty when all can."""
    declared = declared_variant(spec)
    found: dict[Refusal, None] = {}
    for variant in (declared, *(declared.with_draft(draft) for draft in spec.alternatives)):
        held = (variant.baseline, variant) if variant.speculates else (variant,)
        memory = warm_memory(held)
        if memory.host_bytes is None or memory.gpu_bytes is None:
            found[_unknown(memory.unknowns)] = None
        found.update(dict.fromkeys(cannot_be_warm(held, host_memory_bytes=memory.host_bytes or 0)))
    return tuple(found)


def _unknown(unknowns: Sequence[str]) -> Refusal:
    missing = "; ".join(unknowns) or "the memory of the GPU"
    return Refusal(
        field=FIELD,
        reason=Reason.INVALID_CONFIGURATION,
        message=f"Warm needs the memory of the weights and of the GPU, and this is not known: {missing}. "
        "Set target.facts, draft.facts or hardware.accelerators, or write Reload",
    )

"""What a plan says of replicas that hold two variants: whether they can, what that costs, and what it saves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import declared_variant
from breakeven.engines import Refusal
from breakeven.planning.warm import WarmPlan, warm_plan
from breakeven.planning.weights import GIB
from breakeven.render.pools import why_not_warm

if TYPE_CHECKING:
    from breakeven.planning.memory import Capacity
    from breakeven.planning.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Warm switching of one resource, whatever its mode is."""

    refusals: tuple[Refusal, ...]
    plan: WarmPlan

    def lines(self, plan: "Plan") -> list[str]:
        """For people."""
        if plan.method is None:
            return []
        if self.refusals:
            return [f"Warm switching is not possible: {self.refusals[0].message}"]
        instead = f" instead of {plan.switch.loading_minutes:.0f} min of loading" if plan.switch is not None else ""
        took = "seconds" if self.plan.seconds is None else f"about {self.plan.seconds:.1f} s"
        lines = [f"Warm switching is possible: {took}{instead} (policy.switching.mode: Warm)"]
        host, room = self.plan.memory.host_bytes, self.plan.room
        if host is not None:
            lines.append(f"      host memory: {host / GIB:.0f} GiB a replica, for the weights of both variants")
        if room is not None:
            off, on = _tokens(room.baseline), _tokens(room.variant)
            lines.append(f"      KV tokens: {off} without speculation, {on} with it, at utilisation {self.plan.share}")
        return lines

    def document(self, plan: "Plan") -> dict[str, Any]:
        """For programs; absent values are unknown."""
        host, room = self.plan.memory.host_bytes, self.plan.room
        return {
            "possible": not self.refusals,
            "why": [str(refusal) for refusal in self.refusals],
            "switchSeconds": None if self.plan.seconds is None else round(self.plan.seconds, 1),
            "loadingMinutesSaved": None if plan.switch is None else round(plan.switch.loading_minutes, 1),
            "hostMemoryGiB": None if host is None else round(host / GIB, 1),
            "gpuMemoryUtilization": None if self.plan.share is None else float(self.plan.share),
            "baselineKvTokens": None if room is None or room.baseline is None else room.baseline.kv_tokens,
            "kvTokens": None if room is None or room.variant is None else room.variant.kv_tokens,
        }


def warm_of(spec: SpeculativeDeploymentSpec) -> Warm:
    """Plan warm switching."""
    return Warm(refusals=why_not_warm(spec), plan=warm_plan(declared_variant(spec)))


def _tokens(found: "Capacity | None") -> str:
    return "unknown" if found is None else f"{found.kv_tokens:,}"

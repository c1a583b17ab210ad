"""What one pass asks of the warm replicas, and what it says about them. Pure but for the book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from breakeven.api.conditions import ConditionType, Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.control.warm.fleet import WarmPool
from breakeven.control.warm.orders import WarmPod, Wish, lacks, next_look, next_orders, why_not_load
from breakeven.control.warm.pools import Held, wish_of
from breakeven.control.warm.state import Order, Phase
from breakeven.domain.decision import Decision, Finding

_NAMED = 3
"""Replicas that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What follows from one pass for the warm replicas of a resource."""

    orders: Sequence[Order] = ()
    again: timedelta | None = None
    """When the next question or order is due. None: there is no warm replica."""
    finding: Finding | None = None
    """The condition WarmSwitching; None: there is no warm replica."""


def asks_of(
    warm: Mapping[str, WarmPool],
    wanted: Sequence[Held],
    decision: Decision,
    spec: SpeculativeDeploymentSpec,
    now: datetime,
) -> Asks:
    """Everything that can be asked now, of all pools; `wanted` are those that stay."""
    if not any(pool.pods for pool in warm.values()):
        return Asks()
    held = {each.pool: each for each in wanted}
    wishes = {name: wish_of(pool, held.get(name), decision, spec, now) for name, pool in warm.items()}
    orders = [order for name, pool in warm.items() for order in next_orders(pool.pods, wishes[name], now)]
    again = min(next_look(pool.pods, wishes[name], now) for name, pool in warm.items())
    change = decision.rota.next_change(now) if decision.rota is not None else None
    if change is not None:
        again = min(again, max(timedelta(milliseconds=100), change - now))
    staying = [(warm[name], wishes[name]) for name in held if name in warm and warm[name].pods]
    return Asks(orders=orders, again=again, finding=_finding(staying))


def _finding(pools: Sequence[tuple[WarmPool, Wish]]) -> Finding | None:
    """The worst that there is to say of the replicas, else how many hold what they should."""
    pods = [(pod, wish) for pool, wish in pools for pod in pool.pods]
    if not pods:
        return None
    for reason, said in (
        (Reason.REPLICA_SILENT, [_silent(pod) for pod, _ in pods]),
        (Reason.DRAFT_LOST, [_lost(pod) for pod, _ in pods]),
        (Reason.VARIANT_FAILED, [_failed(pod) for pod, _ in pods]),
        (Reason.SWITCH_FAILED, [_not_switched(pod, wish) for pod, wish in pods]),
    ):
        found = [words for words in said if words]
        if found:
            return _said(False, reason, found)
    behind = [_behind(pool.pods, pod, wish) for pool, wish in pools for pod in pool.pods]
    waiting = [words for words in behind if words]
    if waiting:
        return _said(None, Reason.LOADING_ENGINE, waiting)
    return _said(True, Reason.VARIANTS_RESIDENT, [f"{len(pods)} of {len(pods)} replicas hold what they should"])


def _said(status: bool | None, reason: Reason, found: Sequence[str]) -> Finding:
    more = f"; {len(found) - _NAMED} more alike" if len(found) > _NAMED else ""
    return Finding(
        type=ConditionType.WARM_SWITCHING, status=status, reason=reason, message="; ".join(found[:_NAMED]) + more
    )


def _silent(pod: WarmPod) -> str:
    if not pod.ready or not pod.known.error:
        return ""
    return (
        f"{pod.name} does not answer the operator, serves on as it is and is not switched: {pod.known.error} "
        "(a NetworkPolicy has to let the operator reach port 8001)"
    )


def _lost(pod: WarmPod) -> str:
    return "; ".join(f"{variant} in {pod.name} {why}" for variant, why in sorted(pod.known.lost.items()))


def _failed(pod: WarmPod) -> str:
    state = pod.known.state
    failed = [s for s in state.slots.values() if s.phase is Phase.FAILED and not s.comes_back] if state else []
    return "; ".join(
        f"{s.variant} does not come up in {pod.name}, which serves the other on: {s.error} "
        "(to load it again, delete the pod)"
        for s in failed
    )


def _not_switched(pod: WarmPod, wish: Wish) -> str:
    state = pod.known.state
    if state is None or state.last is None or not state.last.error:
        return ""
    wanted = wish.awake.get(pod.name)
    if wanted is None or state.awake == wanted:
        return ""
    slot = state.slot_of(wanted)
    if slot is not None and (slot.comes_back or slot.phase is Phase.STARTING):
        return ""  # it died, and is loaded again first: `_behind` says so
    return f"{pod.name} was not switched and serves on as before: {state.last.error}; it is tried again"


def _behind(pods: Sequence[WarmPod], pod: WarmPod, wish: Wish) -> str:
    """What a replica still has to load."""
    if not pod.ready or not pod.known.heard:
        return f"{pod.name} loads"
    state = pod.known.state
    if state is not None and {slot.variant for slot in state.slots.values() if slot.loaded} >= set(wish.holds):
        return ""  # whichever the file says to wake first after a restart
    if state is not None and wish.revision and state.revision != wish.revision:
        return f"{pod.name} has not read the newest slots file yet"
    if not lacks(pod, wish):
        return ""
    why = why_not_load(pods, wish)
    died = "; ".join(f"{s.variant} died: {s.error}" for s in state.slots.values() if s.comes_back) if state else ""
    said = f"{pod.name} has a variant to load" + (f" again ({died})" if died else "")
    return said + (f", and waits: {why}" if why else "")

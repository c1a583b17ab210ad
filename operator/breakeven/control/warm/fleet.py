"""Replicas by variant where pools hold two of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from breakeven.control.warm.orders import WarmPod
from breakeven.control.warm.state import Phase, Slot
from breakeven.domain.counters.observation import Fleet, Smoke


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsFile:
    """What is read of a slots file."""

    revision: str = ""
    variants: tuple[str, ...] = ()
    """Names of those that each replica should hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPool:
    """One pool of warm replicas."""

    fleet: Fleet
    """As the API server shows it."""
    file: SlotsFile
    """As it is on the API server: what was ordered, whoever did."""
    pods: Sequence[WarmPod]
    """Its living replicas."""


def by_variant(pools: Mapping[str, Fleet], warm: Mapping[str, WarmPool]) -> dict[str, Fleet]:
    """The fleet of every variant: of a pool that is named as the variant, and of those that hold it beside another."""
    found = {name: fleet for name, fleet in pools.items() if name not in warm}
    for pool in warm.values():
        for name in pool.file.variants:
            part = _part(pool, name)
            found[name] = _together(found[name], part) if name in found else part
    return found


def switch_seconds(pools: Mapping[str, WarmPool]) -> float | None:
    """Median seconds of the last switch of each replica; None before any was seen."""
    last = [p.known.state.last for pool in pools.values() for p in pool.pods if p.known.state is not None]
    seen = [each.seconds for each in last if each is not None and each.to and not each.error]
    return median(seen) if seen else None


def _part(pool: WarmPool, variant: str) -> Fleet:
    """What a pool has of one of the variants that it holds."""
    fleet = pool.fleet
    holding = [p for p in pool.pods if p.ready and variant in p.known.loaded_since and variant not in p.known.lost]
    since = max((p.known.loaded_since[variant] for p in holding), default=None)
    settled = fleet.settled_since is not None and len(holding) == fleet.ready
    smoke = _smoke(pool, variant)
    return replace(
        fleet,
        variant=variant,
        ready=len(holding),
        settled_since=max(fleet.settled_since, since) if settled and since and fleet.settled_since else None,
        failing=fleet.failing or _failing(pool, variant),
        smoke=smoke,
        smoke_message=_failing(pool, variant) if smoke is Smoke.FAILED else "",
    )


def _failing(pool: WarmPool, variant: str) -> str:
    """Why a variant does not come up, or must not be woken, in a replica of the pool."""
    for pod in pool.pods:
        slot = _slot(pod, variant)
        if slot is not None and slot.phase is Phase.FAILED and not slot.comes_back:
            return f"{pod.name}: {slot.error}"
        if variant in pod.known.lost:
            return f"{pod.name}: {pod.known.lost[variant]}"
    return ""


def _smoke(pool: WarmPool, variant: str) -> Smoke:
    """A replica tries every engine that it starts or wakes before requests come to it."""
    if _failing(pool, variant):
        return Smoke.FAILED
    loaded = any(slot.loaded for p in pool.pods if (slot := _slot(p, variant)) is not None)
    return Smoke.PASSED if loaded else Smoke.PENDING


def _slot(pod: WarmPod, variant: str) -> Slot | None:
    return pod.known.state.slot_of(variant) if pod.known.state is not None else None


def _together(one: Fleet, other: Fleet) -> Fleet:
    """Replicas of one variant in two pools: while they move from one to the other."""
    resting = [f for f in (one, other) if f.wanted or f.existing or f.terminating]
    times: list[datetime] = [f.settled_since for f in resting if f.settled_since is not None]
    waiting = [f.waiting_since for f in (one, other) if f.waiting_since is not None]
    return Fleet(
        variant=one.variant,
        wanted=one.wanted + other.wanted,
        existing=one.existing + other.existing,
        ready=one.ready + other.ready,
        terminating=one.terminating + other.terminating,
        stuck=(*one.stuck, *other.stuck),
        settled_since=max(times) if times and len(times) == len(resting) else None,
        waiting_since=max(waiting, default=None),
        restarts=one.restarts + other.restarts,
        crash=one.crash or other.crash,
        failing=one.failing or other.failing,
        unschedulable=one.unschedulable or other.unschedulable,
        nodes={**one.nodes, **other.nodes},
        smoke=other.smoke if not one.existing else one.smoke,
        smoke_message=other.smoke_message if not one.existing else one.smoke_message,
    )

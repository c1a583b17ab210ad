"""Warm pools of one resource: what they hold, what each decision wants of them. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from breakeven.api.choices import SwitchingMode
from breakeven.api.names import warm_pool
from breakeven.api.policy import SwitchingSpec
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.control.fleet import alive, is_warm, pool_of, ready_since
from breakeven.control.ports import Manifest
from breakeven.control.snapshot import Snapshot
from breakeven.control.switching_windows import window_open
from breakeven.control.warm.book import Book
from breakeven.control.warm.fleet import SlotsFile, WarmPool
from breakeven.control.warm.orders import WarmPod, Wish
from breakeven.domain.counters.observation import Fleet
from breakeven.domain.decision import Decision

SLOTS_FILE = "slots.json"
"""Key of the slots file in its ConfigMap, which is named `<Deployment>-slots`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pool of warm replicas to render."""

    variants: tuple[Variant, ...]
    """What each replica holds: one or two variants of one baseline, that which serves first."""
    role: Role
    replicas: int

    @property
    def pool(self) -> str:
        """Its name."""
        return warm_pool(self.variants[0].baseline.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmWanted:
    """All that is rendered where replicas hold two variants."""

    pools: Sequence[Held]
    switching: SwitchingSpec
    token_digest: str
    """SHA-256 of the token that opens their switching port."""


def is_switched_warm(spec: SpeculativeDeploymentSpec) -> bool:
    """Whether replicas should hold two variants."""
    return spec.policy.switching.mode is SwitchingMode.WARM


def warm_pools(snapshot: Snapshot, pools: Mapping[str, Fleet], book: Book) -> dict[str, WarmPool]:
    """The warm pools that exist, with what is known of each replica."""
    files = slots_files(snapshot.by_kind["ConfigMap"])
    living = [p for p in snapshot.pods if is_warm(p) and alive(p)]
    book.forget_gone({p["metadata"]["uid"] for p in living})
    return {
        pool: WarmPool(
            fleet=pools[pool],
            file=files.get(f"{snapshot.owner.name}-{pool}", SlotsFile()),
            pods=[_warm_pod(p, book) for p in living if pool_of(p) == pool],
        )
        for pool in sorted({pool_of(o) for o in (*snapshot.deployments, *snapshot.pods) if is_warm(o)} & pools.keys())
    }


def slots_files(config_maps: Iterable[Manifest]) -> dict[str, SlotsFile]:
    """Slots files by name of their Deployment; what a hand made unreadable names nothing."""
    found = {}
    for each in config_maps:
        name, data = each["metadata"]["name"], each.get("data") or {}
        if name.endswith("-slots") and SLOTS_FILE in data:
            found[name.removesuffix("-slots")] = _slots_file(data[SLOTS_FILE])
    return found


def held_by(decision: Decision) -> list[Held]:
    """The pools that a decision wants: one for each baseline among what it places.

    That of what serves holds what the decision says besides; every other holds what is placed in it.
    """
    pools: dict[str, Held] = {}
    for placement in decision.placements:
        name = warm_pool(placement.variant.baseline.name)
        before = pools.get(name)
        variants = (*before.variants, placement.variant) if before is not None else (placement.variant,)
        pools[name] = Held(
            variants=_distinct(variants),
            role=before.role if before is not None else placement.role,
            replicas=placement.replicas + (before.replicas if before is not None else 0),
        )
    if decision.slots is not None:
        name = warm_pool(decision.slots[0].baseline.name)
        if name in pools:
            pools[name] = replace(pools[name], variants=_distinct(decision.slots))
    return list(pools.values())


def _distinct(variants: Iterable[Variant | None]) -> tuple[Variant, ...]:
    """At most two, each once."""
    return tuple({v.name: v for v in variants if v is not None}.values())[:2]


def wish_of(
    pool: WarmPool, held: Held | None, decision: Decision, spec: SpeculativeDeploymentSpec, now: datetime
) -> Wish:
    """What the replicas of one pool should do. `held` is None for one on its way out, which stays as it is."""
    if held is None:
        return Wish(awake={}, holds=(), revision="", frozen=True)
    serving = held.variants[0].name
    rota = decision.rota if decision.rota is not None and decision.rota.major == serving else None
    names = sorted(pod.name for pod in pool.pods)
    return Wish(
        awake=dict.fromkeys(names, serving) if rota is None else rota.awake(names, now),
        holds=pool.file.variants,
        revision=pool.file.revision,
        frozen=spec.policy.paused,
        may_load=window_open(spec.policy.switching.windows, now),
        allow_downtime=spec.policy.switching.allow_downtime,
    )


def _slots_file(text: object) -> SlotsFile:
    try:
        raw = json.loads(str(text))
        return SlotsFile(revision=str(raw["revision"]), variants=tuple(str(v["variant"]) for v in raw["variants"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return SlotsFile()


def _warm_pod(pod: Manifest, book: Book) -> WarmPod:
    uid, on_host = pod["metadata"]["uid"], (pod.get("spec") or {}).get("hostNetwork")
    return WarmPod(
        uid=uid,
        name=pod["metadata"]["name"],
        # On its node's network, who answers at its address is not known.
        address="" if on_host else str(pod.get("status", {}).get("podIP", "")),
        ready=ready_since(pod) is not None,
        known=book.of(uid),
    )

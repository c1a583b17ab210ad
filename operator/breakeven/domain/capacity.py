"""Who runs where: replicas by role, and what a trial needs."""

from breakeven.api.spec import HoldbackMode
from breakeven.api.status import Memory, Role
from breakeven.domain.decision import Placement
from breakeven.domain.situation import Situation

CANARY_SHARE = 0.15
"""Share of the replicas on trial, at least one: enough requests to measure, few enough to lose."""


def placements(now: Situation) -> tuple[Placement, ...]:
    """The replicas that the memory asks for."""
    total = now.spec.replicas
    stable = now.stable
    if total == 0:
        return (Placement(variant=stable, role=Role.STABLE, replicas=0),)
    if now.on_trial:
        return _with_canary(now)
    control = _control_replicas(now)
    if control == 0:
        return (Placement(variant=stable, role=Role.STABLE, replicas=total),)
    return (
        Placement(variant=stable, role=Role.STABLE, replicas=total - control),
        Placement(variant=stable.baseline, role=Role.HOLDBACK, replicas=control),
    )


def _with_canary(now: Situation) -> tuple[Placement, ...]:
    canary, total = now.memory.canary, now.spec.replicas
    if canary is None:
        return ()
    trying = max(1, round(CANARY_SHARE * total))
    staying = total - trying
    if staying < 1 and now.policy.switching.surge >= 1:
        staying = 1
    on_trial = Placement(variant=canary, role=Role.CANARY, replicas=trying)
    if staying < 1:
        return (on_trial,)
    return (Placement(variant=now.stable, role=Role.STABLE, replicas=staying), on_trial)


def _control_replicas(now: Situation) -> int:
    memory, holdback = now.memory, now.policy.holdback
    if not now.stable.speculates or holdback.mode == HoldbackMode.NEVER:
        return 0
    if not (memory.holdback or holdback.mode == HoldbackMode.ALWAYS):
        return 0
    return max(0, min(holdback.replicas, now.spec.replicas - 1))


def can_try(now: Situation) -> bool:
    """Whether a canary can run at all: beside a serving replica, or in its place where the user allows that."""
    switching = now.policy.switching
    return now.spec.replicas >= 2 or (now.spec.replicas == 1 and (switching.surge >= 1 or switching.allow_downtime))


def one_after_the_other(now: Situation) -> bool:
    """Whether a trial cannot run beside what serves, so that before is compared with after."""
    return now.spec.replicas < 2 and now.policy.switching.surge < 1


def can_switch(now: Situation) -> bool:
    """Whether what serves can be replaced: never by stopping the last serving replica unless that is allowed."""
    return can_try(now)


def needs(memory: Memory) -> str:
    """What to change so that the verdict can be acted on."""
    wish = "a trial" if not memory.stable or not memory.stable.speculates else "a switch"
    return (
        f"{wish} needs a second replica: set spec.replicas to 2 or more, or spec.policy.switching.surge to 1 where a"
        " GPU is free, or spec.policy.switching.allowDowntime to true; until then the one serving replica stays as it"
        " is"
    )

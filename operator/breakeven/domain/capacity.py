"""Who runs where: replicas by role, and what a trial needs."""

from breakeven.api.spec import HoldbackMode
from breakeven.api.status import Memory, Role
from breakeven.domain.decision import Placement
from breakeven.domain.situation import Situation

CANARY_SHARE = 0.15
"""Share of the replicas on trial, at least one: enough requests to measure, few enough to lose."""


def placements(situation: Situation) -> tuple[Placement, ...]:
    """The replicas that the memory asks for."""
    total = situation.spec.replicas
    stable = situation.stable
    if total == 0:
        return (Placement(variant=stable, role=Role.STABLE, replicas=0),)
    if situation.on_trial:
        return _with_canary(situation)
    control = _control_replicas(situation)
    if control == 0:
        return (Placement(variant=stable, role=Role.STABLE, replicas=total),)
    return (
        Placement(variant=stable, role=Role.STABLE, replicas=total - control),
        Placement(variant=stable.baseline, role=Role.HOLDBACK, replicas=control),
    )


def _with_canary(situation: Situation) -> tuple[Placement, ...]:
    canary, total = situation.memory.canary, situation.spec.replicas
    if canary is None:
        return ()
    trying = max(1, round(CANARY_SHARE * total))
    staying = total - trying
    if staying < 1 and situation.policy.switching.surge >= 1:
        staying = 1
    on_trial = Placement(variant=canary, role=Role.CANARY, replicas=trying)
    if staying < 1:
        return (on_trial,)
    return (Placement(variant=situation.stable, role=Role.STABLE, replicas=staying), on_trial)


def _control_replicas(situation: Situation) -> int:
    memory, holdback = situation.memory, situation.policy.holdback
    if not situation.stable.speculates or holdback.mode == HoldbackMode.NEVER:
        return 0
    if not (memory.holdback or holdback.mode == HoldbackMode.ALWAYS):
        return 0
    return max(0, min(holdback.replicas, situation.spec.replicas - 1))


def can_try(situation: Situation) -> bool:
    """Whether a canary can run at all: beside a serving replica, or in its place where the user allows that."""
    switching = situation.policy.switching
    return situation.spec.replicas >= 2 or (
        situation.spec.replicas == 1 and (switching.surge >= 1 or switching.allow_downtime)
    )


def one_after_the_other(situation: Situation) -> bool:
    """Whether a trial cannot run beside what serves, so that before is compared with after."""
    return situation.spec.replicas < 2 and situation.policy.switching.surge < 1


def can_switch(situation: Situation) -> bool:
    """Whether what serves can be replaced: never by stopping the last serving replica unless that is allowed."""
    return can_try(situation)


def needs(memory: Memory) -> str:
    """What to change so that the verdict can be acted on."""
    wish = "a trial" if not memory.stable or not memory.stable.speculates else "a switch"
    return (
        f"{wish} needs a second replica: set spec.replicas to 2 or more, or spec.policy.switching.surge to 1 where a"
        " GPU is free, or spec.policy.switching.allowDowntime to true; until then the one serving replica stays as it"
        " is"
    )

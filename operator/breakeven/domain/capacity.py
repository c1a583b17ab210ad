"""Who runs where: replicas by role, what takes turns in them, and what a trial needs."""

from datetime import timedelta

from breakeven.api.spec import HoldbackMode
from breakeven.api.status import Role
from breakeven.domain.counters.windows import batch_length
from breakeven.domain.decision import Placement
from breakeven.domain.rota import Rota, cell_of
from breakeven.domain.situation import Situation

CANARY_SHARE = 0.15
"""Share of the replicas on trial, at least one: enough requests to measure, few enough to lose."""


def placements(situation: Situation) -> tuple[Placement, ...]:
    """The replicas that the memory asks for."""
    total = situation.spec.replicas
    stable = situation.stable
    if total == 0:
        return (Placement(variant=stable, role=Role.STABLE, replicas=0),)
    if situation.on_trial and situation.moves_pods:
        return _with_canary(situation)
    control = _control_replicas(situation)
    if control == 0 or situation.warm:
        return (Placement(variant=stable, role=Role.STABLE, replicas=total),)
    return (
        Placement(variant=stable, role=Role.STABLE, replicas=total - control),
        Placement(variant=stable.baseline, role=Role.HOLDBACK, replicas=control),
    )


def _with_canary(situation: Situation) -> tuple[Placement, ...]:
    canary, total = situation.memory.canary, situation.spec.replicas
    if canary is None:
        return ()
    trying = _trying(situation)
    staying = total - trying
    if staying < 1 and situation.policy.switching.surge >= 1:
        staying = 1
    on_trial = Placement(variant=canary, role=Role.CANARY, replicas=trying)
    if staying < 1:
        return (on_trial,)
    plain = situation.stable.baseline
    beside = canary.name != plain.name and not situation.warm  # pods that hold both variants need none of its own
    control = min(_control_replicas(situation), staying - 1) if beside else 0
    stable = Placement(variant=situation.stable, role=Role.STABLE, replicas=staying - control)
    if control < 1:
        return (stable, on_trial)
    return (stable, on_trial, Placement(variant=plain, role=Role.HOLDBACK, replicas=control))


def _trying(situation: Situation) -> int:
    return max(1, round(CANARY_SHARE * situation.spec.replicas))


def rota(situation: Situation) -> Rota | None:
    """Which variant is awake when, in the pods of what serves; None unless they hold two.

    During a trial as many pods as a canary would have are awake with it at any moment, so twice as many take part. For
    a control as many take part as `holdback.replicas` says, half of the time each. Nothing alternates while nothing
    can be learned: while paused, and while the metrics are away.
    """
    if not situation.warm:
        return None
    stable, total = situation.stable, situation.spec.replicas
    idle = situation.policy.paused or situation.observation.outage is not None
    minor, taking_part = "", 0
    if idle or total == 0:
        pass
    elif situation.on_trial and situation.memory.canary is not None and not situation.moves_pods:
        minor, taking_part = situation.memory.canary.name, min(total, 2 * _trying(situation))
    elif not situation.on_trial and _keeps_control(situation):
        minor, taking_part = stable.baseline.name, min(total, situation.policy.holdback.replicas)
    return Rota(major=stable.name, minor=minor, taking_part=taking_part, cell=cell(situation))


def cell(situation: Situation) -> timedelta:
    """Time in which a pod that alternates serves half with each variant."""
    return cell_of(batch_length(situation.evidence), situation.switch)


def _control_replicas(situation: Situation) -> int:
    if not _keeps_control(situation):
        return 0
    return max(0, min(situation.policy.holdback.replicas, situation.spec.replicas - 1))


def _keeps_control(situation: Situation) -> bool:
    mode = situation.policy.holdback.mode
    if not situation.stable.speculates or mode == HoldbackMode.NEVER:
        return False
    return situation.memory.holdback or mode == HoldbackMode.ALWAYS


def can_try(situation: Situation) -> bool:
    """Whether a canary can run at all: in the pods that serve, beside a serving replica, or in its place where the user
    allows that.
    """
    if not situation.moves_pods:
        return situation.spec.replicas >= 1 and (can_load(situation) or _held(situation))
    switching = situation.policy.switching
    return situation.spec.replicas >= 2 or (
        situation.spec.replicas == 1 and (switching.surge >= 1 or switching.allow_downtime)
    )


def can_load(situation: Situation) -> bool:
    """Whether a warm replica may load another variant: that finds no room beside one that is awake, so the replica is
    away meanwhile, one at a time.
    """
    return situation.spec.replicas >= 2 or situation.policy.switching.allow_downtime


def _held(situation: Situation) -> bool:
    """Whether the pods hold what would be tried, or begin with it."""
    canary = situation.memory.canary if situation.on_trial else None
    return not situation.observation.fleet or situation.fleet(canary or situation.wished) is not None


def one_after_the_other(situation: Situation) -> bool:
    """Whether a trial cannot run beside what serves or in turns with it, so that before is compared with after."""
    return situation.moves_pods and situation.spec.replicas < 2 and situation.policy.switching.surge < 1


def can_switch(situation: Situation) -> bool:
    """Whether what serves can be replaced: never by stopping the last serving replica unless that is allowed. A warm
    replica stops for nothing.
    """
    return situation.warm or can_try(situation)


def can_control(situation: Situation) -> bool:
    """Whether anything can be kept without speculation beside what speculates: in turns with it, or a replica."""
    return situation.warm or situation.spec.replicas >= 2


def needs(situation: Situation) -> str:
    """What to change so that the verdict can be acted on."""
    memory = situation.memory
    if not situation.moves_pods:
        return (
            "another variant is loaded while its replica does not serve: set spec.replicas to 2 or more, or"
            " spec.policy.switching.allowDowntime to true; until then the one serving replica stays as it is"
        )
    wish = "a trial" if not memory.stable or not memory.stable.speculates else "a switch"
    return (
        f"{wish} needs a second replica: set spec.replicas to 2 or more, or spec.policy.switching.surge to 1 where a"
        " GPU is free, or spec.policy.switching.allowDowntime to true; until then the one serving replica stays as it"
        " is"
    )

"""The single next safe step from the replicas that exist to the replicas that were decided.

A switch moves one replica at a time, or one in five of many: stop, wait until the pods are gone and their GPUs free,
start, wait until they serve. With a surge the order is start, wait, stop. The last serving replica is never stopped
unless the resource allows it, and no step ever needs a GPU that is not there. A change of the declared count is the
user's own and happens at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from breakeven.api.conditions import ConditionType, Reason
from breakeven.domain.counters.observation import Fleet
from breakeven.domain.decision import Finding

MOVED_OF = 5
"""One in so many replicas may be away at once: less than the quarter that Kubernetes takes for a rolling update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Replicas one variant should end up with, stable first."""

    variant: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a step may use."""

    surge: int = 0
    """Spare replicas that a switch may start before it stops others."""
    allow_downtime: bool = False
    """Whether the last serving replica may stop."""
    window_open: bool = True
    """Whether switches may happen now."""
    paused: bool = False
    """Whether nothing may change at all."""
    capacity: str = "1 GPU"
    """What one replica needs, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Replica counts to set now, by variant."""

    replicas: Mapping[str, int]
    reason: str
    """In words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do until something settles."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """There would be something to do, and the resource is paused: replicas stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """The decided state cannot be reached as things are."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Arrived:
    """Every variant has the replicas it should have, and they serve."""


Move = Step | Wait | Paused | Blocked | Arrived


def next_move(targets: Sequence[Target], fleet: Mapping[str, Fleet], limits: Limits) -> Move:
    """Find the next step; pure, the same input gives the same answer.

    A variant in `fleet` that no target names is to be emptied.
    """
    board = _Board(targets, fleet, limits)
    if not board.short and not board.over:
        return board.settle()
    if limits.paused:
        return Paused()
    if not board.wanted_total and not board.occupied:
        return Step(replicas=dict(board.short), reason="first rollout")
    if board.wanted_total < board.total:
        return _start(board)
    if not board.short:
        return _trim(board)
    return _switch(board)


class _Board:
    """The counts that every rule looks at."""

    def __init__(self, targets: Sequence[Target], fleet: Mapping[str, Fleet], limits: Limits) -> None:
        goal = {t.variant: t.replicas for t in targets}
        goal.update({name: 0 for name in sorted(fleet) if name not in goal})
        self.goal = goal
        self.fleet = {name: fleet.get(name, _none(name)) for name in goal}
        self.limits = limits
        self.total = sum(goal.values())
        self.wanted_total = sum(f.wanted for f in self.fleet.values())
        self.occupied = sum(max(f.wanted, f.existing) + f.terminating for f in self.fleet.values())
        self.ready = sum(f.ready for f in self.fleet.values())
        self.short = {n: g for n, g in goal.items() if g > self.fleet[n].wanted}
        self.over = {n: g for n, g in goal.items() if g < self.fleet[n].wanted}

    def settle(self) -> Move:
        """Nothing is to be changed: say what is still on its way."""
        return self.no_place() or self.unsettled() or Arrived()

    def unsettled(self) -> Wait | None:
        """What has to come to rest before the next replica moves; replicas on their way out by our own wish do not."""
        for name, f in self.fleet.items():
            if f.terminating or f.existing > f.wanted:
                return Wait(reason=f"a replica of {name} is stopping")
            keep = min(f.wanted, self.goal[name])
            if f.existing < f.wanted or f.ready < keep:
                why = f": {f.failing}" if f.failing else ""
                return Wait(reason=f"{f.ready} of {keep} replicas of {name} serve{why}")
        return None

    def free_to_move(self) -> int:
        """Replicas that may stop beside those that are away already; 0 where everything has to be at rest before.

        That is so in a fleet of less than ten, while a replica fails, and with a surge.
        """
        at_once = self.total // MOVED_OF
        if at_once < 2 or self.limits.surge or any(f.failing for f in self.fleet.values()):
            return 0
        return max(0, at_once - max(0, self.total - self.ready))

    def no_place(self) -> Blocked | None:
        """A kept replica that the scheduler cannot place."""
        for name, f in self.fleet.items():
            if f.unschedulable and self.goal[name] >= f.wanted:
                message = f"a replica of {name} finds no node and needs {self.limits.capacity}: {f.unschedulable}"
                return _blocked(Reason.UNSCHEDULABLE, message)
        return None

    def idle_surplus(self) -> str | None:
        """A variant to be emptied that has a replica which does not serve."""
        return next((n for n in reversed(self.over) if self.fleet[n].ready < self.fleet[n].wanted), None)


def _start(board: _Board) -> Move:
    """Start what is missing, as far as the GPUs of the declared replicas are free."""
    free = board.total - board.occupied
    for name, goal in board.short.items():
        f = board.fleet[name]
        if f.unschedulable:
            return board.no_place() or Wait(reason=f"a replica of {name} finds no node")
        if f.failing:
            return Wait(reason=f"no further replica of {name} while one fails: {f.failing}")
        if free > 0:
            count = min(goal - f.wanted, free)
            return Step(replicas={name: f.wanted + count}, reason=f"start {count} of {name}")
    return board.unsettled() or Wait(reason="a GPU is not free yet")


def _trim(board: _Board) -> Move:
    """More replicas than declared and none missing: the user asked for fewer, or a surge is over.

    Replicas that do not serve stop first, and of those that serve only as many as serve beyond the declared ones.
    """
    excess, spare = board.wanted_total - board.total, max(0, board.ready - board.total)
    idle = {name: max(0, board.fleet[name].wanted - board.fleet[name].ready) for name in board.over}
    left: dict[str, int] = {}
    for name in sorted(board.over, key=lambda name: -idle[name]):
        wanted = board.fleet[name].wanted
        surplus = min(wanted - board.goal[name], excess)
        serving = min(max(0, surplus - idle[name]), spare)
        stopped = min(surplus, idle[name]) + serving
        if stopped:
            left[name] = wanted - stopped
            excess, spare = excess - stopped, spare - serving
    if left:
        return Step(replicas=left, reason="stop what is no longer declared")
    return board.no_place() or board.unsettled() or Wait(reason="the replicas that stay do not all serve yet")


def _switch(board: _Board) -> Move:
    """One replica goes from a variant that has too many to one that has too few."""
    limits = board.limits
    idle = board.idle_surplus()
    if idle is not None and not any(f.terminating or f.existing > f.wanted for f in board.fleet.values()):
        return Step(
            replicas={idle: board.fleet[idle].wanted - 1}, reason=f"stop a replica of {idle} that does not serve"
        )
    free = board.free_to_move()
    stop = board.no_place() or (board.unsettled() if free < 1 else None)
    if stop:
        return stop
    if not limits.window_open:
        return _blocked(Reason.OUTSIDE_WINDOW, "replicas are switched only within spec.policy.switching.windows")
    if board.wanted_total < board.total + limits.surge:
        name = next(iter(board.short))
        f = board.fleet[name]
        if f.failing:
            return Wait(reason=f"no further replica of {name} while one fails: {f.failing}")
        return Step(replicas={name: f.wanted + 1}, reason=f"start a spare replica of {name}")
    if board.ready <= 1 and not limits.allow_downtime:
        return _blocked(Reason.LAST_REPLICA, _last_replica(limits, board.total))
    name = next(reversed(board.over))
    wanted = board.fleet[name].wanted
    count = max(1, min(free, wanted - board.goal[name]))
    return Step(replicas={name: wanted - count}, reason=f"stop {_some(count)} of {name} to free GPUs")


def _some(count: int) -> str:
    return "a replica" if count == 1 else f"{count} replicas"


def _last_replica(limits: Limits, total: int) -> str:
    return (
        f"the switch would stop the last serving replica of {total}; nothing was stopped. "
        f"It needs {limits.capacity} free and "
        "spec.policy.switching.surge of 1, or one more in spec.replicas, or spec.policy.switching.allowDowntime: true"
    )


def _blocked(reason: Reason, message: str) -> Blocked:
    return Blocked(
        finding=Finding(type=ConditionType.CAPACITY_AVAILABLE, status=False, reason=str(reason), message=message)
    )


def _none(name: str) -> Fleet:
    return Fleet(variant=name, wanted=0, existing=0, ready=0)

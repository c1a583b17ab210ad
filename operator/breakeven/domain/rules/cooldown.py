"""How long to stay off after a failure, and how often things may change at all."""

from datetime import datetime, timedelta

from breakeven.api.choices import SwitchingMode
from breakeven.api.spec import PolicySpec
from breakeven.api.status import Memory, State
from breakeven.api.vocabulary import Action

LONGEST = timedelta(hours=15)
"""A pair that keeps failing is tried at another hour of each day: what fails by night may pay by day."""
TRIALS_A_CHANGE = 4
"""So many failed trials count as one change of the day: each moves a few replicas there and back."""
LONGEST_WARM = 12
"""Windows, two hours by default, after which a pair that keeps failing is tried again where a trial takes no replica
away: three windows in which half of a few replicas lose what speculation loses."""
WARM = 24
"""Warm changes that count as one: seconds, of which twenty are draining, against at least eight minutes of loading."""
FORGIVEN_AFTER = timedelta(hours=6)
"""Speculation that paid for this long starts again from the shortest cooldown."""
DAY = timedelta(hours=24)


def wait(policy: PolicySpec, attempts: int, *, longest: timedelta = LONGEST) -> timedelta:
    """Time off after the given number of earlier failures: cooldown * 2^n, at most 15 hours.

    A trial restarts replicas (minutes of loading, a cold prefix cache), so trials become rare when they keep failing.
    """
    if policy.cooldown <= timedelta():
        return timedelta()
    doubled: timedelta = policy.cooldown * (1 << min(attempts, 20))
    return min(doubled, max(longest, policy.cooldown))


def failures(memory: Memory, now: datetime) -> int:
    """Failed attempts that still count."""
    paid = memory.state == State.SPECULATING and memory.since is not None and now - memory.since >= FORGIVEN_AFTER
    return 0 if paid else memory.attempts


def recent(memory: Memory, now: datetime) -> list[datetime]:
    """Changes of speculation in the last 24 hours."""
    return [moment for moment in memory.transitions if now - moment < DAY]


def left_today(policy: PolicySpec, memory: Memory, now: datetime) -> int:
    """Changes of speculation that are still allowed today."""
    each = WARM if policy.switching.mode == SwitchingMode.WARM else 1
    return policy.max_transitions_per_day * each - len(recent(memory, now))


def may_switch_on(policy: PolicySpec, memory: Memory, now: datetime) -> bool:
    """Whether a trial may begin: its promotion must leave one change for switching off again, where there are two."""
    warm = policy.switching.mode == SwitchingMode.WARM  # a trial of seconds is no change
    left = left_today(policy, memory, now) - (0 if warm else _failed_today(memory, now) // TRIALS_A_CHANGE)
    return left >= min(2, max(1, policy.max_transitions_per_day))


def _failed_today(memory: Memory, now: datetime) -> int:
    """Trials of the last 24 hours that failed, as far as the ledger goes back."""
    return sum(line.action == Action.END_TRIAL and now - line.at < DAY for line in memory.decisions)


def may_switch(policy: PolicySpec, memory: Memory, now: datetime) -> bool:
    """Whether one more change fits into the day."""
    return left_today(policy, memory, now) >= 1

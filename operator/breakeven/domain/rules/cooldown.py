"""How long to stay off after a failure, and how often things may change at all."""

from datetime import datetime, timedelta

from breakeven.api.spec import PolicySpec
from breakeven.api.status import Memory, State

LONGEST = timedelta(hours=24)
"""A pair that keeps failing is tried once a day."""
FORGIVEN_AFTER = timedelta(hours=6)
"""Speculation that paid for this long starts again from the shortest cooldown."""
DAY = timedelta(hours=24)


def wait(policy: PolicySpec, attempts: int) -> timedelta:
    """Time off after the given number of earlier failures: cooldown * 2^n, at most a day.

    A trial restarts replicas (minutes of loading, a cold prefix cache), so trials become rare when they keep failing.
    """
    if policy.cooldown <= timedelta():
        return timedelta()
    doubled: timedelta = policy.cooldown * (1 << min(attempts, 20))
    return min(doubled, max(LONGEST, policy.cooldown))


def failures(memory: Memory, now: datetime) -> int:
    """Failed attempts that still count."""
    paid = memory.state == State.SPECULATING and memory.since is not None and now - memory.since >= FORGIVEN_AFTER
    return 0 if paid else memory.attempts


def recent(memory: Memory, now: datetime) -> list[datetime]:
    """Changes of speculation in the last 24 hours."""
    return [moment for moment in memory.transitions if now - moment < DAY]


def left_today(policy: PolicySpec, memory: Memory, now: datetime) -> int:
    """Changes of speculation that are still allowed today."""
    return policy.max_transitions_per_day - len(recent(memory, now))


def may_switch_on(policy: PolicySpec, memory: Memory, now: datetime) -> bool:
    """Whether a trial may begin: its promotion must leave one change for switching off again, where there are two."""
    return left_today(policy, memory, now) >= min(2, max(1, policy.max_transitions_per_day))


def may_switch(policy: PolicySpec, memory: Memory, now: datetime) -> bool:
    """Whether one more change fits into the day."""
    return left_today(policy, memory, now) >= 1

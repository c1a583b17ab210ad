"""Whether it is the load that carries speculation over break-even and back, as it does every day on a daily knee."""

from datetime import timedelta

from breakeven.api.status import State
from breakeven.domain.rules.schedules import rises_with_load
from breakeven.domain.rules.transitions import present_load
from breakeven.domain.situation import Situation

LOAD_WAS_WHY = 1.5
"""A load this many times lower than at the last failure is another question where load explains that failure."""
LONGEST_WAIT = timedelta(hours=24)
"""Longest wait for a load that does not fall: the day's quiet hours have passed by then."""


def explained(situation: Situation) -> bool:
    """Whether load explains the last failure: drafts were seen to pay at a clearly lower load, and step times to rise
    from there on. Not where a shorter draft is predicted to pay at this load.
    """
    failed = situation.memory.failed_at_load
    if failed is None or situation.memory.tuned_length is not None:
        return False
    return rises_with_load(situation.memory.profile, below=float(failed) / LOAD_WAS_WHY, now=situation.time)


def waits(situation: Situation) -> bool:
    """Whether speculation failed for the load, which has not fallen since: a trial would only cost its replicas.

    Not longer than a day, for whatever else may have changed meanwhile. An unknown load is not waited for.
    """
    memory = situation.memory
    if memory.state != State.COOLDOWN or memory.failed_at_load is None or memory.since is None:
        return False
    if situation.time - memory.since >= LONGEST_WAIT or situation.wished.baseline != situation.stable.baseline:
        return False
    load = present_load(situation) if explained(situation) else None
    return load is not None and load * LOAD_WAS_WHY >= float(memory.failed_at_load)

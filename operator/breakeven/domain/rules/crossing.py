"""Whether it is the load that carries speculation over break-even and back, as it does every day on a daily knee, or
fills a KV cache of which a draft takes its share.
"""

from datetime import timedelta

from breakeven.api.status import State
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain.rules.schedules import rises_with_load
from breakeven.domain.rules.transitions import present_load
from breakeven.domain.situation import Situation

LOAD_WAS_WHY = 1.5
"""A load this many times lower than at the last failure is another question where load explains that failure."""
_ENDS = (Action.DISABLE, Action.END_TRIAL, Action.PROMOTE)
LONGEST_WAIT = timedelta(hours=24)
"""Longest wait for a load that does not fall: the day's quiet hours have passed by then."""
WARM_FELL = 1.1
"""Where a trial takes no replica away, it need not be sure to succeed: it begins when the load is a little lower."""
WARM_WAIT = 12
"""Windows that such a trial waits at most, two hours by default."""


def explained(situation: Situation) -> bool:
    """Whether load explains the last failure: drafts were seen to pay at a clearly lower load, and step times to rise
    from there on. Not where a shorter draft is predicted to pay at this load. A queue, or requests that are preempted,
    is load by itself.
    """
    failed = situation.memory.failed_at_load
    if failed is not None and _for_room(situation):
        return True
    if failed is None or situation.memory.tuned_length is not None:
        return False
    return rises_with_load(situation.memory.profile, failed=float(failed), apart=LOAD_WAS_WHY, now=situation.time)


def _for_room(situation: Situation) -> bool:
    """Whether the last change was for requests that waited, or were preempted, with speculation."""
    last = next((d for d in situation.memory.decisions if d.action in _ENDS), None)
    return last is not None and last.reason in (Reason.QUEUE_GROWTH, Reason.PREEMPTION_STORM)


def waits(situation: Situation) -> bool:
    """Whether speculation failed for the load, which has not fallen since: a trial would only cost its replicas.

    Not longer than a day, for whatever else may have changed meanwhile. An unknown load is not waited for.
    """
    memory = situation.memory
    if memory.state != State.COOLDOWN or memory.failed_at_load is None or memory.since is None:
        return False
    longest, fallen = LONGEST_WAIT, LOAD_WAS_WHY
    if situation.warm:
        longest, fallen = WARM_WAIT * situation.evidence.window, WARM_FELL
    if situation.time - memory.since >= longest or situation.wished.baseline != situation.stable.baseline:
        return False
    load = present_load(situation) if explained(situation) else None
    return load is not None and load * fallen >= float(memory.failed_at_load)

"""Whether the newest evidence can wait for the next full pass.

Between the ends of two windows only a sudden change can alter what is decided: an alarm, a storm, an outage. All of
them show in the newest batch or increment of an arm before anything else, so a look at these alone tells whether the
whole evidence has to be weighed at once. It errs towards weighing, and `control` weighs everything now and then anyhow.
"""

import math
from collections.abc import Mapping, Sequence

from breakeven.domain.counters.observation import Arm, Batch
from breakeven.domain.measures import queues
from breakeven.domain.measures.speedup import decode_tokens

MOVED = 0.05
"""Time per token of an arm that moved by more than this share since the last full pass is remarkable."""


def unremarkable(before: Mapping[str, Arm], now: Mapping[str, Arm], *, until: float | None) -> bool:
    """Whether nothing in the newest evidence asks for a full pass.

    Parameters
    ----------
    before
        Arms of the last full pass.
    now
        The same arms now.
    until
        End of the window under way, Unix seconds: when all arms have reached it, it is judged. None: none is under way.
    """
    if before.keys() != now.keys():
        return False
    if any((a.ready, a.scraped) != (before[name].ready, before[name].scraped) for name, a in now.items()):
        return False
    ends = [a.batches[-1].end if a.batches else -math.inf for a in now.values()]
    grown = any(len(a.batches) and not len(before[name].batches) for name, a in now.items())
    if grown or (until is not None and ends and min(ends) >= until - 1e-3):
        return False
    return all(_same(_newest(before[name]), _newest(a)) for name, a in now.items())


def _newest(arm: Arm) -> Batch | None:
    newest: Sequence[Batch] = arm.newest or arm.batches
    return next(reversed(newest), None)


def _same(before: Batch | None, now: Batch | None) -> bool:
    if before is None or now is None or before is now:
        return before is now
    if now.totals.preemptions or now.totals.failed or (now.gauges.waiting or 0.0) > queues.AT_LEAST:
        return False
    ours, theirs = _tpot(now), _tpot(before)
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) <= MOVED * theirs


def _tpot(batch: Batch) -> float | None:
    tokens, seconds = decode_tokens(batch.totals), batch.totals.decode_seconds
    return seconds / tokens if tokens and seconds else None

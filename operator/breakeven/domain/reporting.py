"""What is published of the evidence: only news, so that a steady state writes nothing.

Live figures go to the operator's own metrics on every pass. The copy in status is renewed when it would tell a reader
something else.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from breakeven.api.status import EvidenceStatus, Memory

DEAD_BAND = Decimal("0.05")
"""A figure that moved by less tells nobody anything."""
AT_MOST_EVERY = timedelta(hours=1)
"""Between two verdicts that are alike, moved figures are published no more often than this."""
WATCHED = ("speedup", "tokens_per_step", "inflation", "acceptance")


def renewed(memory: Memory, live: EvidenceStatus | None, now: datetime, *, transition: bool) -> Memory:
    """The memory with the report renewed if the live figures say something else."""
    if live is None or not live.verdict:
        return memory
    shown = memory.evidence
    if shown is None or transition or (shown.verdict, shown.source) != (live.verdict, live.source):
        return memory if shown == live else memory.model_copy(update={"evidence": live})
    age = now - shown.window_end if shown.window_end is not None else AT_MOST_EVERY
    if age >= AT_MOST_EVERY and _moved(shown, live):
        return memory.model_copy(update={"evidence": live})
    return memory


def _moved(shown: EvidenceStatus, live: EvidenceStatus) -> bool:
    """Whether a watched figure moved by more than the dead band, or left the reported bounds."""
    for name in WATCHED:
        before, after = getattr(shown, name), getattr(live, name)
        if (before is None) != (after is None):
            return True
        if before is not None and abs(after - before) > DEAD_BAND * abs(before):
            return True
    low, high, value = shown.speedup_lower, shown.speedup_upper, live.speedup
    return value is not None and ((low is not None and value < low) or (high is not None and value > high))

"""What is published of the evidence: only news, so that a steady state writes nothing.

Live figures go to the operator's own metrics on every pass. The copy in status is renewed when it would tell a reader
something else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from breakeven.api.changes import changed, revised
from breakeven.api.status import EvidenceStatus, Memory, StayStatus
from breakeven.api.text import sentence
from breakeven.domain.answer import Stay
from breakeven.domain.evidence import tails
from breakeven.domain.evidence.judgement import Judgement
from breakeven.domain.measures import acceptance
from breakeven.domain.situation import Situation

DEAD_BAND = Decimal("0.05")
"""A figure that moved by less tells nobody anything."""
AT_MOST_EVERY = timedelta(hours=1)
"""Between two verdicts that are alike, moved figures are published no more often than this."""
MORE_WINDOWS = 4
"""A spread over so many times the windows says more than the one that is shown."""
Completion: TypeAlias = Callable[[EvidenceStatus], EvidenceStatus]
WATCHED = ("speedup", "tokens_per_step", "inflation", "acceptance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What a pass could publish."""

    live: EvidenceStatus | None
    """The figures of this pass."""
    windows: int = 0
    """Complete windows since the arms became comparable."""
    transition: bool = False
    """Whether something was decided in this pass."""


def renewed(memory: Memory, fresh: Fresh, now: datetime, *, in_full: Completion) -> Memory:
    """The memory with the report renewed where the live figures say something else.

    `in_full` adds what is dear to work out and no news by itself; it is asked only when the report is renewed.
    """
    live = fresh.live
    if live is None or not live.verdict or not _news(memory.evidence, live, fresh, now):
        return memory
    full = in_full(live)
    return memory if memory.evidence == full else changed(memory, evidence=full)


def _news(shown: EvidenceStatus | None, live: EvidenceStatus, fresh: Fresh, now: datetime) -> bool:
    """Whether a reader of what is shown would learn something else from the live figures."""
    if shown is None or fresh.transition or (shown.verdict, shown.source) != (live.verdict, live.source):
        return True
    age = now - shown.window_end if shown.window_end is not None else AT_MOST_EVERY
    return age >= AT_MOST_EVERY and (_moved(shown, live) or _spreads(shown, fresh.windows))


def stay_status(stay: Stay | None) -> StayStatus | None:
    """Why nothing was changed, as the status has it."""
    return StayStatus(reason=stay.reason, message=sentence(stay.message)) if stay is not None else None


def in_full(situation: Situation, judgement: Judgement) -> Completion:
    """Adds to a report what is worked out for a reader only: spreads over pods and windows, and latencies."""

    def completed(report: EvidenceStatus) -> EvidenceStatus:
        on = situation.memory.canary if situation.on_trial else situation.stable
        arm = situation.arm(on) if on is not None and on.speculates else None
        if arm is None or judgement.span is None:
            return report
        return revised(
            report,
            acceptance_over_pods=acceptance.over_pods(judgement.on_batches),
            acceptance_over_windows=acceptance.over_windows(
                arm.batches,
                newest=judgement.span.end,
                length=situation.evidence.window.total_seconds(),
                windows=judgement.windows,
            ),
            latency=tails.side_by_side(situation, judgement),
        )

    return completed


def _spreads(shown: EvidenceStatus, windows: int) -> bool:
    """Whether the spread over windows is known for the first time, or over so many more that it is another one.

    Twice after a promotion at most; from then on spreads are renewed with other news.
    """
    before = shown.acceptance_over_windows.of if shown.acceptance_over_windows is not None else 0
    there = min(windows, acceptance.RECENT)
    return there >= acceptance.FEWEST_WINDOWS and there >= MORE_WINDOWS * before


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

"""What may be tried, one change at a time, in the order the user's `onBelowBreakEven` gives."""

from collections.abc import Iterator

from breakeven.api.spec import LadderStep
from breakeven.api.variant import Variant
from breakeven.domain.situation import Situation


def next_candidate(now: Situation) -> Variant:
    """The first variant of the ladder that has not failed since the last reset; the declared one when all have."""
    for variant in rungs(now):
        if variant.name not in now.memory.tried:
            return variant
    return now.wished


def rungs(now: Situation) -> Iterator[Variant]:
    """The declared variant, then what the user allows to be tried in its place."""
    wished = now.wished
    yield wished
    for step in now.policy.on_below_break_even:
        if step == LadderStep.CHANGE_METHOD:
            for draft in now.spec.alternatives:
                yield wished.with_draft(draft)

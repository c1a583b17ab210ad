"""Why nothing is judged where an arm is not what it is taken for."""

from collections.abc import Sequence

from breakeven.api.vocabulary import HoldReason
from breakeven.domain.counters.observation import Batch
from breakeven.domain.decision import Hold

SHARE = 0.5
"""Share of an arm's batches that must be as configured; others are left out."""


def not_as_configured(*arms: tuple[Sequence[Batch] | None, Sequence[Batch] | None]) -> Hold | None:
    """Most of an arm's batches drafted and should not have, or the reverse. Of each arm: all batches, the faithful."""
    for batches, faithful in arms:
        if batches is not None and faithful is not None and len(faithful) < SHARE * len(batches):
            does = "drafts and should not" if any(batch.totals.drafted for batch in batches) else "drafts nothing"
            message = f"an arm {does}; the condition Diagnosis says where to look"
            return Hold(reason=HoldReason.NOT_AS_CONFIGURED, message=message)
    return None

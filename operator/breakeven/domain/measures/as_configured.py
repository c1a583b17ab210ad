"""Whether counters are those of the variant they are read for: one that should draft drafts, and a plain one does not.

A flag that a wrapper drops, another that overrides it, or an image of another release leaves an engine that serves and
is not what it is taken for. Its counters show it, and nothing about speculation can be read from them.
"""

from collections.abc import Sequence
from typing import overload

from breakeven.api.choices import LOSSY, WITHOUT_MODEL
from breakeven.api.serving import DraftSpec
from breakeven.api.variant import Variant
from breakeven.domain.counters.observation import Batch

FEWEST_STEPS = 200
"""Request-steps without one draft that show that a draft model is not used: it proposes in every step."""
FEWEST_STEPS_OF_TEXT = 10_000
"""The same of a method that looks proposals up in the text. One that worked drafted in 51 of 2,870 steps, so that none
in so many has a chance far below one in a million."""
FEWEST_DRAFTED = 1000
"""Drafted tokens in which none, or all, accepted says something."""
EXTREME = 0.005
"""Acceptance this near to 0 or 1 is none or all."""


def drafts_nothing(draft: DraftSpec, batches: Sequence[Batch]) -> float:
    """Request-steps in which nothing was drafted, where they are enough to show that drafting is not in use; else 0.

    Steps of batches at which the draft's own limit by batch size may have stopped it do not count, nor do those whose
    draft counters are absent. A draft whose length follows the batch size by a key of the engine's is not looked at.
    """
    if any("batch_size" in key for key in draft.extra_keys):
        return 0.0
    limit = draft.disable_above_batch_size
    steps = 0.0
    for batch in batches:
        if batch.totals.drafted:
            return 0.0
        if batch.totals.drafted is not None and (limit is None or (batch.gauges.running or limit) < limit / 2):
            steps += batch.totals.steps or 0.0
    return steps if steps >= (FEWEST_STEPS_OF_TEXT if draft.method in WITHOUT_MODEL else FEWEST_STEPS) else 0.0


@overload
def faithful(variant: Variant | None, batches: Sequence[Batch]) -> tuple[Batch, ...]: ...


@overload
def faithful(variant: Variant | None, batches: None) -> None: ...


def faithful(variant: Variant | None, batches: Sequence[Batch] | None) -> tuple[Batch, ...] | None:
    """The batches in which the engine did what the variant says; only they are evidence about it. None of no arm.

    Where a draft may rest by itself, a batch without one is as it should be.
    """
    if batches is None:
        return None
    draft = variant.draft if variant is not None else None
    if draft is not None and _may_rest(draft):
        return tuple(batches)
    should = draft is not None
    return tuple(
        batch
        for batch in batches
        if batch.totals.drafted is None or bool(batch.totals.drafted) == should or not batch.totals.steps
    )


def _may_rest(draft: DraftSpec) -> bool:
    """Whether a step without a draft is normal: nothing was found in the text, or the batch was large."""
    return (
        draft.method in WITHOUT_MODEL
        or draft.disable_above_batch_size is not None
        or any("batch_size" in key for key in draft.extra_keys)
    )


def drafted(batches: Sequence[Batch]) -> float:
    """Tokens that were drafted; a plain engine has no such counter, or one that stands at 0."""
    return sum(batch.totals.drafted or 0.0 for batch in batches)


def accepted_all_or_nothing(draft: DraftSpec, batches: Sequence[Batch]) -> float | None:
    """Acceptance, where it is 0 or 1 beyond what a draft that is verified reaches; else None.

    A method that accepts more than the target would is not asked for all.
    """
    proposed = drafted(batches)
    known = [batch.totals.accepted for batch in batches if batch.totals.accepted is not None]
    if proposed < FEWEST_DRAFTED or not known:
        return None
    share = sum(known) / proposed
    all_of_it = share > 1 - EXTREME and draft.acceptance.method not in LOSSY
    return share if share < EXTREME or all_of_it else None

"""What may be tried, one change at a time, in the order the user's `onBelowBreakEven` gives.

After a failure the next trial is of the next rung that the engine version has and that has not failed yet; when all
have, it begins again with what was declared. Lossy acceptance is tried only with consent.
"""

import math
from collections.abc import Iterator, Sequence

from breakeven.api.spec import AcceptanceMethod, DraftMethod, DraftSpec, LadderStep
from breakeven.api.variant import Variant
from breakeven.domain import capacity
from breakeven.domain.counters.observation import Batch
from breakeven.domain.measures.acceptance import survival_of
from breakeven.domain.measures.figures import Sums, inflation_of
from breakeven.domain.rules import crossing
from breakeven.domain.situation import Situation
from breakeven.engines.engine import Engine
from breakeven.engines.table import load

WORTH_IT = 1.05
"""A predicted gain below this does not pay for a trial."""
SAMPLED_DRAFTS = frozenset({DraftMethod.DRAFT_MODEL, DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.MTP})
"""Methods whose drafter has a distribution to sample from."""
OPEN_ENDED = frozenset(
    {
        DraftMethod.DRAFT_MODEL,
        DraftMethod.EAGLE,
        DraftMethod.EAGLE3,
        DraftMethod.MTP,
        DraftMethod.NGRAM,
        DraftMethod.NGRAM_GPU,
    }
)
"""Methods that draft as many tokens as they are told to."""
LONGEST = 16
"""Longest draft that is proposed: no published measurement gains from more."""


def next_candidate(situation: Situation) -> Variant:
    """The first variant of the ladder that has not failed since the last reset; the declared one when all have, or
    where nothing else can be loaded.

    A warm replica is away while it loads another one. What failed for the load, which falls again, is tried again.
    """
    if situation.warm and not capacity.can_load(situation):
        return situation.wished
    if situation.warm and crossing.explained(situation):
        held = next((variant for variant in rungs(situation) if situation.fleet(variant) is not None), None)
        if held is not None:
            return held
    for variant in rungs(situation):
        if variant.name not in situation.memory.tried:
            return variant
    return situation.wished


def rungs(situation: Situation) -> Iterator[Variant]:
    """The declared variant, then what the user allows to be tried in its place."""
    wished, draft = situation.wished, situation.wished.draft
    yield wished
    if draft is None:
        return
    for step in situation.policy.on_below_break_even:
        if step == LadderStep.TUNE and situation.memory.tuned_length is not None:
            yield wished.with_draft(draft.model_copy(update={"num_speculative_tokens": situation.memory.tuned_length}))
        elif step == LadderStep.CHANGE_ACCEPTANCE_METHOD:
            for method in acceptance_methods(situation, draft):
                changed = draft.acceptance.model_copy(update={"method": method})
                yield wished.with_draft(draft.model_copy(update={"acceptance": changed}))
        elif step == LadderStep.CHANGE_METHOD:
            for other in situation.spec.alternatives:
                yield wished.with_draft(other)


def acceptance_methods(situation: Situation, draft: DraftSpec) -> Iterator[AcceptanceMethod]:
    """Acceptance methods of this engine version other than the declared one, lossless first."""
    engine = load().engine_of(situation.spec.engine)
    if not isinstance(engine, Engine):
        return
    methods = engine.acceptance_methods
    available = {
        AcceptanceMethod.PROBABILISTIC: "probabilistic" in engine.draft_sample_methods
        and draft.method in SAMPLED_DRAFTS,
        AcceptanceMethod.BLOCK: "block" in methods and draft.method in SAMPLED_DRAFTS,
        AcceptanceMethod.TYPICAL: "typical_acceptance_sampler" in methods and draft.acceptance.allow_lossy,
        AcceptanceMethod.FLY: "fly" in methods and draft.acceptance.allow_lossy,
    }
    for method, has in available.items():
        if has and method != draft.acceptance.method:
            yield method


def tuned_length(batches: Sequence[Batch], off: Sums | None, on: Sums | None) -> int | None:
    """A shorter draft that the measured survival predicts to pay; None when there is none or it cannot be determined.

    S(k) = (1 + m_1 + … + m_k) / R(k), where the measured R - 1 is shared equally between the drafted positions
    (docs/decisions.md, "Choosing k"). Survival per position means nothing when drafts differ in length.
    """
    survival, inflation = survival_of(batches, on), inflation_of(off, on)
    if survival is None or inflation is None:
        return None
    length = len(survival)
    if length < 2:
        return None
    steps = [1 + (inflation - 1) * k / length for k in range(1, length + 1)]
    if min(steps) <= 0:  # an R that rounds to nothing is no measurement
        return None
    predicted = [(1 + math.fsum(survival[:k])) / step for k, step in enumerate(steps, start=1)]
    best = max(range(length), key=lambda index: predicted[index])
    gains = predicted[best] >= WORTH_IT and predicted[best] >= WORTH_IT * predicted[-1]
    return best + 1 if gains and best + 1 < length else None


def longer_length(draft: DraftSpec, batches: Sequence[Batch], off: Sums | None, on: Sums | None) -> int | None:
    """A longer draft that is predicted to be at least 5 % faster; None when there is none or it cannot be determined.

    Positions beyond the last one are not seen, so the last conditional acceptance is carried on: measured conditional
    acceptance is flat or rises with depth (docs/decisions.md, "Choosing k"). Each further position costs what the
    measured ones cost on average.
    """
    longer = next_length(draft)
    survival, inflation = survival_of(batches, on), inflation_of(off, on)
    if longer is None or survival is None or inflation is None or len(survival) != draft.num_speculative_tokens:
        return None
    last, before = survival[-1], survival[-2] if len(survival) > 1 else 1.0
    if before <= 0 or inflation <= 0:
        return None
    carried, length = min(1.0, last / before), len(survival)
    beyond = [last * carried**step for step in range(1, longer - length + 1)]
    tokens = 1 + math.fsum(survival)
    here = tokens / inflation
    there = (tokens + math.fsum(beyond)) / (inflation + (max(inflation, 1.0) - 1) * (longer - length) / length)
    return longer if there >= WORTH_IT * here else None


def next_length(draft: DraftSpec) -> int | None:
    """Two tokens more; twice as many with MTP, whose lengths are multiples of a number that the checkpoint knows.

    None where the checkpoint fixes the length (Medusa, MLP, DFlash, DSpark), the drafter chooses it (Suffix), or
    drafts differ in length by batch size.
    """
    k = draft.num_speculative_tokens
    if draft.method not in OPEN_ENDED or draft.disable_above_batch_size is not None:
        return None
    longer = 2 * k if draft.method is DraftMethod.MTP else k + 2
    return longer if longer <= LONGEST else None

"""What may be tried, one change at a time, in the order the user's `onBelowBreakEven` gives.

After a failure the next trial is of the next rung that the engine version has and that has not failed yet; when all
have, it begins again with what was declared. Lossy acceptance is tried only with consent.
"""

from collections.abc import Iterator, Sequence

from breakeven.api.spec import AcceptanceMethod, DraftMethod, DraftSpec, LadderStep
from breakeven.api.variant import Variant
from breakeven.domain.figures import Sums
from breakeven.domain.observation import Batch
from breakeven.domain.situation import Situation
from breakeven.engines.engine import Engine
from breakeven.engines.table import load

WORTH_IT = 1.05
"""A predicted gain below this does not pay for a trial."""
SAMPLED_DRAFTS = frozenset({DraftMethod.DRAFT_MODEL, DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.MTP})
"""Methods whose drafter has a distribution to sample from."""


def next_candidate(now: Situation) -> Variant:
    """The first variant of the ladder that has not failed since the last reset; the declared one when all have."""
    for variant in rungs(now):
        if variant.name not in now.memory.tried:
            return variant
    return now.wished


def rungs(now: Situation) -> Iterator[Variant]:
    """The declared variant, then what the user allows to be tried in its place."""
    wished, draft = now.wished, now.wished.draft
    yield wished
    if draft is None:
        return
    for step in now.policy.on_below_break_even:
        if step == LadderStep.TUNE and now.memory.tuned_length is not None:
            yield wished.with_draft(draft.model_copy(update={"num_speculative_tokens": now.memory.tuned_length}))
        elif step == LadderStep.CHANGE_ACCEPTANCE_METHOD:
            for method in acceptance_methods(now, draft):
                changed = draft.acceptance.model_copy(update={"method": method})
                yield wished.with_draft(draft.model_copy(update={"acceptance": changed}))
        elif step == LadderStep.CHANGE_METHOD:
            for other in now.spec.alternatives:
                yield wished.with_draft(other)


def acceptance_methods(now: Situation, draft: DraftSpec) -> Iterator[AcceptanceMethod]:
    """Acceptance methods of this engine version other than the declared one, lossless first."""
    engine = load().engine_of(now.spec.engine)
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
    """A shorter draft that the measured survival predicts to pay; None when there is none or it cannot be told.

    S(k) = (1 + m_1 + … + m_k) / R(k), where the measured R - 1 is shared equally between the drafted positions
    (docs/decisions.md, "Choosing k"). Survival per position means nothing when drafts differ in length.
    """
    if off is None or on is None or not off.step_seconds or not on.step_seconds or not on.drafts:
        return None
    survival = [sum(position) for position in zip(*(b.totals.accepted_at for b in batches), strict=False)]
    length = len(survival)
    if length < 2 or on.draft_length is None or abs(on.draft_length - length) > 0.05 * length:
        return None
    inflation = on.step_seconds / off.step_seconds
    predicted = []
    for k in range(1, length + 1):
        tokens = 1 + sum(survival[:k]) / on.drafts
        predicted.append(tokens / (1 + (inflation - 1) * k / length))
    best = max(range(length), key=lambda index: predicted[index])
    gains = predicted[best] >= WORTH_IT and predicted[best] >= WORTH_IT * predicted[-1]
    return best + 1 if gains and best + 1 < length else None

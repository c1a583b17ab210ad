"""An engine that is not what it was started as, told from its counters alone, whether or not anything can be judged.

The newest batches of each variant that serves are looked at, not those of the judged window: what is wrong here is why
nothing is judged.
"""

from collections.abc import Sequence

from breakeven.api.serving import DraftSpec
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Batch
from breakeven.domain.counters.windows import BATCHES, Span
from breakeven.domain.diagnosis.causes import Cause, speculating
from breakeven.domain.measures import as_configured
from breakeven.domain.situation import Situation

SOON = 2
"""Windows in which an engine that does not do what it should is found, where there is traffic."""
LONG = 6
"""Windows in which nothing, or everything, has to be accepted."""
REASONS = (Reason.NOT_DRAFTING, Reason.DRAFTS_UNASKED, Reason.NOTHING_ACCEPTED, Reason.EVERYTHING_ACCEPTED)
"""What is found here."""


def not_as_configured(situation: Situation) -> Cause | None:
    """The first that holds; None while the metrics are away."""
    if situation.observation.outage is not None:
        return None
    on = speculating(situation)
    draft = on.draft if on is not None else None
    found = _unasked(situation)
    if found is None and on is not None and draft is not None:
        found = _unused(situation, on, draft) or _extreme(situation, on, draft)
    return found


def over(situation: Situation, reason: str) -> bool:
    """Whether such a cause is shown to be over: the counters are there again, and do as they should."""
    on = speculating(situation)
    if reason == Reason.DRAFTS_UNASKED:
        plain = [_newest(situation, variant, SOON) for variant in _plain(situation)]
        return any(plain) and not any(as_configured.drafted(batches) for batches in plain)
    if on is None:
        return False
    batches = _newest(situation, on, SOON if reason == Reason.NOT_DRAFTING else LONG)
    return as_configured.drafted(batches) >= (1 if reason == Reason.NOT_DRAFTING else as_configured.FEWEST_DRAFTED)


def _unused(situation: Situation, on: Variant, draft: DraftSpec) -> Cause | None:
    """A variant that should draft and drafts nothing."""
    batches = _newest(situation, on, SOON)
    steps = as_configured.drafts_nothing(draft, batches)
    if len(batches) < BATCHES or not steps:
        return None
    message = (
        f"nothing was drafted in {steps:.0f} steps with spec.draft.method {draft.method}: look in the log of the engine"
        " for its speculative configuration, in spec.engine.extraArgs and the image for what overrides it, and at"
        " requests for log-probabilities, min_p or penalties, with which older releases draft nothing"
    )
    return Cause(reason=Reason.NOT_DRAFTING, message=message)


def _unasked(situation: Situation) -> Cause | None:
    """A variant without a draft that drafts."""
    for variant in _plain(situation):
        tokens = as_configured.drafted(_newest(situation, variant, SOON))
        if tokens:
            message = (
                f"{tokens:.0f} tokens were drafted by replicas that serve without speculation, so they are no control:"
                " look in the log of the engine for its speculative configuration, and in spec.engine.extraArgs,"
                " spec.engine.env and the image for where it comes from"
            )
            return Cause(reason=Reason.DRAFTS_UNASKED, message=message)
    return None


def _extreme(situation: Situation, on: Variant, draft: DraftSpec) -> Cause | None:
    """Nothing, or everything, accepted for long."""
    batches = _newest(situation, on, LONG)
    if not batches or batches[-1].end - batches[0].start < (LONG - 1) * situation.evidence.window.total_seconds():
        return None
    share = as_configured.accepted_all_or_nothing(draft, batches)
    if share is None:
        return None
    minutes = f"{(batches[-1].end - batches[0].start) / 60:.0f} min"
    if share < as_configured.EXTREME:
        message = (
            f"accepted / drafted {share:.4f} over {minutes}: the weights of the draft may not have loaded, or belong to"
            " another target or tokenizer; look in the log of the engine, at spec.draft.model and spec.draft.revision"
        )
        return Cause(reason=Reason.NOTHING_ACCEPTED, message=message)
    message = (
        f"accepted / drafted {share:.4f} over {minutes}, more than a draft that is verified reaches: compare answers"
        " with those without speculation, look for repeated test requests, and whether spec.draft.model is the target"
    )
    return Cause(reason=Reason.EVERYTHING_ACCEPTED, message=message)


def _plain(situation: Situation) -> Sequence[Variant]:
    """Variants without a draft that serve, or may."""
    stable, canary = situation.stable, situation.memory.canary
    each = (stable, stable.baseline, *([canary] if canary is not None else []))
    return list({variant.name: variant for variant in each if not variant.speculates}.values())


def _newest(situation: Situation, variant: Variant, windows: int) -> Sequence[Batch]:
    """The batches of so many windows up to now, as far as they are of the time since the last outage."""
    arm, now = situation.arm(variant), situation.time.timestamp()
    if arm is None:
        return ()
    after = situation.memory.evidence_after
    begin = max(now - windows * situation.evidence.window.total_seconds(), after.timestamp() if after else 0.0)
    return Span(begin, now, windows).of(arm.batches)

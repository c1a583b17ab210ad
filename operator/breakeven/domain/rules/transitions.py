"""The changes of state, each with everything that it changes in the memory."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypedDict

from breakeven.api.changes import revised
from breakeven.api.names import spoken_model
from breakeven.api.spec import HoldbackMode
from breakeven.api.status import EvidenceStatus, LastGood, State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain import capacity
from breakeven.domain.answer import Transition, transition
from breakeven.domain.counters.windows import BATCHES
from breakeven.domain.diagnosis.diagnosis import unquantized
from breakeven.domain.measures.figures import rounded, sums
from breakeven.domain.rules import bursts, cooldown
from breakeven.domain.rules.ledger import LONGEST
from breakeven.domain.situation import Situation

CONTROL_FROM = 4
"""Replicas from which one kept without speculation after a trial costs at most a quarter of the gain."""


def drafting(variant: Variant) -> str:
    """What a variant drafts with, in words."""
    draft = variant.draft
    if draft is None:
        return "no speculation"
    model = f" {spoken_model(draft.model)}" if draft.model else ""
    return f"{draft.method}{model} k={draft.num_speculative_tokens}"


def start_trial(situation: Situation, canary: Variant, reason: Reason, message: str) -> Transition:
    """Put a canary beside what serves."""
    asked_for = canary in (situation.wished, situation.wished.baseline)
    state = State.TUNING if situation.stable.speculates and not asked_for else State.TRIAL
    return transition(
        Action.START_TRIAL,
        reason,
        message,
        state=state,
        since=situation.time,
        canary=canary,
        compared="",
        holdback=situation.stable.speculates and situation.memory.holdback,
        cooldown_until=None,
    )


def promote(
    situation: Situation, canary: Variant, reason: Reason, message: str, report: EvidenceStatus | None = None
) -> Transition:
    """What was on trial serves everywhere, and is where a rollback goes."""
    changed = canary.speculates != situation.stable.speculates or canary.baseline == situation.stable.baseline
    return transition(
        Action.PROMOTE,
        reason,
        message,
        state=State.SPECULATING if canary.speculates else State.BASELINE,
        since=situation.time,
        stable=canary,
        canary=None,
        holdback=canary.speculates and wants_control(situation),
        last_good=LastGood(variant=canary, verified_at=situation.time, reason=message[:LONGEST]),
        reference=_reference(situation, canary, report),
        unquantized=unquantized(situation, report),
        tried=[],
        bursts=bursts.after_promotion(situation.memory, situation.time),
        alarmed_at=None,
        answers=situation.wished.name,
        transitions=_counted(situation) if changed else cooldown.recent(situation.memory, situation.time),
        unverified_since=None,
        cooldown_until=None,
    )


def _reference(situation: Situation, canary: Variant, report: EvidenceStatus | None) -> EvidenceStatus | None:
    """What later figures are compared with: a trial against a speculating variant tells nothing about plain steps."""
    if not canary.speculates or report is None:
        return None
    if not situation.stable.speculates:
        return report
    return revised(report, inflation=None, break_even_acceptance=None, tpot_off_ms=None)


def fail_trial(situation: Situation, reason: Reason, message: str) -> Transition:
    """Remove the canary and wait; what served before serves on."""
    canary = situation.memory.canary
    tried = [*situation.memory.tried, canary.name] if canary is not None else situation.memory.tried
    speculates = situation.stable.speculates
    another_engine = canary is not None and canary.baseline != situation.stable.baseline
    action = Action.ROLL_BACK if another_engine else Action.END_TRIAL
    return transition(
        action,
        reason,
        message,
        state=State.SPECULATING if speculates else State.COOLDOWN,
        since=situation.time,
        canary=None,
        holdback=speculates and wants_control(situation, unmeasured=another_engine),
        unverified_since=situation.time if another_engine else situation.memory.unverified_since,
        tried=list(dict.fromkeys(tried))[-64:],
        **({} if situation.memory.state == State.TUNING else _waiting(situation)),
    )


def abandon_trial(situation: Situation, reason: Reason, message: str) -> Transition:
    """Remove the canary without a verdict: nothing failed, so nothing has to be waited for."""
    return transition(
        Action.ABANDON_TRIAL,
        reason,
        message,
        state=State.SPECULATING if situation.stable.speculates else State.BASELINE,
        since=situation.time,
        canary=None,
        holdback=situation.stable.speculates and wants_control(situation),
    )


def disable(situation: Situation, reason: Reason, message: str) -> Transition:
    """Serve without speculation and wait before the next trial."""
    off = situation.stable.baseline
    return transition(
        Action.DISABLE,
        reason,
        message,
        state=State.COOLDOWN,
        since=situation.time,
        stable=off,
        canary=None,
        holdback=False,
        last_good=LastGood(variant=off, verified_at=situation.time, reason=message[:LONGEST]),
        transitions=_counted(situation),
        tried=list(dict.fromkeys([*situation.memory.tried, situation.stable.name]))[-64:],
        unverified_since=None,
        **_waiting(situation),
    )


def serve(situation: Situation, variant: Variant, action: Action, reason: Reason, message: str) -> Transition:
    """Serve a variant everywhere because someone said so."""
    return transition(
        action,
        reason,
        message,
        state=State.SPECULATING if variant.speculates else State.BASELINE,
        since=situation.time,
        stable=variant,
        canary=None,
        holdback=variant.speculates and wants_control(situation, unmeasured=True),
        unverified_since=None,
        cooldown_until=None,
    )


def wants_control(situation: Situation, *, unmeasured: bool = False) -> bool:
    """Whether replicas without speculation are kept when a variant begins to serve."""
    mode = situation.policy.holdback.mode
    if mode == HoldbackMode.NEVER:
        return False
    if mode == HoldbackMode.ALWAYS or situation.warm:
        return capacity.can_control(situation)
    return situation.spec.replicas >= (2 if unmeasured else CONTROL_FROM)


def _counted(situation: Situation) -> list[datetime]:
    return [*cooldown.recent(situation.memory, situation.time), situation.time]


class _Waiting(TypedDict, total=False):
    cooldown_until: datetime | None
    attempts: int
    failed_at_load: Decimal | None


def _waiting(situation: Situation) -> _Waiting:
    failed = cooldown.failures(situation.memory, situation.time)
    return {
        "cooldown_until": situation.time + cooldown.wait(situation.policy, failed, longest=_longest_wait(situation)),
        "attempts": failed + 1,
        "failed_at_load": rounded(present_load(situation), 3),
    }


def _longest_wait(situation: Situation) -> timedelta:
    """How rare trials become: a warm one takes no replica away, so it may be repeated sooner."""
    return cooldown.LONGEST_WARM * situation.evidence.window if situation.warm else cooldown.LONGEST


def present_load(situation: Situation) -> float | None:
    """Output tokens per second and replica of what serves, over the newest window of batches; None when unknown."""
    arm = situation.arm(situation.stable)
    if arm is None or situation.observation.outage is not None or len(arm.batches) < BATCHES:
        return None
    return sums(arm.batches[-BATCHES:]).load

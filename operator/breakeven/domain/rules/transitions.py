"""The changes of state. Each returns the memory after it, with its line in the ledger."""

from typing import Any

from breakeven.api.names import spoken_model
from breakeven.api.spec import HoldbackMode
from breakeven.api.status import EvidenceStatus, LastGood, Memory, State
from breakeven.api.variant import Variant
from breakeven.domain.counters.windows import BATCHES
from breakeven.domain.diagnosis.diagnosis import unquantized
from breakeven.domain.measures.figures import rounded, sums
from breakeven.domain.rules import cooldown
from breakeven.domain.rules.ledger import LONGEST, noted
from breakeven.domain.situation import Situation

CALM: dict[str, Any] = {"streak": 0, "streak_verdict": "", "last_window_end": None}
"""What every change of state forgets: windows of another configuration do not count."""
ROLL_BACK = "RollBack"
CONTROL_FROM = 4
"""Replicas from which one kept without speculation after a trial costs at most a quarter of the gain."""


def describe(variant: Variant) -> str:
    """What a variant drafts with, in words."""
    draft = variant.draft
    if draft is None:
        return "no speculation"
    model = f" {spoken_model(draft.model)}" if draft.model else ""
    return f"{draft.method}{model} k={draft.num_speculative_tokens}"


def start_trial(situation: Situation, canary: Variant, reason: str, message: str) -> Memory:
    """Put a canary beside what serves."""
    asked_for = canary in (situation.wished, situation.wished.baseline)
    state = State.TUNING if situation.stable.speculates and not asked_for else State.TRIAL
    return noted(
        situation,
        "StartTrial",
        reason,
        message,
        state=state,
        since=situation.time,
        canary=canary,
        holdback=False,
        cooldown_until=None,
        **CALM,
    )


def promote(situation: Situation, reason: str, message: str, report: EvidenceStatus | None = None) -> Memory:
    """What was on trial serves everywhere, and is where a rollback goes."""
    canary = situation.memory.canary
    if canary is None:
        return situation.memory
    changed = canary.speculates != situation.stable.speculates or canary.baseline == situation.stable.baseline
    return noted(
        situation,
        "Promote",
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
        answers=situation.wished.name,
        transitions=_counted(situation) if changed else cooldown.recent(situation.memory, situation.time),
        unverified_since=None,
        cooldown_until=None,
        **CALM,
    )


def _reference(situation: Situation, canary: Variant, report: EvidenceStatus | None) -> EvidenceStatus | None:
    """What later figures are compared with: a trial against a speculating variant tells nothing about plain steps."""
    if not canary.speculates or report is None:
        return None
    if not situation.stable.speculates:
        return report
    return report.model_copy(update={"inflation": None, "break_even_acceptance": None, "tpot_off_ms": None})


def fail_trial(situation: Situation, reason: str, message: str, **learned: Any) -> Memory:
    """Remove the canary and wait; what served before serves on."""
    canary = situation.memory.canary
    tried = [*situation.memory.tried, canary.name] if canary is not None else situation.memory.tried
    speculates = situation.stable.speculates
    action = ROLL_BACK if canary is not None and canary.baseline != situation.stable.baseline else "EndTrial"
    return noted(
        situation,
        action,
        reason,
        message,
        state=State.SPECULATING if speculates else State.COOLDOWN,
        since=situation.time,
        canary=None,
        holdback=speculates and wants_control(situation, unmeasured=action == ROLL_BACK),
        unverified_since=situation.time if action == ROLL_BACK else situation.memory.unverified_since,
        tried=list(dict.fromkeys(tried))[-64:],
        **({} if situation.memory.state == State.TUNING else _waiting(situation)),
        **learned,
        **CALM,
    )


def abandon_trial(situation: Situation, reason: str, message: str) -> Memory:
    """Remove the canary without a verdict: nothing failed, so nothing has to be waited for."""
    return noted(
        situation,
        "AbandonTrial",
        reason,
        message,
        state=State.SPECULATING if situation.stable.speculates else State.BASELINE,
        since=situation.time,
        canary=None,
        holdback=situation.stable.speculates and wants_control(situation),
        **CALM,
    )


def disable(situation: Situation, reason: str, message: str, **learned: Any) -> Memory:
    """Serve without speculation and wait before the next trial."""
    off = situation.stable.baseline
    return noted(
        situation,
        "Disable",
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
        **learned,
        **CALM,
    )


def serve(situation: Situation, variant: Variant, action: str, reason: str, message: str) -> Memory:
    """Serve a variant everywhere because someone said so."""
    return noted(
        situation,
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
        **CALM,
    )


def wants_control(situation: Situation, *, unmeasured: bool = False) -> bool:
    """Whether replicas without speculation are kept when a variant begins to serve."""
    mode = situation.policy.holdback.mode
    if mode == HoldbackMode.ALWAYS:
        return situation.spec.replicas >= 2
    if mode == HoldbackMode.NEVER:
        return False
    return situation.spec.replicas >= (2 if unmeasured else CONTROL_FROM)


def _counted(situation: Situation) -> list[Any]:
    return [*cooldown.recent(situation.memory, situation.time), situation.time]


def _waiting(situation: Situation) -> dict[str, Any]:
    failed = cooldown.failures(situation.memory, situation.time)
    return {
        "cooldown_until": situation.time + cooldown.wait(situation.policy, failed),
        "attempts": failed + 1,
        "failed_at_load": rounded(present_load(situation), 3),
    }


def present_load(situation: Situation) -> float | None:
    """Output tokens per second and replica of what serves, over the newest window of batches; None when unknown."""
    arm = situation.arm(situation.stable)
    if arm is None or situation.observation.outage is not None or len(arm.batches) < BATCHES:
        return None
    return sums(arm.batches[-BATCHES:]).load

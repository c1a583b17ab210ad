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


def start_trial(now: Situation, canary: Variant, reason: str, message: str) -> Memory:
    """Put a canary beside what serves."""
    asked_for = canary in (now.wished, now.wished.baseline)
    state = State.TUNING if now.stable.speculates and not asked_for else State.TRIAL
    return noted(
        now,
        "StartTrial",
        reason,
        message,
        state=state,
        since=now.now,
        canary=canary,
        holdback=False,
        cooldown_until=None,
        **CALM,
    )


def promote(now: Situation, reason: str, message: str, report: EvidenceStatus | None = None) -> Memory:
    """What was on trial serves everywhere, and is where a rollback goes."""
    canary = now.memory.canary
    if canary is None:
        return now.memory
    changed = canary.speculates != now.stable.speculates or canary.baseline == now.stable.baseline
    return noted(
        now,
        "Promote",
        reason,
        message,
        state=State.SPECULATING if canary.speculates else State.BASELINE,
        since=now.now,
        stable=canary,
        canary=None,
        holdback=canary.speculates and wants_control(now),
        last_good=LastGood(variant=canary, verified_at=now.now, reason=message[:LONGEST]),
        reference=_reference(now, canary, report),
        unquantized=unquantized(now, report),
        tried=[],
        answers=now.wished.name,
        transitions=_counted(now) if changed else cooldown.recent(now.memory, now.now),
        unverified_since=None,
        cooldown_until=None,
        **CALM,
    )


def _reference(now: Situation, canary: Variant, report: EvidenceStatus | None) -> EvidenceStatus | None:
    """What later figures are compared with: a trial against a speculating variant tells nothing about plain steps."""
    if not canary.speculates or report is None:
        return None
    if not now.stable.speculates:
        return report
    return report.model_copy(update={"inflation": None, "break_even_acceptance": None, "tpot_off_ms": None})


def fail_trial(now: Situation, reason: str, message: str, **learned: Any) -> Memory:
    """Remove the canary and wait; what served before serves on."""
    canary = now.memory.canary
    tried = [*now.memory.tried, canary.name] if canary is not None else now.memory.tried
    speculates = now.stable.speculates
    action = ROLL_BACK if canary is not None and canary.baseline != now.stable.baseline else "EndTrial"
    return noted(
        now,
        action,
        reason,
        message,
        state=State.SPECULATING if speculates else State.COOLDOWN,
        since=now.now,
        canary=None,
        holdback=speculates and wants_control(now, unmeasured=action == ROLL_BACK),
        unverified_since=now.now if action == ROLL_BACK else now.memory.unverified_since,
        tried=list(dict.fromkeys(tried))[-64:],
        **({} if now.memory.state == State.TUNING else _waiting(now)),
        **learned,
        **CALM,
    )


def abandon_trial(now: Situation, reason: str, message: str) -> Memory:
    """Remove the canary without a verdict: nothing failed, so nothing has to be waited for."""
    return noted(
        now,
        "AbandonTrial",
        reason,
        message,
        state=State.SPECULATING if now.stable.speculates else State.BASELINE,
        since=now.now,
        canary=None,
        holdback=now.stable.speculates and wants_control(now),
        **CALM,
    )


def disable(now: Situation, reason: str, message: str, **learned: Any) -> Memory:
    """Serve without speculation and wait before the next trial."""
    off = now.stable.baseline
    return noted(
        now,
        "Disable",
        reason,
        message,
        state=State.COOLDOWN,
        since=now.now,
        stable=off,
        canary=None,
        holdback=False,
        last_good=LastGood(variant=off, verified_at=now.now, reason=message[:LONGEST]),
        transitions=_counted(now),
        tried=list(dict.fromkeys([*now.memory.tried, now.stable.name]))[-64:],
        unverified_since=None,
        **_waiting(now),
        **learned,
        **CALM,
    )


def serve(now: Situation, variant: Variant, action: str, reason: str, message: str) -> Memory:
    """Serve a variant everywhere because someone said so."""
    return noted(
        now,
        action,
        reason,
        message,
        state=State.SPECULATING if variant.speculates else State.BASELINE,
        since=now.now,
        stable=variant,
        canary=None,
        holdback=variant.speculates and wants_control(now, unmeasured=True),
        unverified_since=None,
        cooldown_until=None,
        **CALM,
    )


def wants_control(now: Situation, *, unmeasured: bool = False) -> bool:
    """Whether replicas without speculation are kept when a variant begins to serve."""
    mode = now.policy.holdback.mode
    if mode == HoldbackMode.ALWAYS:
        return now.spec.replicas >= 2
    if mode == HoldbackMode.NEVER:
        return False
    return now.spec.replicas >= (2 if unmeasured else CONTROL_FROM)


def _counted(now: Situation) -> list[Any]:
    return [*cooldown.recent(now.memory, now.now), now.now]


def _waiting(now: Situation) -> dict[str, Any]:
    failed = cooldown.failures(now.memory, now.now)
    return {
        "cooldown_until": now.now + cooldown.wait(now.policy, failed),
        "attempts": failed + 1,
        "failed_at_load": rounded(present_load(now), 3),
    }


def present_load(now: Situation) -> float | None:
    """Output tokens per second and replica of what serves, over the newest window of batches; None when unknown."""
    arm = now.arm(now.stable)
    if arm is None or now.observation.outage is not None or len(arm.batches) < BATCHES:
        return None
    return sums(arm.batches[-BATCHES:]).load

"""The rules while speculation is on: leave when it hurts, and buy or return the live control."""

from datetime import timedelta
from typing import Any

from breakeven.api.scalars import format_duration
from breakeven.api.spec import HoldbackMode, LadderStep
from breakeven.api.status import Memory, Source, State
from breakeven.domain import capacity
from breakeven.domain.diagnosis.diagnosis import cause_in_words
from breakeven.domain.evidence import control_profile
from breakeven.domain.evidence.judge import Judgement, sole
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, crossing, economics
from breakeven.domain.rules.ladder import tuned_length
from breakeven.domain.rules.ledger import noted
from breakeven.domain.rules.remedies import before_off
from breakeven.domain.rules.schedules import running
from breakeven.domain.rules.streaks import broken, counted
from breakeven.domain.rules.transitions import CALM, disable
from breakeven.domain.situation import Situation

QUIET_WINDOWS = 144
"""Windows without a new band of load after which the control is returned: a day at the default window."""
WITHOUT_CONTROL = 2
"""Windows in a row at an unmeasured load before the control is bought back."""


def leave(now: Situation, found: Judgement) -> Memory | None:
    """Switch speculation off when enough windows in a row show that it hurts."""
    serving = now.memory.state in (State.SPECULATING, State.FROZEN) and now.stable.speculates
    if not serving or found.span is None:
        return None
    if found.verdict != Verdict.HURTS:
        return None
    if now.memory.streak_verdict == Verdict.HURTS and now.memory.streak >= now.evidence.leave_windows:
        return _act(now, found)  # decided before and not possible then: the row is long enough, nothing to count
    changes = counted(now, Verdict.HURTS, found.span)
    if found.sudden and not changes:
        changes = {"streak": now.evidence.leave_windows}  # it counts for a whole row, whatever it overlaps with
    if not changes:
        return None
    here = now.with_memory(now.memory.model_copy(update=changes))
    if here.memory.streak < now.evidence.leave_windows:
        return here.memory
    return _act(here, found)


def _act(now: Situation, found: Judgement) -> Memory:
    words = found.report.message if found.report is not None else ""
    if found.source == Source.CALIBRATED and _may_buy(now) and not _decisive(now, found):
        return buy_control(now, "Contradiction", f"the stored control says {words}: measure it live")
    unverified = now.memory.unverified_since is not None
    remedy = None if unverified else before_off(now, found)
    if remedy is not None:
        return remedy
    if LadderStep.DISABLE not in now.policy.on_below_break_even or not capacity.can_switch(now):
        return now.memory
    if not unverified and economics.not_worth(now, found) is not None:
        return now.memory
    if not cooldown.may_switch(now.policy, now.memory, now.now):
        return _freeze(now, words)
    reason = "BelowAcceptanceFloor" if found.source == Source.FIXED else "BelowBreakEven"
    if unverified:
        reason, words = "RollbackRegressed", f"what was rolled back to is below break-even as well: {words}"
    cause = cause_in_words(now)
    words = f"{words}; {cause}" if cause else words
    words += economics.in_words(economics.disabling(now, found))
    return disable(now, reason, words, tuned_length=tuned_length(found.on_batches, found.off, found.on))


def _freeze(now: Situation, words: str) -> Memory:
    if now.memory.state == State.FROZEN:
        return now.memory
    limit = now.policy.max_transitions_per_day
    message = f"{words}; {limit} changes in 24 h are used up (spec.policy.maxTransitionsPerDay), so it stays as it is"
    return noted(now, "Freeze", "TooManyTransitions", message, state=State.FROZEN, since=now.now, **CALM)


def _decisive(now: Situation, found: Judgement) -> bool:
    """Whether a stored control is enough: the bounds of a comparison without control are passed, not just touched."""
    leave_below = float(now.spec.thresholds.speedup.disable) - 0.06
    return found.speedup is not None and found.speedup.upper() < leave_below


def doubt(now: Situation, found: Judgement) -> Memory | None:
    """Buy the live control back when the stored one says that speculation hardly pays any more."""
    if now.memory.state != State.SPECULATING or found.source != Source.CALIBRATED or found.span is None:
        return None
    if found.verdict != Verdict.MARGINAL or not _may_buy(now):
        return None
    changes = counted(now, Verdict.MARGINAL, found.span)
    if not changes:
        return None
    here = now.with_memory(now.memory.model_copy(update=changes))
    if here.memory.streak < WITHOUT_CONTROL:
        return here.memory
    words = found.report.message if found.report is not None else ""
    return buy_control(here, "Contradiction", f"the stored control says {words}: measure it live")


def settle_streak(now: Situation, found: Judgement) -> Memory | None:
    """A judged span that does not say the same breaks the row."""
    if found.span is None or found.verdict is None or found.verdict == Verdict.HURTS or now.on_trial:
        return None
    changes = broken(now, found.span)
    return now.memory.model_copy(update=changes) if changes else None


def buy_control_when_blind(now: Situation, found: Judgement) -> Memory | None:
    """Bring the live control back when the load has left the measured bands."""
    if now.memory.state != State.SPECULATING or found.hold is None or found.hold.reason != "LoadNotMeasured":
        return None
    if not _may_buy(now) or found.span is None:
        return None
    changes = counted(now, "LoadNotMeasured", found.span)
    if not changes:
        return None
    here = now.with_memory(now.memory.model_copy(update=changes))
    if here.memory.streak < WITHOUT_CONTROL:
        return here.memory
    return buy_control(here, "LoadNotMeasured", "the load left the bands that the stored control covers")


def buy_control(now: Situation, reason: str, message: str) -> Memory:
    """Keep replicas without speculation again."""
    return noted(now, "KeepControl", reason, message, holdback=True, profile_grew_at=now.now, **CALM)


def return_control(now: Situation) -> Memory | None:
    """Give the control's replicas back to speculation when nothing new was learned from them for long."""
    memory = now.memory
    if memory.state != State.SPECULATING or not memory.holdback or memory.streak:
        return None
    if now.policy.holdback.mode != HoldbackMode.AUTO or not memory.profile or now.observation.outage is not None:
        return None
    if crossing.explained(now) and cooldown.recent(memory, now.now):
        return None  # what the load switched within a day it will switch again
    grew = memory.profile_grew_at or memory.since
    quiet: timedelta = now.evidence.window * QUIET_WINDOWS
    if grew is None or now.now - grew < quiet:
        return None
    bands = len(memory.profile)
    message = f"{bands} bands of load are measured and none was new for {format_duration(quiet)}"
    message += "; its replicas speculate again"
    return noted(now, "ReturnControl", "NothingNew", message, holdback=False, **CALM)


def learn(now: Situation, found: Judgement) -> Memory | None:
    """Store what the live control measured, when it says something new."""
    if not found.live_control or found.off is None or found.off_tpot is None or found.on is None:
        return None
    plain = not now.stable.speculates if now.on_trial else True
    if not plain or (now.memory.canary is not None and now.memory.canary.baseline != now.stable.baseline):
        return None
    variant = now.memory.canary or now.stable
    before = now.memory.profile
    profile = control_profile.learned(
        before,
        off=found.off,
        off_tpot=found.off_tpot,
        on=found.on,
        variant=variant.name,
        now=now.now,
        speedup=found.speedup,
        running=running(found.on_batches),
    )
    return _stored(now, profile)


def _stored(now: Situation, profile: list[Any] | None) -> Memory | None:
    if profile is None:
        return None
    known = {control_profile.band_of(float(band.load)) for band in now.memory.profile}
    grew = any(control_profile.band_of(float(band.load)) not in known for band in profile)
    changes: dict[str, Any] = {"profile": profile}
    if grew:
        changes["profile_grew_at"] = now.now
    return now.memory.model_copy(update=changes)


def learn_alone(now: Situation) -> Memory | None:
    """Measure the plain variant while it serves alone, for a trial that cannot run beside it."""
    if now.stable.speculates or now.memory.canary is not None or not now.wished.speculates:
        return None
    if not capacity.one_after_the_other(now) or not capacity.can_try(now):
        return None
    measured = sole(now, now.stable)
    if measured is None:
        return None
    total, tpot = measured
    return _stored(
        now,
        control_profile.learned(
            now.memory.profile, off=total, off_tpot=tpot, on=None, variant=now.wished.name, now=now.now
        ),
    )


def _may_buy(now: Situation) -> bool:
    return now.policy.holdback.mode == HoldbackMode.AUTO and now.spec.replicas >= 2 and not now.memory.holdback

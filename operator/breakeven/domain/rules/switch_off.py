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


def leave(situation: Situation, judgement: Judgement) -> Memory | None:
    """Switch speculation off when enough windows in a row show that it hurts."""
    serving = situation.memory.state in (State.SPECULATING, State.FROZEN) and situation.stable.speculates
    if not serving or judgement.span is None:
        return None
    if judgement.verdict != Verdict.HURTS:
        return None
    if situation.memory.streak_verdict == Verdict.HURTS and situation.memory.streak >= situation.evidence.leave_windows:
        return _act(
            situation, judgement
        )  # decided before and not possible then: the row is long enough, nothing to count
    changes = counted(situation, Verdict.HURTS, judgement.span)
    if judgement.sudden and not changes:
        changes = {"streak": situation.evidence.leave_windows}  # it counts for a whole row, whatever it overlaps with
    if not changes:
        return None
    here = situation.with_memory(situation.memory.model_copy(update=changes))
    if here.memory.streak < situation.evidence.leave_windows:
        return here.memory
    return _act(here, judgement)


def _act(situation: Situation, judgement: Judgement) -> Memory:
    words = judgement.report.message if judgement.report is not None else ""
    if judgement.source == Source.CALIBRATED and _may_buy(situation) and not _decisive(situation, judgement):
        return buy_control(situation, "Contradiction", f"the stored control says {words}: measure it live")
    unverified = situation.memory.unverified_since is not None
    remedy = None if unverified else before_off(situation, judgement)
    if remedy is not None:
        return remedy
    if LadderStep.DISABLE not in situation.policy.on_below_break_even or not capacity.can_switch(situation):
        return situation.memory
    if not unverified and economics.not_worth(situation, judgement) is not None:
        return situation.memory
    if not cooldown.may_switch(situation.policy, situation.memory, situation.time):
        return _freeze(situation, words)
    reason = "BelowAcceptanceFloor" if judgement.source == Source.FIXED else "BelowBreakEven"
    if unverified:
        reason, words = "RollbackRegressed", f"what was rolled back to is below break-even as well: {words}"
    cause = cause_in_words(situation)
    words = f"{words}; {cause}" if cause else words
    words += economics.in_words(economics.disabling(situation, judgement))
    return disable(
        situation, reason, words, tuned_length=tuned_length(judgement.on_batches, judgement.off, judgement.on)
    )


def _freeze(situation: Situation, words: str) -> Memory:
    if situation.memory.state == State.FROZEN:
        return situation.memory
    limit = situation.policy.max_transitions_per_day
    message = f"{words}; {limit} changes in 24 h are used up (spec.policy.maxTransitionsPerDay), so it stays as it is"
    return noted(situation, "Freeze", "TooManyTransitions", message, state=State.FROZEN, since=situation.time, **CALM)


def _decisive(situation: Situation, judgement: Judgement) -> bool:
    """Whether a stored control is enough: the bounds of a comparison without control are passed, not just touched."""
    leave_below = float(situation.spec.thresholds.speedup.disable) - 0.06
    return judgement.speedup is not None and judgement.speedup.upper() < leave_below


def doubt(situation: Situation, judgement: Judgement) -> Memory | None:
    """Buy the live control back when the stored one says that speculation hardly pays any more."""
    if situation.memory.state != State.SPECULATING or judgement.source != Source.CALIBRATED or judgement.span is None:
        return None
    if judgement.verdict != Verdict.MARGINAL or not _may_buy(situation):
        return None
    changes = counted(situation, Verdict.MARGINAL, judgement.span)
    if not changes:
        return None
    here = situation.with_memory(situation.memory.model_copy(update=changes))
    if here.memory.streak < WITHOUT_CONTROL:
        return here.memory
    words = judgement.report.message if judgement.report is not None else ""
    return buy_control(here, "Contradiction", f"the stored control says {words}: measure it live")


def settle_streak(situation: Situation, judgement: Judgement) -> Memory | None:
    """A judged span that does not say the same breaks the row."""
    if judgement.span is None or judgement.verdict is None or judgement.verdict == Verdict.HURTS or situation.on_trial:
        return None
    changes = broken(situation, judgement.span)
    return situation.memory.model_copy(update=changes) if changes else None


def buy_control_when_blind(situation: Situation, judgement: Judgement) -> Memory | None:
    """Bring the live control back when the load has left the measured bands."""
    if (
        situation.memory.state != State.SPECULATING
        or judgement.hold is None
        or judgement.hold.reason != "LoadNotMeasured"
    ):
        return None
    if not _may_buy(situation) or judgement.span is None:
        return None
    changes = counted(situation, "LoadNotMeasured", judgement.span)
    if not changes:
        return None
    here = situation.with_memory(situation.memory.model_copy(update=changes))
    if here.memory.streak < WITHOUT_CONTROL:
        return here.memory
    return buy_control(here, "LoadNotMeasured", "the load left the bands that the stored control covers")


def buy_control(situation: Situation, reason: str, message: str) -> Memory:
    """Keep replicas without speculation again."""
    return noted(situation, "KeepControl", reason, message, holdback=True, profile_grew_at=situation.time, **CALM)


def return_control(situation: Situation) -> Memory | None:
    """Give the control's replicas back to speculation when nothing new was learned from them for long."""
    memory = situation.memory
    if memory.state != State.SPECULATING or not memory.holdback or memory.streak:
        return None
    if (
        situation.policy.holdback.mode != HoldbackMode.AUTO
        or not memory.profile
        or situation.observation.outage is not None
    ):
        return None
    if crossing.explained(situation) and cooldown.recent(memory, situation.time):
        return None  # what the load switched within a day it will switch again
    grew = memory.profile_grew_at or memory.since
    quiet: timedelta = situation.evidence.window * QUIET_WINDOWS
    if grew is None or situation.time - grew < quiet:
        return None
    bands = len(memory.profile)
    message = f"{bands} bands of load are measured and none was new for {format_duration(quiet)}"
    message += "; its replicas speculate again"
    return noted(situation, "ReturnControl", "NothingNew", message, holdback=False, **CALM)


def learn(situation: Situation, judgement: Judgement) -> Memory | None:
    """Store what the live control measured, when it says something new."""
    if not judgement.live_control or judgement.off is None or judgement.off_tpot is None or judgement.on is None:
        return None
    plain = not situation.stable.speculates if situation.on_trial else True
    if not plain or (
        situation.memory.canary is not None and situation.memory.canary.baseline != situation.stable.baseline
    ):
        return None
    variant = situation.memory.canary or situation.stable
    before = situation.memory.profile
    profile = control_profile.learned(
        before,
        off=judgement.off,
        off_tpot=judgement.off_tpot,
        on=judgement.on,
        variant=variant.name,
        now=situation.time,
        speedup=judgement.speedup,
        running=running(judgement.on_batches),
    )
    return _stored(situation, profile)


def _stored(situation: Situation, profile: list[Any] | None) -> Memory | None:
    if profile is None:
        return None
    known = {control_profile.band_of(float(band.load)) for band in situation.memory.profile}
    grew = any(control_profile.band_of(float(band.load)) not in known for band in profile)
    changes: dict[str, Any] = {"profile": profile}
    if grew:
        changes["profile_grew_at"] = situation.time
    return situation.memory.model_copy(update=changes)


def learn_alone(situation: Situation) -> Memory | None:
    """Measure the plain variant while it serves alone, for a trial that cannot run beside it."""
    if situation.stable.speculates or situation.memory.canary is not None or not situation.wished.speculates:
        return None
    if not capacity.one_after_the_other(situation) or not capacity.can_try(situation):
        return None
    measured = sole(situation, situation.stable)
    if measured is None:
        return None
    total, tpot = measured
    return _stored(
        situation,
        control_profile.learned(
            situation.memory.profile,
            off=total,
            off_tpot=tpot,
            on=None,
            variant=situation.wished.name,
            now=situation.time,
        ),
    )


def _may_buy(situation: Situation) -> bool:
    return (
        situation.policy.holdback.mode == HoldbackMode.AUTO
        and situation.spec.replicas >= 2
        and not situation.memory.holdback
    )

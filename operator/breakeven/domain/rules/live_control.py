"""The live control, replicas without speculation while it is on: bought, returned, and what is learned from it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from breakeven.api.scalars import format_duration
from breakeven.api.spec import HoldbackMode, ObjectiveKind
from breakeven.api.status import LoadBand, Source, State
from breakeven.api.vocabulary import Action, HoldReason, Reason
from breakeven.domain import capacity
from breakeven.domain.answer import Note, Transition, note, transition
from breakeven.domain.evidence import control_profile, node_speeds
from breakeven.domain.evidence.judge import measured_alone
from breakeven.domain.evidence.judgement import Held, Judged, Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, crossing
from breakeven.domain.rules.schedules import running
from breakeven.domain.situation import Situation

QUIET_WINDOWS = 144
"""Windows without a new band of load after which the control is returned: a day at the default window."""
WARM_QUIET = 6
"""The same where pods take turns, which a second buys back: an hour."""
CLEAR = 1.15
"""Lower bound of S from which on pods that take turns stop. Below it knowing costs half of 15 % of what they do at
most, and a stored figure, with its wider bounds, could not tell whether speculation pays."""
FELL = 0.92
"""Share of the speed-up that the live control measured in this band of load: below it the stored control is doubted.
Contexts that get shorter make every step faster, and then a loss can look like a gain against what is stored."""


def doubt(situation: Situation, judgement: Judgement) -> Transition | None:
    """Buy the live control back when the stored one says that speculation hardly pays any more."""
    if situation.memory.state != State.SPECULATING or not may_buy(situation):
        return None
    if not isinstance(judgement, Judged) or judgement.source != Source.CALIBRATED:
        return None
    if judgement.verdict == Verdict.HURTS:
        return None  # that has its own rule
    if judgement.verdict != Verdict.MARGINAL and not fell(situation, judgement):
        return None
    return contradicted(situation, judgement)


def fell(situation: Situation, judgement: Judgement) -> bool:
    """Whether S against the stored control is far below what the live one measured for this variant at this load."""
    if not isinstance(judgement, Judged) or judgement.source != Source.CALIBRATED or judgement.speedup is None:
        return False
    stored = control_profile.find(situation.memory.profile, judgement.on.load, situation.time)
    if stored is None or stored.speedup is None or stored.variant != situation.stable.name:
        return False
    return judgement.speedup.value < FELL * float(stored.speedup)


def buy_when_blind(situation: Situation, judgement: Judgement) -> Transition | None:
    """Bring the live control back when the load has left the measured bands."""
    if situation.memory.state != State.SPECULATING or not may_buy(situation):
        return None
    if not isinstance(judgement, Held) or judgement.span is None:
        return None
    if judgement.hold.reason != HoldReason.LOAD_NOT_MEASURED:
        return None
    message = "the load left the bands that the stored control covers"
    return bought(situation, Reason.LOAD_NOT_MEASURED, message)


def contradicted(situation: Situation, judgement: Judged) -> Transition:
    """The stored control says that speculation does not pay, or hardly: measure it live."""
    message = f"the stored control says {judgement.report.message}: measure it live"
    return bought(situation, Reason.CONTRADICTION, message)


def may_buy(situation: Situation) -> bool:
    """Whether a live control may be kept that is not kept now."""
    return (
        situation.policy.holdback.mode == HoldbackMode.AUTO
        and capacity.can_control(situation)
        and not situation.memory.holdback
    )


def return_control(situation: Situation) -> Transition | None:
    """Give the control's replicas back to speculation when nothing new was learned from them for long."""
    memory = situation.memory
    if memory.state != State.SPECULATING or not memory.holdback:
        return None
    if situation.spec.objective.kind is ObjectiveKind.GOODPUT:
        return None  # the share of requests within bounds can be judged against a live control alone
    if (
        situation.policy.holdback.mode != HoldbackMode.AUTO
        or not memory.profile
        or situation.observation.outage is not None
    ):
        return None
    if memory.since is None or (not _clearly_pays(situation) if situation.warm else _too_early(situation)):
        return None
    quiet: timedelta = situation.evidence.window * (WARM_QUIET if situation.warm else QUIET_WINDOWS)
    grew = memory.profile_grew_at or memory.since
    if situation.time - (max(grew, memory.since) if situation.warm else grew) < quiet:
        return None
    bands = len(memory.profile)
    message = f"{bands} bands of load are measured and none was new for {format_duration(quiet)}"
    message += "; its replicas speculate again"
    return transition(Action.RETURN_CONTROL, Reason.NOTHING_NEW, message, holdback=False)


def _too_early(situation: Situation) -> bool:
    """Whether it may be needed again soon, and buying a replica back is dear."""
    since = situation.memory.since
    if crossing.explained(situation) and cooldown.recent(situation.memory, situation.time):
        return True  # what the load switched within a day it will switch again
    # what was measured before the promotion says nothing about what was promoted
    return since is None or situation.time - since < cooldown.FORGIVEN_AFTER


def _clearly_pays(situation: Situation) -> bool:
    """Whether pods that take turns give back so much of the gain that a stored figure is good enough."""
    shown = situation.memory.evidence
    if shown is None or shown.source != Source.ALTERNATING or shown.speedup_lower is None:
        return False
    return float(shown.speedup_lower) >= CLEAR


def learn(situation: Situation, judgement: Judgement) -> Note | None:
    """Store what the live control measured, when it says something new."""
    if not isinstance(judgement, Judged) or not judgement.live_control:
        return None
    if judgement.off is None or judgement.off_tpot is None:
        return None
    canary, stable = situation.memory.canary, situation.stable
    if situation.on_trial and stable.speculates:
        return None
    if canary is not None and canary.baseline != stable.baseline:
        return None
    # The control was measured as it would be on the nodes of what speculates; what is stored is for a usual node.
    usual = node_speeds.position(situation, canary or stable)
    off_tpot = replace(judgement.off_tpot, value=judgement.off_tpot.value / usual.factor)
    profile = control_profile.learned(
        situation.memory.profile,
        off=judgement.off,
        off_tpot=off_tpot,
        on=judgement.on,
        variant=(canary or stable).name,
        now=situation.time,
        speedup=judgement.speedup,
        running=running(judgement.on_batches),
    )
    return _stored(situation, profile)


def learn_alone(situation: Situation) -> Note | None:
    """Measure the plain variant while it serves alone, for a trial that cannot run beside it."""
    if situation.stable.speculates or situation.memory.canary is not None or not situation.wished.speculates:
        return None
    if not capacity.one_after_the_other(situation) or not capacity.can_try(situation):
        return None
    measured = measured_alone(situation, situation.stable)
    if measured is None:
        return None
    total, tpot = measured
    profile = control_profile.learned(
        situation.memory.profile,
        off=total,
        off_tpot=tpot,
        on=None,
        variant=situation.wished.name,
        now=situation.time,
    )
    return _stored(situation, profile)


def bought(situation: Situation, reason: Reason, message: str) -> Transition:
    """Keep replicas without speculation again."""
    return transition(Action.KEEP_CONTROL, reason, message, holdback=True, profile_grew_at=situation.time)


def _stored(situation: Situation, profile: Sequence[LoadBand] | None) -> Note | None:
    if profile is None:
        return None
    known = {control_profile.band_of(float(band.load)) for band in situation.memory.profile}
    if any(control_profile.band_of(float(band.load)) not in known for band in profile):
        return note(profile=list(profile), profile_grew_at=situation.time)
    return note(profile=list(profile))

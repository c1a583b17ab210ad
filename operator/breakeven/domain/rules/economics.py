"""What a switch gains and what it loses: decoding while replicas load, against decoding until the next change.

Without a surge every replica that moves is away while its engine loads, or for the seconds of a warm switch. The
gain lasts until the next change, and that is taken from how often things changed lately. The loading time is measured,
or the plan's; a warm switch is measured, or the second of `situation.SWITCH`.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from breakeven.api.scalars import format_duration
from breakeven.api.status import Source
from breakeven.domain import capacity
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown
from breakeven.domain.situation import Situation

CLEAR_LOSS = 0.90
"""With the upper bound of S below this, requests suffer whatever a switch costs: it is never weighed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One switch: replica-minutes of decoding gained within the horizon, and lost while replicas load."""

    gained: float
    lost: float
    moved: int
    """Replicas that change."""
    minutes: float
    """Loading time of each, or how long a warm one is away."""
    basis: str
    """What that time rests on: measured, or by plan."""
    horizon: timedelta
    load: float | None
    """Output tokens per second and replica, to speak in tokens; None when unknown."""
    warm: bool = False
    """Whether replicas switch between two variants that they hold."""

    @property
    def pays(self) -> bool:
        """Whether the gain covers the loss."""
        return self.gained >= self.lost

    def __str__(self) -> str:
        gain, loss = (f"{self._said(value)}" for value in (self.gained, self.lost))
        away = f"switch in {self.minutes * 60:.1f} s" if self.warm else f"load {self.minutes:.1f} min"
        return (
            f"the switch gains {gain} within {format_duration(self.horizon)} and loses {loss} while"
            f" {self.moved} replicas {away} each ({self.basis})"
        )

    def _said(self, replica_minutes: float) -> str:
        if self.load is None:
            return f"{replica_minutes:.3g} replica-minutes"
        return f"{replica_minutes * 60 * self.load:.3g} tokens"


def promotion(situation: Situation, judgement: Judged) -> Balance | None:
    """The balance of giving every replica what is on trial; None when the loading time or S is unknown."""
    staying = sum(p.replicas for p in capacity.placements(situation) if p.variant == situation.stable)
    return _balance(situation, judgement, gain=_value(judgement, -1.0), moved=staying, warm=not situation.moves_pods)


def disabling(situation: Situation, judgement: Judged) -> Balance | None:
    """The balance of taking speculation from every replica; None when unknown, or when it must not be weighed."""
    speedup = judgement.worth
    if speedup is None or speedup.upper() < CLEAR_LOSS or judgement.source == Source.FIXED:
        return None
    serving = sum(p.replicas for p in capacity.placements(situation) if p.variant == situation.stable)
    value = _value(judgement, 0.0)
    return _balance(situation, judgement, gain=1 / value - 1 if value else None, moved=serving, warm=situation.warm)


def not_worth(situation: Situation, judgement: Judgement) -> Balance | None:
    """The switch that the verdict asks for and that does not pay; None: it pays, is unknown, or none is asked for."""
    if not isinstance(judgement, Judged):
        return None
    balance: Balance | None = None
    if situation.on_trial:
        asked = judgement.verdict == Verdict.PAYS and not wanted_anyway(situation)
        balance = promotion(situation, judgement) if asked else None
    elif situation.stable.speculates and judgement.verdict == Verdict.HURTS:
        balance = disabling(situation, judgement)
    return balance if balance is not None and not balance.pays else None


def in_words(balance: Balance | None) -> str:
    """A clause to append to a message; empty when the balance is unknown."""
    return f"; {balance}" if balance is not None else ""


def loading(situation: Situation) -> tuple[float, str] | None:
    """Minutes that one replica loads, and on what that rests; None when neither measured nor planned."""
    for minutes, basis in (
        (situation.observation.loading_minutes, "measured"),
        (situation.declared.planned_loading_minutes, "by plan"),
    ):
        if minutes is not None and math.isfinite(minutes) and minutes >= 0:
            return minutes, basis
    return None


def _warm_switch(situation: Situation) -> tuple[float, str]:
    """The same of a warm one."""
    measured = situation.observation.switch_seconds is not None
    return situation.switch / timedelta(minutes=1), "measured" if measured else "by default"


def horizon(situation: Situation) -> timedelta:
    """How long a change may be expected to last: a day, shared by the changes of the last one."""
    return cooldown.DAY / (len(cooldown.recent(situation.memory, situation.time)) + 1)


def wanted_anyway(situation: Situation) -> bool:
    """Whether the user asked for what is on trial in place of what serves: then its cost is theirs to weigh."""
    canary = situation.memory.canary
    if canary is None:
        return False
    return canary.baseline != situation.stable.baseline or (situation.stable.speculates and canary == situation.wished)


def _balance(situation: Situation, judgement: Judged, *, gain: float | None, moved: int, warm: bool) -> Balance | None:
    known = _warm_switch(situation) if warm else loading(situation)
    if known is None or gain is None:
        return None
    minutes, basis = known
    lasts = horizon(situation)
    beside = not warm and situation.policy.switching.surge >= 1
    return Balance(
        gained=gain * moved * (lasts / timedelta(minutes=1)),
        lost=0.0 if beside else moved * minutes,
        moved=moved,
        minutes=minutes,
        basis=basis,
        horizon=lasts,
        load=judgement.on.load,
        warm=warm,
    )


def _value(judgement: Judged, plus: float) -> float | None:
    worth = judgement.worth
    if worth is None or not math.isfinite(worth.value) or worth.value <= 0:
        return None
    return worth.value + plus

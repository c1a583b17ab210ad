"""What a speed-up with its bounds means, and the bounds that apply."""

from dataclasses import dataclass
from enum import StrEnum

from breakeven.api.spec import SpeedupSpec
from breakeven.domain.measures.statistics import LogRatio

BEFORE_AFTER_PROMOTE = 1.10
"""Without a live control the hour and the traffic are not cancelled, so the bounds are wider (docs/decisions.md)."""
BEFORE_AFTER_LEAVE = 0.92
WORTH_IT = 1.05
"""Gain that a change of the operator's own is tried for."""


class Verdict(StrEnum):
    """What one span says."""

    PAYS = "Pays"
    """The lower bound is above the bound for switching on."""
    MARGINAL = "Marginal"
    """The upper bound is below the bound for switching on, but no loss is shown."""
    HURTS = "Hurts"
    """The upper bound is below the bound for leaving."""
    UNDECIDED = "Undecided"
    """The bounds enclose a threshold: more must be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Above `promote` it pays; below `leave` it hurts."""

    promote: float
    leave: float

    def judge(self, speedup: LogRatio) -> Verdict:
        """By its one-sided bounds on either side."""
        if speedup.lower() > self.promote:
            return Verdict.PAYS
        upper = speedup.upper()
        if upper < self.leave:
            return Verdict.HURTS
        return Verdict.MARGINAL if upper < self.promote else Verdict.UNDECIDED

    def without_control(self) -> "Bounds":
        """The bounds when both sides were measured at different times."""
        return Bounds(
            promote=max(self.promote, BEFORE_AFTER_PROMOTE),
            leave=min(self.leave, BEFORE_AFTER_LEAVE),
        )


def keeping(declared: SpeedupSpec) -> Bounds:
    """Bounds while speculation is on: it leaves below `disable`."""
    return Bounds(promote=float(declared.promote), leave=float(declared.disable))


def starting(declared: SpeedupSpec) -> Bounds:
    """Bounds of a trial against no speculation: it fails as soon as it is shown not to be faster at all."""
    promote = float(declared.promote)
    return Bounds(promote=promote, leave=min(1.0, promote))


def changing(declared: SpeedupSpec) -> Bounds:
    """Bounds of a change that the user made: wanted unless shown to be worse, so not-worse is enough."""
    return Bounds(promote=float(declared.disable), leave=min(1.0, float(declared.disable)))


def tuning() -> Bounds:
    """Bounds of a change that the operator thought of: it must be shown to be better, and is given up when it is shown
    not to be worth the trouble.
    """
    return Bounds(promote=1.0, leave=WORTH_IT)

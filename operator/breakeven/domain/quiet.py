"""Whether the newest evidence can wait for the end of the window.

Between the ends of two windows only what acts within minutes can alter what is decided: the sequential alarm, the guard
against storms, an outage, another fleet. Their own conditions are asked here, on the newest points alone, so that
whatever a full pass would act on asks for one; noise does not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from breakeven.domain.counters.observation import Arm
from breakeven.domain.evidence.judgement import Judgement
from breakeven.domain.evidence.loss_alarm import Lookout, lookout
from breakeven.domain.rules.faults import StormWatch, storm_watch
from breakeven.domain.situation import Situation


class _Standing(NamedTuple):
    """What an arm must not change in."""

    ready: int
    scraped: int
    measured: bool
    """Whether it has a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a full pass left to watch until the window under way is over. It holds while memory, spec and fleet do."""

    standing: Mapping[str, _Standing]
    until: float | None
    """End of that window, Unix seconds: when all arms have reached it, it is judged. None: none is under way."""
    lookout: Lookout | None
    storm: StormWatch | None

    def asks(self, arms: Mapping[str, Arm], now: datetime) -> bool:
        """Whether the newest evidence asks for a full pass."""
        if arms.keys() != self.standing.keys() or any(_standing(a) != self.standing[name] for name, a in arms.items()):
            return True
        if self.until is not None and _measured_until(arms) >= self.until - 1e-3:
            return True
        if self.lookout is not None and self.lookout.sees(arms):
            return True
        return self.storm is not None and self.storm.rages(arms, now)


def watch(situation: Situation, judgement: Judgement) -> Watch:
    """What is to be watched after a pass that ended in this situation."""
    return Watch(
        standing={name: _standing(arm) for name, arm in situation.observation.arms.items()},
        until=judgement.next_end,
        lookout=lookout(situation),
        storm=storm_watch(situation),
    )


def _standing(arm: Arm) -> _Standing:
    return _Standing(arm.ready, arm.scraped, len(arm.batches) > 0)


def _measured_until(arms: Mapping[str, Arm]) -> float:
    """The end of the newest batch that every arm has."""
    return min((a.batches[-1].end if len(a.batches) else -math.inf for a in arms.values()), default=-math.inf)

"""From runs to the figures a reader asks for. All of them are simulated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from breakeven.api.vocabulary import Action
from breakeven.simulation.run import Run
from breakeven.simulation.traffic import MINUTE

WRONG_BY = 0.02
"""A change against a truth closer to S = 1 than this is not false: both states are as good."""
MATTERS = 0.05
"""A change of the truth is to be acted upon when speculation then costs more than this."""
ABRUPT = 0.02
"""The bound is about a change at one moment: what grows over hours has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Figures over the seeds of one scenario under one policy."""

    policy: str
    days: float
    false_per_30_days: float
    """Switches away from the better state."""
    misses: int
    """Losses of more than 5 % that began and were not switched off before they ended."""
    losses: int
    """Losses that began."""
    delays: tuple[float, ...]
    """Minutes from the beginning of a loss to switching off."""
    in_better_state: float
    delivered: float
    restarts_per_day: float
    changes_per_day: float
    trials: int
    """Trials that began."""
    promotions: int
    """Of them, those that ended with a promotion."""
    switch_offs: int
    """Times that what served was switched off."""
    goodput: float | None
    """Share of the requests that were served within bounds; None without a finite cache."""
    lorden: float | None
    """Minutes: no detector with as few false alarms is faster on average. None: there was no loss."""

    @property
    def median_delay(self) -> float | None:
        """Half of the losses are noticed by then, in minutes."""
        return median(self.delays) if self.delays else None

    @property
    def p95_delay(self) -> float | None:
        """95 % of the losses are noticed by then, in minutes."""
        if not self.delays:
            return None
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]


def score(runs: Sequence[Run]) -> Scores:
    """Sum up runs of one scenario under one policy."""
    days = sum(r.minutes for r in runs) / 1440
    wrong = sum(len(false_changes(r)) for r in runs)
    found, lost = [], 0
    for r in runs:
        for begin, end in losses(r):
            if not (begin and r.speculating[begin - 1]):
                continue
            lost += 1
            noticed = next((m for m in range(begin, end) if not r.speculating[m]), None)
            if noticed is not None:
                found.append(_moment(r, noticed) - begin)
    return Scores(
        policy=runs[0].policy,
        days=days,
        false_per_30_days=30 * wrong / days,
        misses=lost - len(found),
        losses=lost,
        delays=tuple(found),
        in_better_state=_mean([r.in_better_state for r in runs]),
        delivered=_mean([r.delivered for r in runs]),
        restarts_per_day=sum(r.restarts for r in runs) / days,
        changes_per_day=sum(len(r.changes) for r in runs) / days,
        trials=_count(runs, "StartTrial"),
        promotions=_count(runs, "Promote"),
        switch_offs=_count(runs, "Disable"),
        goodput=_mean(kept) if (kept := [r.goodput for r in runs if r.goodput is not None]) else None,
        lorden=lorden(runs, false_alarms=wrong),
    )


def _count(runs: Sequence[Run], action: str) -> int:
    return sum(c.action == action for r in runs for c in r.changes)


def _moment(r: Run, noticed: int) -> float:
    """When speculation was given up that a minute's beginning finds given up: within the minute before, perhaps."""
    return next((c.minute for c in r.changes if noticed - 1 < c.minute < noticed), float(noticed))


def false_changes(r: Run) -> list[float]:
    """Minutes in which a change went against the truth."""
    wrong_off = [c for c in r.changes if c.action == Action.DISABLE and c.speedup > 1 + WRONG_BY]
    wrong_on = [c for c in r.changes if c.action == Action.PROMOTE and c.speedup < 1 - WRONG_BY]
    return sorted(c.minute for c in (*wrong_off, *wrong_on))


def losses(r: Run) -> list[tuple[int, int]]:
    """Stretches in which speculation costs more than 5 %."""
    edges, inside = [], None
    for minute, s in enumerate(r.speedup):
        bad = s < 1 - MATTERS
        if bad and inside is None:
            inside = minute
        if not bad and inside is not None:
            edges.append((inside, minute))
            inside = None
    if inside is not None:
        edges.append((inside, len(r.speedup)))
    return edges


def lorden(runs: Sequence[Run], *, false_alarms: int) -> float | None:
    """Lorden's bound on the mean delay: log of the mean time between false alarms over the information per minute.

    Information is the Kullback-Leibler divergence of one minute's log ratio after the change from before it, both
    normal with the spread seen before the change (Lorden 1971, Annals of Mathematical Statistics 42). Where no false
    alarm was seen, the simulated time stands for the time between two, which makes the bound smaller than it is.
    """
    total = sum(r.minutes for r in runs)
    between = total / max(1, false_alarms)
    information = []
    for r in runs:
        for begin, _ in losses(r):
            if begin == 0 or not math.isfinite(r.noise) or r.noise <= 0:
                continue
            shift = math.log(r.speedup[begin - 1] / r.speedup[begin])
            if shift < ABRUPT:
                continue
            information.append(shift**2 / (2 * r.noise**2))
    if not information or between <= 1:
        return None
    return math.log(between) / _mean(information) * (MINUTE / 60)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan

"""Which cell and server come next, and how much is left. Pure.

The grid is walked in rounds, so that a measurement that ends early knows something of every cell. Within a cell the
servers take turns, and who begins alternates, so that whatever drifts hits both alike. A cell that is known precisely
enough drops out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from breakeven.measure.figures import CellFigures
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.visit import Visit

LEAST_ROUNDS = 6
"""Visits of each server that a cell gets at least: five degrees of freedom, a t quantile of 2.6."""
MOST_ROUNDS = 60
"""Visits after which a cell is left as it is: what still differs between rounds is not chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One visit to make."""

    cell: Cell
    arm: Arm
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for."""

    cells: tuple[Cell, ...]
    arms: tuple[Arm, ...]
    precision: float
    """Relative half width of the bounds of S that is precise enough."""
    one_after_the_other: bool = False
    """All visits of one server before those of the next: they do not run at the same time."""


def open_turns(wish: Wish, visits: Sequence[Visit], figures: Sequence[CellFigures]) -> list[Turn]:
    """Visits of the round that is under way, in order; empty when every cell is precise enough."""
    done: dict[tuple[Cell, Arm], int] = {}
    for visit in visits:
        done[visit.cell, visit.arm] = done.get((visit.cell, visit.arm), 0) + 1
    known = {each.cell: each for each in figures}
    if wish.one_after_the_other:
        for arm in wish.arms:
            turns = _turns(wish, (arm,), done, known)
            if turns:
                return turns
        return []
    return _turns(wish, wish.arms, done, known)


def _turns(
    wish: Wish, arms: tuple[Arm, ...], done: Mapping[tuple[Cell, Arm], int], known: Mapping[Cell, CellFigures]
) -> list[Turn]:
    behind = {}
    for cell in wish.cells:
        rounds = [done.get((cell, arm), 0) for arm in arms]
        if len(set(rounds)) > 1 or not _enough(wish, known.get(cell), min(rounds), arms):
            behind[cell] = min(rounds)
    if not behind:
        return []
    now = min(behind.values())
    cells = [cell for cell in wish.cells if behind.get(cell) == now]
    ordered = cells if now % 2 == 0 else cells[::-1]
    turns = []
    for place, cell in enumerate(ordered):
        takes = arms if (now + place) % 2 == 0 else arms[::-1]
        turns += [Turn(cell=cell, arm=arm, round=now) for arm in takes if done.get((cell, arm), 0) == now]
    return turns


def _enough(wish: Wish, figures: CellFigures | None, rounds: int, arms: tuple[Arm, ...]) -> bool:
    if rounds < LEAST_ROUNDS or figures is None:
        return False
    return rounds >= MOST_ROUNDS or precision(figures, arms) <= wish.precision


def precision(figures: CellFigures, arms: Sequence[Arm]) -> float:
    """Relative half width of what the cell is measured for: of S, or of TPOT where one server is measured alone."""
    if Arm.OFF in arms and Arm.ON in arms:
        return figures.speedup.precision if figures.speedup is not None else math.inf
    sides = {Arm.OFF: figures.off, Arm.ON: figures.on, Arm.REFERENCE: figures.reference}
    tpots = [side.tpot if (side := sides[arm]) is not None else None for arm in arms]
    # Two such figures make S, so each must be more precise than S has to be.
    return max((tpot.precision if tpot is not None else math.inf) for tpot in tpots) * math.sqrt(2)


def rounds_left(wish: Wish, visits: Sequence[Visit], figures: Sequence[CellFigures]) -> int:
    """How many visits are likely to be needed still: the error falls with the root of the rounds."""
    known = {each.cell: each for each in figures}
    left = 0
    for cell in wish.cells:
        for arm in wish.arms:
            done = sum(1 for visit in visits if visit.cell == cell and visit.arm is arm)
            needed = LEAST_ROUNDS
            if done >= LEAST_ROUNDS and cell in known:
                width = precision(known[cell], wish.arms if not wish.one_after_the_other else (arm,))
                factor = (width / wish.precision) ** 2 if math.isfinite(width) else MOST_ROUNDS / done
                needed = min(MOST_ROUNDS, math.ceil(done * factor - 1e-9))
            left += max(0, needed - done)
    return left

"""The measurement itself: visit after visit until the grid is known, or time, tokens or patience are used up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from breakeven.inspect.text import PageError
from breakeven.measure.figures import CellFigures, Figures, Slo
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.prompts import PromptSet
from breakeven.measure.schedule import Turn, Wish, open_turns, precision, rounds_left
from breakeven.measure.server import Server
from breakeven.measure.state import State
from breakeven.measure.visit import Pace, Trouble, Visit, visit

WINDOW = (1.0, 30.0)
"""Shortest and longest window of one visit, seconds."""
USED = 0.7
"""Share of the time that the least rounds may take: the rest is for cells that need more."""


Source = Callable[[Arm], Awaitable[Server]]
"""Gives the server of an arm, which may have to be started first. Raises Trouble."""


class Ending(StrEnum):
    """Why a measurement ended."""

    PRECISE = "every cell is as precise as asked, or differs between rounds by more than chance"
    TIME = "the time is used up"
    TOKENS = "the tokens are used up"
    STOPPED = "it was stopped"
    TROUBLE = "a server could not be measured further"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a measurement may use."""

    seconds: float
    tokens: int | None = None
    """Prompt and output tokens of all servers together."""
    rate: float | None = None
    """Requests a second, at most."""
    warmup: float = 2.0
    """Seconds of each visit that are left out."""

    def least(self, visits: int) -> float:
        """Seconds that so many visits take at least."""
        return visits * (self.warmup + WINDOW[0])

    def window(self, visits: int) -> float:
        """Seconds of one visit's window, so that this many visits fit into the time with some to spare."""
        least, most = WINDOW
        return min(most, max(least, USED * self.seconds / max(1, visits) - self.warmup))


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a measurement came to. The visits are in its state."""

    ending: Ending = Ending.PRECISE
    trouble: str = ""
    """What is wrong with a server, for people; empty when nothing is."""
    left_out: dict[Cell, str] = field(default_factory=dict)
    """Cells that could not be measured, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a measurement stands, after each visit."""

    done: int
    left: int
    """Visits that are likely to be needed still."""
    seconds_left: float
    last: Visit
    figures: CellFigures | None
    """Of the cell that was visited."""


class Measurement:
    """One measurement of up to three servers. `stop` may be called at any time; nothing that was measured is lost."""

    def __init__(
        self,
        source: Source,
        wish: Wish,
        prompts: PromptSet,
        limits: Limits,
        state: State,
        *,
        slo: Slo = Slo(),  # noqa: B008 # frozen
        seed: int = 0,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._wish = wish
        self._prompts = prompts
        self._limits = limits
        self._state = state
        self._figures = Figures(slo=slo, paired=not wish.one_after_the_other)
        self._seed = seed
        self._progress = progress
        self._stop = asyncio.Event()
        self._pace = Pace(limits.rate)
        self._outcome = Outcome()
        self._over: set[Arm] = set()
        """Servers whose share of the time is used up, where they run one after the other."""

    def stop(self) -> None:
        """End after what is under way was given up."""
        self._stop.set()

    def figures(self) -> list[CellFigures]:
        """Figures of what has been measured."""
        return self._figures.of(self._state.visits)

    async def run(self) -> Outcome:
        """Measure until an ending."""
        clock = asyncio.get_running_loop().time
        # Each class of prompts may have to be measured alone too.
        window = self._limits.window(self._left() * (1 + len(self._prompts.kinds)))
        used = 0.0
        while turn := self._next():
            left = self._allowance(turn.arm) - used
            if left < self._limits.warmup + window:
                if self._wish.one_after_the_other and turn.arm is not self._wish.arms[-1]:
                    self._over.add(turn.arm)
                    continue
                return self._ended(Ending.TIME)
            if self._limits.tokens is not None and sum(v.tokens for v in self._state.visits) >= self._limits.tokens:
                return self._ended(Ending.TOKENS)
            try:
                server = await self._source(turn.arm)
                started = clock()
                done = await self._visit(server, turn, window, left)
            except PageError as error:
                return self._ended(Ending.TROUBLE, f"--{turn.arm}: {error}")
            except Trouble as trouble:
                if not await self._left_out(turn, str(trouble)):
                    return self._ended(Ending.TROUBLE)
                continue
            if done is None:
                return self._ended(Ending.STOPPED if self._stop.is_set() else Ending.TIME)
            self._state.add(done)
            took = clock() - started
            used += took
            self._report(done, min(self._limits.seconds - used, took * self._left()))
        return self._ended(Ending.PRECISE)

    def _allowance(self, arm: Arm) -> float:
        """Seconds that may be used up to the end of this arm's visits: one after the other, each has its share."""
        if not self._wish.one_after_the_other:
            return self._limits.seconds
        return self._limits.seconds * (self._wish.arms.index(arm) + 1) / len(self._wish.arms)

    def _next(self) -> Turn | None:
        figures = self.figures()
        cells = (*self._wish.cells, *self._homogeneous(figures))
        self._wish = replace(self._wish, cells=tuple(c for c in cells if c not in self._outcome.left_out))
        open_ = replace(self._wish, arms=tuple(arm for arm in self._wish.arms if arm not in self._over))
        turns = open_turns(open_, self._state.visits, figures)
        return turns[0] if turns else None

    def _homogeneous(self, figures: list[CellFigures]) -> list[Cell]:
        """A mixed cell is measured again for each class of prompts alone: that confirms or refutes the mixture."""
        mixed = [each.cell for each in figures if each.mixed and not each.cell.prompts]
        wanted = [replace(cell, prompts=kind) for cell in mixed for kind in self._prompts.kinds]
        return [cell for cell in wanted if cell not in self._wish.cells]

    async def _visit(self, server: Server, turn: Turn, window: float, left: float) -> Visit | None:
        """Make one visit; None when it was stopped, or took longer than there was time."""
        work = asyncio.ensure_future(
            visit(
                server,
                turn.cell,
                turn.arm,
                turn=turn.round,
                prompts=self._prompts,
                pace=self._pace,
                warmup=self._limits.warmup,
                window=window,
                seed=self._seed,
            )
        )
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((work, stopped), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return await work if work.done() else None
        finally:
            for task in (work, stopped):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, PageError, Trouble):
                    await task

    async def _left_out(self, turn: Turn, why: str) -> bool:
        """Leave a cell out that cannot be measured; false when it is the server that cannot be measured at all."""
        self._outcome.left_out[turn.cell] = f"--{turn.arm}: {why}"
        try:
            await (await self._source(turn.arm)).page()
        except PageError as error:
            self._outcome.trouble = f"--{turn.arm}: {error} ({turn.cell}: {why})"
        except Trouble as trouble:
            self._outcome.trouble = str(trouble)
        return not self._outcome.trouble

    def _left(self) -> int:
        return rounds_left(self._wish, self._state.visits, self.figures())

    def _report(self, last: Visit, seconds_left: float) -> None:
        known = next((each for each in self.figures() if each.cell == last.cell), None)
        self._progress(
            Progress(
                done=len(self._state.visits),
                left=self._left(),
                seconds_left=max(0.0, seconds_left),
                last=last,
                figures=known,
            )
        )

    def _ended(self, ending: Ending, trouble: str = "") -> Outcome:
        self._outcome.ending = ending
        self._outcome.trouble = trouble or self._outcome.trouble
        return self._outcome


def imprecise(figures: list[CellFigures], wish: Wish) -> list[CellFigures]:
    """Cells that are not as precise as was asked."""
    return [each for each in figures if precision(each, wish.arms) > wish.precision]

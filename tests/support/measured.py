"""Measurements of simulated engines in virtual time, and figures made by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.simulated_server import SimulatedServer, core_of, drafting
from tests.support.virtual_time import run_virtually

from breakeven.measure.figures import CellFigures, Side, Slo
from breakeven.measure.grid import Arm, Cell, grid
from breakeven.measure.interval import Figure
from breakeven.measure.prompts import PromptSet, load_prompts
from breakeven.measure.run import Limits, Measurement, Outcome
from breakeven.measure.schedule import Wish
from breakeven.measure.server import Server
from breakeven.measure.state import State


def pair(k: int = 3, seed: int = 0) -> dict[Arm, SimulatedServer]:
    """An 8B engine without and with a 1B draft."""
    return {
        Arm.OFF: SimulatedServer(core_of(seed=seed)),
        Arm.ON: SimulatedServer(core_of(drafting(k), seed=seed + 1)),
    }


def measured(
    servers: Mapping[Arm, Server],
    directory: Path,
    *,
    cells: Sequence[Cell] = grid((0.0, 1.0), (4,), ()),
    precision: float = 0.05,
    limits: Limits = Limits(seconds=150),  # noqa: B008 # frozen
    prompts: PromptSet | None = None,
    slo: Slo = Slo(),  # noqa: B008 # frozen
    one_after_the_other: bool = False,
    seed: int = 0,
    stop_after: int | None = None,
) -> tuple[Outcome, list[CellFigures], State]:
    """A whole measurement. `stop_after`: Ctrl-C after so many visits."""

    async def source(arm: Arm) -> Server:
        return servers[arm]

    async def run() -> tuple[Outcome, list[CellFigures], State]:
        state = State(directory, {"test": True})
        made = Measurement(
            source,
            Wish(
                cells=tuple(cells),
                arms=tuple(arm for arm in Arm if arm in servers),
                precision=precision,
                one_after_the_other=one_after_the_other,
            ),
            prompts or load_prompts("random", output_tokens=64),
            limits,
            state,
            slo=slo,
            seed=seed,
            progress=lambda p: made.stop() if p.done == stop_after else None,
        )
        return await made.run(), made.figures(), state

    return run_virtually(run())


def speedup(value: float, half_width: float = 0.02) -> Figure:
    """S with bounds so far to either side."""
    return Figure(value=value, lower=value - half_width, upper=value + half_width)


def cell(
    temperature: float,
    load: float,
    s: Figure | None,
    *,
    prompts: str = "",
    arrivals: bool = False,
    acceptance: float = 0.6,
    inflation: float = 2.0,
    mixed: str = "",
) -> CellFigures:
    """A cell in which both servers were measured."""
    plain = tuple(Figure(value=v, lower=v, upper=v) for v in (0.010, 0.011, 0.012))
    off = Side(visits=6, requests=60, seconds=30, step=Figure(value=0.010), tpot_quantiles=plain, running=load)
    on = Side(
        visits=6,
        requests=60,
        seconds=30,
        step=Figure(value=0.010 * inflation),
        acceptance=Figure(value=acceptance, lower=acceptance - 0.02, upper=acceptance + 0.02),
        acceptance_at=tuple(Figure(value=acceptance * 0.8**i) for i in range(3)),
        draft_length=3.0,
        tpot_quantiles=plain,
        running=load,
    )
    return CellFigures(
        cell=Cell(temperature, load, arrivals, prompts),
        off=off,
        on=on,
        speedup=s,
        inflation=Figure(value=inflation),
        break_even=Figure(value=(inflation - 1) / 3),
        mixed=mixed,
    )

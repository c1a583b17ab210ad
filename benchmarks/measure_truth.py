"""Whether `breakeven measure` finds what is true of engines whose truth is known.

Each world is a pair of simulated engines, measured in virtual time with many seeds; the truth of a cell is one run of
the same load that is some fifty times as long. Printed are the share of figures whose true value lies within their
stated bounds, by figure, and how often the verdict is the one that the true figures give.

    PYTHONPATH=operator:. python benchmarks/measure_truth.py --seeds 20
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.measured import measured
from tests.support.simulated_server import SimulatedServer, core_of

from breakeven.domain.measures.verdict import Bounds
from breakeven.domain.measures.verdict import Verdict as Judged
from breakeven.measure.figures import CellFigures, Side
from breakeven.measure.grid import Arm, Cell, grid
from breakeven.measure.interval import Figure
from breakeven.measure.prompts import load_prompts
from breakeven.measure.run import Limits
from breakeven.measure.verdict import judged, verdict

BOUNDS = Bounds(promote=1.05, leave=0.98)
CELLS = grid((0.0, 0.8), (1, 8, 32), ())
TRUE_REQUESTS = 4000
TARGET = {"8B": "meta-llama/Llama-3.1-8B-Instruct", "70B": "meta-llama/Llama-3.1-70B-Instruct"}


@dataclass(frozen=True)
class World:
    name: str
    target: str
    speculative: dict[str, object]

    def servers(self, seed: int) -> dict[Arm, SimulatedServer]:
        model = TARGET[self.target]
        return {
            Arm.OFF: SimulatedServer(core_of(model=model, seed=seed)),
            Arm.ON: SimulatedServer(core_of(json.dumps(self.speculative), model=model, seed=seed + 1)),
        }


def draft_model(model: str, k: int, **more: object) -> dict[str, object]:
    return {"method": "draft_model", "model": model, "num_speculative_tokens": k, **more}


WORLDS = (
    World("8B + 1B draft, k=3", "8B", draft_model("meta-llama/Llama-3.2-1B-Instruct", 3)),
    World("70B + 8B draft, k=3", "70B", draft_model(TARGET["8B"], 3)),
    World("70B + 8B draft, k=5", "70B", draft_model(TARGET["8B"], 5)),
    World(
        "70B + 8B draft, k=3, probabilistic drafting",
        "70B",
        draft_model(TARGET["8B"], 3, draft_sample_method="probabilistic"),
    ),
    World(
        "70B + EAGLE-3, k=3",
        "70B",
        {"method": "eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-70B", "num_speculative_tokens": 3},
    ),
    World("8B, n-gram, k=3", "8B", {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}),
)


def truth(world: World) -> dict[Cell, CellFigures]:
    """Every cell on engines of their own, in six visits so long that each server answers some 4,000 requests."""
    found = {}
    slow = 0.03 if world.target == "70B" else 0.008
    for cell in CELLS:
        seconds = 6 * (TRUE_REQUESTS / 6 / cell.load * 64 * slow)
        with tempfile.TemporaryDirectory() as directory:
            _, figures, _ = measured(
                world.servers(1_000_003),
                Path(directory),
                cells=[cell],
                limits=Limits(seconds=2 * seconds / 0.7),
                prompts=load_prompts("random", output_tokens=64),
                precision=0.5,
                seed=1_000_003,
            )
        found[cell] = figures[0]
    return found


def numbers(figures: CellFigures) -> Iterator[tuple[str, Figure | None]]:
    """Every figure with bounds, by name."""
    yield from (
        ("S", figures.speedup),
        ("S by clients", figures.client_speedup),
        ("S end to end", figures.end_to_end),
        ("R", figures.inflation),
        ("break-even acceptance", figures.break_even),
    )
    for name, side in (("off", figures.off), ("on", figures.on)):
        if side is not None:
            yield from ((f"{what} {name}", value) for what, value in _side(side, name))


def _side(side: Side, name: str) -> Iterator[tuple[str, Figure | None]]:
    yield "acceptance", side.acceptance
    for position, value in enumerate(side.acceptance_at, start=1):
        yield f"acceptance at {position}", value
    yield "E", side.tokens_per_step if name == "on" else None
    yield "TPOT", side.tpot
    yield "step", side.step
    yield "TTFT", side.ttft
    yield "tokens/s", side.throughput
    for q, tpot, ttft in zip(("P50", "P95", "P99"), side.tpot_quantiles, side.ttft_quantiles, strict=True):
        yield f"TPOT {q}", tpot
        yield f"TTFT {q}", ttft


def holds(measured_: Figure, true: Figure) -> bool | None:
    """Whether the true value lies within the bounds, the truth's own uncertainty added to them; None without bounds."""
    if measured_.lower is None or measured_.upper is None:
        return None
    below = math.hypot(measured_.value - measured_.lower, (true.upper or true.value) - true.value)
    above = math.hypot(measured_.upper - measured_.value, true.value - (true.lower or true.value))
    slack = 1e-9 * abs(true.value)
    return measured_.value - below - slack <= true.value <= measured_.value + above + slack


def exact(true: dict[Cell, CellFigures]) -> list[CellFigures]:
    """The truth with bounds of no width."""
    from dataclasses import replace

    return [
        replace(c, speedup=Figure(value=s.value, lower=s.value, upper=s.value))
        for c in true.values()
        if (s := c.speedup)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600, help="of each measurement, in virtual time")
    parser.add_argument("--precision", type=float, default=0.04)
    parser.add_argument("--worlds", type=int, default=len(WORLDS))
    options = parser.parse_args()
    within: dict[str, list[bool]] = {}
    apart: dict[str, list[float]] = {}
    for world in WORLDS[: options.worlds]:
        begun = time.monotonic()
        true = truth(world)
        expected = verdict(exact(true), BOUNDS)
        right = contrary = open_ = cells = 0
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as directory:
                _, figures, _ = measured(
                    world.servers(1000 * seed + 17),
                    Path(directory),
                    cells=CELLS,
                    limits=Limits(seconds=options.seconds),
                    precision=options.precision,
                    seed=seed,
                )
            right += verdict(figures, BOUNDS).kind is expected.kind
            for each in figures:
                known = dict(numbers(true[each.cell]))
                for name, value in numbers(each):
                    other = known.get(name)
                    if value is not None and other is not None and (held := holds(value, other)) is not None:
                        within.setdefault(name, []).append(held)
                        apart.setdefault(name, []).append(value.value / other.value - 1 if other.value else 0.0)
                pays = true[each.cell].speedup is not None and true[each.cell].speedup.value > BOUNDS.promote  # type: ignore[union-attr] # checked before
                said = judged(each.speedup, BOUNDS)
                cells += 1
                open_ += said is Judged.UNDECIDED
                contrary += said is not Judged.UNDECIDED and (said is Judged.PAYS) != pays
        values = ", ".join(
            f"{c.cell.temperature:g}/{c.cell.load:g}: {c.speedup.value:.3f}" for c in true.values() if c.speedup
        )
        print(
            f"{world.name}: truth {expected.kind.value} (S by T/load {values}); verdict right in {right} of "
            f"{options.seeds}, "
            f"cells decided wrongly {contrary} of {cells}, open {open_}; {time.monotonic() - begun:.0f} s",
            flush=True,
        )
    for name, held in within.items():
        deviation = 100 * sum(apart[name]) / len(apart[name])
        share = 100 * sum(held) / len(held)
        print(f"{name:24} {share:5.1f} % of {len(held)} within their bounds, mean {deviation:+.2f} %")
    every = [h for held in within.values() for h in held]
    print(f"{'all':24} {100 * sum(every) / len(every):5.1f} % of {len(every)}")


if __name__ == "__main__":
    main()

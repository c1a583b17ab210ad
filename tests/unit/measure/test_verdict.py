"""The verdict, by what the grid says."""

import pytest
from tests.support.measured import cell, speedup

from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.figures import CellFigures, Side
from breakeven.measure.grid import Cell
from breakeven.measure.interval import Figure
from breakeven.measure.verdict import Kind, verdict

BOUNDS = Bounds(promote=1.05, leave=0.98)
LOADS = (1, 8, 32)


def rows(*temperatures: tuple[float, tuple[float, ...]]) -> list[CellFigures]:
    return [cell(t, load, speedup(s)) for t, values in temperatures for load, s in zip(LOADS, values, strict=True)]


@pytest.mark.parametrize(
    ("grid", "kind", "words"),
    [
        ([(0.0, (1.5, 1.4, 1.3)), (1.0, (1.3, 1.2, 1.1))], Kind.USE, "Use it: it pays at every load"),
        ([(0.0, (0.9, 0.8, 0.7)), (1.0, (0.8, 0.7, 0.6))], Kind.LEAVE_OFF, "Leave it off"),
        ([(0.0, (1.5, 1.3, 0.8)), (1.0, (1.3, 0.9, 0.7))], Kind.BELOW_LOAD, "Use it only below 4 running requests"),
        ([(0.0, (1.5, 1.4, 1.3)), (1.0, (0.9, 0.8, 0.7))], Kind.UNDER_TEMPERATURE, "up to temperature 0, not at 1"),
        (
            [(0.0, (1.5, 1.4, 0.8)), (1.0, (0.9, 0.8, 0.7))],
            Kind.BELOW_BOTH,
            "only below 18 running requests and up to temperature 0, not at 1",
        ),
        ([(0.0, (1.5, 0.8, 1.3))], Kind.IN_CELLS, "without an order"),
        ([(0.0, (0.9, 0.9, 0.9)), (1.0, (1.3, 1.3, 1.3))], Kind.IN_CELLS, "without an order"),
        ([(0.0, (1.04, 1.04, 1.06))], Kind.UNDECIDED, "Not decided"),
        ([(0.0, (1.01, 1.0, 1.02))], Kind.LEAVE_OFF, "Leave it off"),
    ],
)
def test_the_verdict_is_the_decision_frameworks(
    grid: list[tuple[float, tuple[float, ...]]], kind: Kind, words: str
) -> None:
    made = verdict(rows(*grid), BOUNDS)
    assert made.kind is kind
    assert words in made.headline


def test_every_temperature_has_a_line_with_its_numbers() -> None:
    lines = verdict(rows((0.0, (1.5, 1.3, 0.8)), (1.0, (0.8, 0.7, 0.6))), BOUNDS).lines
    assert lines[0] == (
        "Temperature 0: use it up to 8 at once, S 1.30 [1.28, 1.32], not at 32 at once, S 0.80 [0.78, 0.82]; "
        "it breaks even at about 17."
    )
    assert lines[1] == "Temperature 1: leave it off; S is at most 0.80 [0.78, 0.82] (1 at once)."


def test_without_bounds_nothing_is_decided() -> None:
    made = verdict([cell(0.0, 1, Figure(value=3.0))], BOUNDS)
    assert made.kind is Kind.UNDECIDED


def test_break_even_acceptance_stands_beside_the_fixed_lines_and_their_errors() -> None:
    grid = [cell(0.0, 1, speedup(1.4), acceptance=0.4), cell(0.0, 8, speedup(0.8), acceptance=0.8, inflation=5.0)]
    text = "\n".join(verdict(grid, BOUNDS).lines)
    assert "0.33 at 1 at once, more than 1 (no acceptance is enough) at 8 at once" in text
    assert "0.5, 0.65 and 0.7" in text
    assert "wrongly in 2 of 2 cells" in text


def test_a_mixture_that_homogeneous_runs_confirm_decides_by_prompts() -> None:
    grid = [
        cell(0.0, 8, speedup(1.1), mixed="P99"),
        cell(0.0, 8, speedup(1.5), prompts="code"),
        cell(0.0, 8, speedup(0.8), prompts="chat"),
    ]
    made = verdict(grid, BOUNDS)
    assert made.kind is Kind.FOR_PROMPTS
    assert made.confirmed_mixture is True
    assert made.headline == "Use it only for code; not for chat."
    assert any("code alone (8 at once, temperature 0): S 1.50" in line for line in made.lines)


def test_a_mixture_that_homogeneous_runs_refute_does_not() -> None:
    grid = [
        cell(0.0, 8, speedup(1.3), mixed="P99"),
        cell(0.0, 8, speedup(1.5), prompts="code"),
        cell(0.0, 8, speedup(1.2), prompts="chat"),
    ]
    made = verdict(grid, BOUNDS)
    assert made.kind is Kind.USE
    assert made.confirmed_mixture is False
    assert any("do not confirm" in line for line in made.lines)


def test_a_mixture_that_cannot_be_checked_says_what_to_give() -> None:
    made = verdict([cell(0.0, 8, speedup(1.3), mixed="P99")], BOUNDS)
    assert made.confirmed_mixture is None
    assert any("Give --prompts with a class on each line" in line for line in made.lines)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (
            0.72,
            "Quantization costs 12.0 points of acceptance (temperature 0, 1 at once): 0.60 [0.58, 0.62] against 0.72",
        ),
        (0.72, "more than the 5 points that are acceptable."),
        (0.66, "more than the 5 points that are acceptable, though the bounds overlap that line."),
        (0.63, "within the 5 points that are acceptable."),
    ],
)
def test_quantization_penalty_is_points_of_acceptance_against_five(reference: float, words: str) -> None:
    known = cell(0.0, 1, speedup(1.3))
    other = Side(
        visits=6,
        requests=60,
        seconds=30,
        acceptance=Figure(value=reference, lower=reference - 0.02, upper=reference + 0.02),
    )
    with_reference = CellFigures(cell=known.cell, off=known.off, on=known.on, speedup=known.speedup, reference=other)
    assert any(words in line for line in verdict([with_reference], BOUNDS).lines)


def test_one_server_alone_gets_no_verdict_but_says_what_is_missing() -> None:
    alone = CellFigures(cell=Cell(0.0, 1), off=Side(visits=6, requests=60, seconds=30))
    made = verdict([alone], BOUNDS)
    assert made.kind is Kind.ONE_SIDE
    assert "Give --off and --on" in made.headline

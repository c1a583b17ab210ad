"""Which visit comes next."""

from dataclasses import replace

from tests.support.measured import cell as figures_of
from tests.support.measured import speedup

from breakeven.domain.counters.observation import Totals
from breakeven.measure.grid import Arm, Cell, grid
from breakeven.measure.schedule import LEAST_ROUNDS, MOST_ROUNDS, Turn, Wish, open_turns, rounds_left
from breakeven.measure.visit import Visit

CELLS = grid((0.0, 1.0), (1, 8), ())
WISH = Wish(cells=CELLS, arms=(Arm.OFF, Arm.ON), precision=0.03)


def visit(turn: Turn) -> Visit:
    return Visit(cell=turn.cell, arm=turn.arm, turn=turn.round, seconds=1.0, totals=Totals())


def walked(wish: Wish, count: int) -> list[Turn]:
    """The first so many turns when no cell is ever precise enough."""
    visits: list[Visit] = []
    turns = []
    for _ in range(count):
        turn = open_turns(wish, visits, [])[0]
        turns.append(turn)
        visits.append(visit(turn))
    return turns


def test_a_round_visits_every_cell_on_both_servers_before_the_next_begins() -> None:
    turns = walked(WISH, 16)
    assert {(t.cell, t.arm) for t in turns[:8]} == {(c, a) for c in CELLS for a in (Arm.OFF, Arm.ON)}
    assert {t.round for t in turns[:8]} == {0}
    assert {t.round for t in turns[8:]} == {1}


def test_the_servers_take_turns_and_who_begins_alternates() -> None:
    turns = walked(WISH, 16)
    assert all(a.cell == b.cell and a.arm != b.arm for a, b in zip(turns[::2], turns[1::2], strict=True))
    first = {cell: [t.arm for t in turns[::2] if t.cell == cell] for cell in CELLS}
    begins = [t.arm for t in turns[::2]]
    assert begins.count(Arm.OFF) == begins.count(Arm.ON)
    assert all(len(arms) == 2 for arms in first.values())


def test_a_cell_that_is_precise_enough_drops_out_and_the_others_go_on() -> None:
    visits = [
        Visit(cell=c, arm=a, turn=i, seconds=1.0, totals=Totals())
        for i in range(LEAST_ROUNDS)
        for c in CELLS
        for a in (Arm.OFF, Arm.ON)
    ]
    figures = [figures_of(c.temperature, c.load, speedup(1.2, 0.01 if c.load == 1 else 0.3)) for c in CELLS]
    turns = open_turns(WISH, visits, figures)
    assert {t.cell.load for t in turns} == {8}
    precise = [figures_of(c.temperature, c.load, speedup(1.2, 0.01)) for c in CELLS]
    assert open_turns(WISH, visits, precise) == []


def test_a_cell_that_never_gets_precise_is_left_after_so_many_rounds() -> None:
    one = replace(WISH, cells=CELLS[:1])
    visits = [
        Visit(cell=CELLS[0], arm=a, turn=i, seconds=1.0, totals=Totals())
        for i in range(MOST_ROUNDS)
        for a in (Arm.OFF, Arm.ON)
    ]
    assert open_turns(one, visits, [figures_of(0.0, 1, speedup(1.2, 0.5))]) == []


def test_one_after_the_other_ends_with_the_first_server_before_the_second_begins() -> None:
    wish = replace(WISH, one_after_the_other=True)
    assert {t.arm for t in walked(wish, 12)} == {Arm.OFF}


def test_half_the_width_needs_four_times_the_rounds() -> None:
    one = replace(WISH, cells=(Cell(0.0, 1),))
    visits = [
        Visit(cell=Cell(0.0, 1), arm=a, turn=i, seconds=1.0, totals=Totals())
        for i in range(6)
        for a in (Arm.OFF, Arm.ON)
    ]
    assert rounds_left(one, visits, [figures_of(0.0, 1, speedup(1.0, 0.06))]) == 2 * 18

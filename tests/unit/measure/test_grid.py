"""The grid, and how lists of numbers are read."""

import pytest

from breakeven.measure.grid import Cell, grid, numbers


def test_grid_has_every_temperature_with_every_load_and_rate() -> None:
    cells = grid((0.0, 1.0), (1, 8), (2.5,))
    assert len(cells) == 6
    assert Cell(1.0, 8) in cells
    assert Cell(0.0, 2.5, arrivals=True) in cells


def test_numbers_are_sorted_and_each_is_there_once() -> None:
    assert numbers(" 32,1, 8,1 ", least=1, most=100) == (1, 8, 32)


@pytest.mark.parametrize("text", ["", ",", "1,x", "0,1", "1,1e9", "nan"])
def test_what_is_no_list_of_numbers_in_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must hold numbers|is no list of numbers"):
        numbers(text, least=1, most=100)


def test_a_cell_says_in_words_what_it_is() -> None:
    assert str(Cell(0.4, 8)) == "temperature 0.4, 8 at once"
    assert str(Cell(0.0, 2.5, arrivals=True)) == "temperature 0, 2.5 requests/s"
    assert str(Cell(0.0, 1, prompts="code")) == "temperature 0, 1 at once, code alone"

"""The grid that is measured: temperature by load, and by class of prompt where one class is measured alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

LARGEST_LOAD = 4096.0
"""Requests at once, or a second: one client process cannot keep more going."""
HOTTEST = 2.0
"""Largest temperature that OpenAI's API takes."""


class Arm(StrEnum):
    """Which server."""

    OFF = "off"
    """Without speculation."""
    ON = "on"
    """With speculation."""
    REFERENCE = "reference"
    """With speculation, and an unquantized target: what its acceptance is compared with."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One point of the grid."""

    temperature: float
    load: float
    """Requests kept running at once; requests a second where `arrivals`."""
    arrivals: bool = False
    """Open loop: requests arrive at random at a rate and wait for nobody."""
    prompts: str = ""
    """Class of prompts measured alone. Empty: all of them together."""

    def __str__(self) -> str:
        """The cell in words."""
        load = f"{self.load:g} requests/s" if self.arrivals else f"{self.load:g} at once"
        return f"temperature {self.temperature:g}, {load}" + (f", {self.prompts} alone" if self.prompts else "")


def grid(temperatures: Sequence[float], loads: Sequence[float], rates: Sequence[float]) -> tuple[Cell, ...]:
    """Every temperature with every load, calm ones first."""
    closed = [Cell(temperature, load) for temperature in temperatures for load in loads]
    return (*closed, *(Cell(temperature, rate, arrivals=True) for temperature in temperatures for rate in rates))


def numbers(text: str, *, least: float, most: float) -> tuple[float, ...]:
    """Read a list such as `1,8,32`, in rising order, each once.

    Raises
    ------
    ValueError
        If it is empty, or an entry is no number or out of range.
    """
    try:
        found = {float(part) for part in text.split(",") if part.strip()}
    except ValueError:
        raise ValueError(f"{text!r} is no list of numbers; write for example 1,8,32") from None
    if not found or any(not least <= number <= most for number in found):
        raise ValueError(f"{text!r} must hold numbers from {least:g} to {most:g}")
    return tuple(sorted(found))

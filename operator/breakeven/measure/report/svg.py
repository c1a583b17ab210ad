"""Small pictures as SVG text: axes with round numbers, lines with bounds, bars. Colours are the page's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDE, HALF = (640, 300), (420, 240)
"""Sizes of a picture that has the page's width, and of one beside another."""
LEFT, RIGHT, TOP, BOTTOM = 56, 74, 14, 40
_LINE = 14
"""Least distance of two names, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: a range, its marks, and how a value is put on it."""

    low: float
    high: float
    marks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        scale: Callable[[float], float] = math.log if self.logarithmic else float
        span = scale(self.high) - scale(self.low)
        return (scale(value) - scale(self.low)) / span if span else 0.5


def linear(values: Sequence[float], *, zero: bool = False, marks: int = 5) -> Axis:
    """An axis with round marks around these values."""
    low, high = min(values), max(values)
    low = min(0.0, low) if zero else low
    if high - low < 1e-12:
        high = low + (abs(low) or 1.0) * 0.1
    step = _round_step((high - low) / marks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    found = tuple(round(i * step, 12) for i in range(first, last + 1))
    return Axis(low=found[0], high=found[-1], marks=found)


def logarithmic(values: Sequence[float]) -> Axis:
    """A logarithmic axis with a mark at each of the values."""
    distinct = tuple(sorted(set(values)))
    margin = 1.15
    return Axis(low=distinct[0] / margin, high=distinct[-1] * margin, marks=distinct, logarithmic=True)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))


class Plot:
    """One diagram. Put things into it, then ask for its text."""

    def __init__(
        self,
        x: Axis,
        y: Axis,
        *,
        title: str,
        description: str,
        x_label: str,
        y_label: str,
        size: tuple[int, int] = WIDE,
    ) -> None:
        self._x, self._y = x, y
        self._width, self._height = size
        self._names: list[tuple[float, str, str]] = []
        """Height, name and kind of each curve: placed when all are known, so that none covers another."""
        self._title, self._description = title, description
        self._parts: list[str] = []
        self._axes(x_label, y_label)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the picture; outside values stay at the edge."""
        across, up = (min(1.0, max(0.0, axis.share(v))) for axis, v in ((self._x, x), (self._y, y)))
        return LEFT + across * (self._width - LEFT - RIGHT), self._height - BOTTOM - up * (self._height - TOP - BOTTOM)

    def rule(self, y: float, label: str, kind: str = "rule", place: int = 0) -> None:
        """A horizontal line with a name above it, further right by `place`; left out where it is off the picture."""
        if not self._y.low <= y <= self._y.high:
            return
        _, up = self.at(self._x.low, y)
        self._parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{self._right}" y1="{up:.1f}" y2="{up:.1f}"/>')
        left = LEFT + 6 + 66 * place
        self._parts.append(f'<text class="note" x="{left}" y="{up - 3:.1f}">{escape(label)}</text>')

    def curve(
        self, points: Sequence[tuple[float, float, float | None, float | None]], label: str, kind: str, nudge: float = 0
    ) -> None:
        """A line through (x, y, lower, upper) with bars for the bounds, named at its right end.

        `nudge` moves it sideways, in pixels, so that bars of neighbours do not cover each other.
        """
        places = [(self.at(x, y), low, high, x) for x, y, low, high in points]
        line = " ".join(f"{px + nudge:.1f},{py:.1f}" for (px, py), _, _, _ in places)
        self._parts.append(f'<polyline class="line {kind}" points="{line}"/>')
        for (px, py), low, high, x in places:
            if low is not None and high is not None:
                (_, bottom), (_, top) = self.at(x, low), self.at(x, high)
                across = px + nudge
                self._parts.append(
                    f'<path class="bar {kind}" d="M{across - 4:.1f} {top:.1f}h8M{across:.1f} {top:.1f}'
                    f'V{bottom:.1f}M{across - 4:.1f} {bottom:.1f}h8"/>'
                )
            self._parts.append(f'<circle class="dot {kind}" cx="{px + nudge:.1f}" cy="{py:.1f}" r="3.5"/>')
        (_, py), *_ = places[-1]
        self._names.append((py, label, kind))

    def _named(self) -> str:
        """The names of the curves at the right, moved apart where they would touch."""
        parts, free = [], -float("inf")
        for py, label, kind in sorted(self._names):
            free = max(py + 4, free + _LINE)
            parts.append(f'<text class="name {kind}" x="{self._right + 8}" y="{free:.1f}">{escape(label)}</text>')
        return "".join(parts)

    def steps(self, edges: Sequence[float], counts: Sequence[float], kind: str) -> None:
        """A histogram as a filled outline."""
        points = []
        for (low, high), count in zip(pairwise(edges), counts, strict=True):
            points += [self.at(low, count), self.at(high, count)]
        start, end = self.at(edges[0], 0), self.at(edges[-1], 0)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (start, *points, end))
        self._parts.append(f'<polygon class="area {kind}" points="{line}"/>')

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Names with a sample of each kind, in the upper right."""
        for place, (label, kind) in enumerate(entries):
            top = TOP + 4 + 18 * place
            self._parts.append(f'<rect class="area {kind}" x="{self._right + 6}" y="{top}" width="12" height="12"/>')
            self._parts.append(f'<text class="note" x="{self._right + 23}" y="{top + 10}">{escape(label)}</text>')

    @property
    def _right(self) -> int:
        return self._width - RIGHT

    def text(self) -> str:
        """The picture."""
        return framed(self._title, self._description, "".join(self._parts) + self._named(), self._width, self._height)

    def _axes(self, x_label: str, y_label: str) -> None:
        bottom = self._height - BOTTOM
        for mark in self._y.marks:
            _, up = self.at(self._x.low, mark)
            self._parts.append(f'<line class="grid" x1="{LEFT}" x2="{self._right}" y1="{up:.1f}" y2="{up:.1f}"/>')
            self._parts.append(f'<text class="mark" x="{LEFT - 7}" y="{up + 4:.1f}" text-anchor="end">{mark:g}</text>')
        for mark in self._x.marks:
            across, _ = self.at(mark, self._y.low)
            self._parts.append(
                f'<text class="mark" x="{across:.1f}" y="{bottom + 17}" text-anchor="middle">{mark:g}</text>'
            )
        self._parts.append(f'<line class="axis" x1="{LEFT}" x2="{self._right}" y1="{bottom}" y2="{bottom}"/>')
        middle = (LEFT + self._right) / 2
        self._parts.append(
            f'<text class="note" x="{middle}" y="{self._height - 4}" text-anchor="middle">{escape(x_label)}</text>'
        )
        self._parts.append(
            f'<text class="note" x="{-(TOP + bottom) / 2}" y="13" text-anchor="middle" '
            f'transform="rotate(-90)">{escape(y_label)}</text>'
        )


def framed(title: str, description: str, inside: str, width: float, height: float) -> str:
    """An SVG that a screen reader can announce."""
    return (
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" style="max-width:{1.12 * width:.0f}px" '
        f'aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{inside}</svg>"
    )

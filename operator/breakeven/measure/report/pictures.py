"""The pictures of a report: the map of where it pays, the curves, the histograms."""

import math
from collections.abc import Sequence

from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.figures import CellFigures
from breakeven.measure.interval import Figure
from breakeven.measure.report.svg import HALF, Plot, framed, linear, logarithmic
from breakeven.measure.report.tables import SIGN
from breakeven.measure.verdict import FIXED, judged

BINS = 24
HISTOGRAMS = 4
"""Cells that get a histogram, at most."""
_CELL = (128, 66)
_MARGIN = (96, 46)


def the_map(figures: Sequence[CellFigures], bounds: Bounds, *, arrivals: bool) -> str:
    """Temperature by load, S in each cell; empty where there are no such cells."""
    cells = [c for c in figures if c.cell.arrivals is arrivals and not c.cell.prompts and c.speedup is not None]
    if not cells:
        return ""
    temperatures = sorted({c.cell.temperature for c in cells})
    loads = sorted({c.cell.load for c in cells})
    wide, high = _CELL
    left, bottom = _MARGIN
    parts: list[str] = []
    for c in cells:
        column, row = loads.index(c.cell.load), len(temperatures) - 1 - temperatures.index(c.cell.temperature)
        parts.append(_tile(c, bounds, left + column * wide, row * high))
    for place, load in enumerate(loads):
        y = len(temperatures) * high + 18
        parts.append(
            f'<text class="mark" x="{left + (place + 0.5) * wide}" y="{y}" text-anchor="middle">{load:g}</text>'
        )
    for i, temperature in enumerate(temperatures):
        middle = (len(temperatures) - 0.5 - i) * high + 4
        parts.append(f'<text class="mark" x="{left - 10}" y="{middle}" text-anchor="end">T {temperature:g}</text>')
    unit = "requests a second" if arrivals else "requests at once"
    middle = left + len(loads) * wide / 2
    parts.append(
        f'<text class="note" x="{middle}" y="{len(temperatures) * high + 38}" text-anchor="middle">{unit}</text>'
    )
    said = "; ".join(
        f"{c.cell}: S {c.speedup.value:.2f}, {SIGN[judged(c.speedup, bounds)][2:]}" for c in cells if c.speedup
    )
    return framed(
        f"Where it pays: speed-up by temperature and {unit}",
        said,
        "".join(parts),
        left + len(loads) * wide + 6,
        len(temperatures) * high + bottom,
    )


def _tile(c: CellFigures, bounds: Bounds, x: float, y: float) -> str:
    assert c.speedup is not None, "the caller chose cells with S"
    s, state = c.speedup, judged(c.speedup, bounds)
    depth = 0.12 + min(0.62, abs(math.log(s.value)) * 0.9)
    tone = "pays" if s.value >= 1 else "loses"
    wide, high = _CELL
    middle = x + wide / 2
    span = "no bounds yet" if s.lower is None or s.upper is None else f"{s.lower:.2f} – {s.upper:.2f}"
    return (
        f'<g><rect class="tile {tone}" style="fill-opacity:{depth:.2f}" x="{x + 2}" y="{y + 2}" width="{wide - 4}" '
        f'height="{high - 4}" rx="6"/>'
        f'<text class="big" x="{middle}" y="{y + 27}" text-anchor="middle">{s.value:.2f}</text>'
        f'<text class="small" x="{middle}" y="{y + 43}" text-anchor="middle">{span}</text>'
        f'<text class="small" x="{middle}" y="{y + 57}" text-anchor="middle">{SIGN[state]}</text></g>'
    )


def speedup_curves(figures: Sequence[CellFigures], bounds: Bounds) -> str:
    """S by load, a curve for each temperature; empty with fewer than two loads."""
    cells = _closed(figures)
    cells = [c for c in cells if c.speedup is not None]
    loads = sorted({c.cell.load for c in cells})
    if len(loads) < 2:
        return ""
    values = [v for c in cells if (s := c.speedup) for v in (s.value, s.lower, s.upper) if v is not None and v < 20]
    plot = Plot(
        logarithmic(loads),
        linear([*values, 1.0]),
        title="Speed-up by load",
        description=f"S with bounds for each temperature; pays above {bounds.promote:g}, loses below {bounds.leave:g}.",
        x_label="requests at once",
        y_label="speed-up S",
    )
    plot.rule(1.0, "", "even")
    for place, temperature in enumerate(sorted({c.cell.temperature for c in cells})):
        points = [(c.cell.load, *_triple(c.speedup)) for c in cells if c.cell.temperature == temperature]
        plot.curve(points, f"T {temperature:g}", f"c{place % 6}", nudge=3.0 * (place % 6) - 6)
    return plot.text()


def break_even_curves(figures: Sequence[CellFigures]) -> str:
    """Acceptance that breaks even by load, beside what was measured and the fixed lines."""
    cells = [
        c for c in _closed(figures) if c.break_even is not None and c.on is not None and c.on.acceptance is not None
    ]
    loads = sorted({c.cell.load for c in cells})
    if len(loads) < 2:
        return ""
    needed = {load: [c.break_even.value for c in cells if c.cell.load == load and c.break_even] for load in loads}
    means = [(load, sum(v) / len(v), min(v), max(v)) for load, v in needed.items()]
    highest = min(1.6, max(1.0, *(m for _, m, _, _ in means)))
    plot = Plot(
        logarithmic(loads),
        linear([0.0, highest], zero=True),
        title="Acceptance needed, and acceptance measured",
        description="Break-even acceptance by load (bold) against acceptance by temperature and the fixed lines.",
        x_label="requests at once",
        y_label="accepted / drafted",
    )
    for place, line in enumerate(FIXED):
        plot.rule(line, f"fixed {line:g}", "fixed", place)
    for place, temperature in enumerate(sorted({c.cell.temperature for c in cells})):
        points = [
            (c.cell.load, *_triple(c.on.acceptance if c.on else None))
            for c in cells
            if c.cell.temperature == temperature
        ]
        plot.curve(points, f"T {temperature:g}", f"c{place % 6}", nudge=3.0 * (place % 6) - 6)
    plot.curve([(load, mean, None, None) for load, mean, _, _ in means], "needed", "needed")
    return plot.text()


def histograms(figures: Sequence[CellFigures]) -> list[tuple[str, str]]:
    """TPOT of requests with and without, for the cells that tell most: mixed ones first, then the corners."""
    both = [c for c in figures if c.off is not None and c.on is not None and c.off.tpots and c.on.tpots]
    corners = sorted(both, key=lambda c: (not c.mixed, c.cell.prompts, -abs(_log(c.speedup))))
    return [(str(c.cell), _histogram(c)) for c in corners[:HISTOGRAMS]]


def _histogram(c: CellFigures) -> str:
    assert c.off is not None and c.on is not None, "the caller chose cells with both"
    off, on = ([1000 * t for t in side.tpots] for side in (c.off, c.on))
    pooled = sorted([*off, *on])
    low, high = pooled[0], pooled[min(len(pooled) - 1, math.ceil(0.995 * len(pooled)))]
    axis = linear([low, high])
    width = (axis.high - axis.low) / BINS
    edges = [axis.low + i * width for i in range(BINS + 1)]
    shares = [_shares(values, edges) for values in (off, on)]
    plot = Plot(
        axis,
        linear([0.0, *shares[0], *shares[1]], zero=True, marks=4),
        title=f"Time per output token over requests, {c.cell}",
        description=f"{len(off)} requests without, {len(on)} with speculation; the last bar has all slower ones.",
        x_label="ms per output token, a request",
        y_label="% of requests",
        size=HALF,
    )
    plot.steps(edges, shares[0], "off")
    plot.steps(edges, shares[1], "on")
    plot.legend([("off", "off"), ("on", "on")])
    return plot.text()


def _shares(values: Sequence[float], edges: Sequence[float]) -> list[float]:
    counts = [0] * (len(edges) - 1)
    width = edges[1] - edges[0]
    for value in values:
        counts[min(len(counts) - 1, max(0, math.floor((value - edges[0]) / width)))] += 1
    return [100 * count / len(values) for count in counts]


def _closed(figures: Sequence[CellFigures]) -> list[CellFigures]:
    return [c for c in figures if not c.cell.arrivals and not c.cell.prompts]


def _triple(figure: Figure | None) -> tuple[float, float | None, float | None]:
    assert figure is not None, "callers chose cells with it"
    return figure.value, figure.lower, figure.upper


def _log(figure: Figure | None) -> float:
    return math.log(figure.value) if figure is not None and figure.value > 0 else 0.0

"""The tables of a report as rows of text, for Markdown and HTML alike."""

from collections.abc import Sequence

from breakeven.domain.measures.verdict import Bounds
from breakeven.domain.measures.verdict import Verdict as Judged
from breakeven.measure.figures import CellFigures, Side
from breakeven.measure.interval import Figure
from breakeven.measure.verdict import judged, with_bounds

SIGN = {Judged.PAYS: "▲ pays", Judged.HURTS: "▼ loses", Judged.MARGINAL: "■ no gain", Judged.UNDECIDED: "? open"}
"""What a cell says, by a sign and a word: never by colour alone."""

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Head, and rows."""


def speedups(figures: Sequence[CellFigures], bounds: Bounds) -> Table:
    """One row a cell in which both servers were measured."""
    head: tuple[str, ...] = ("cell", "verdict", "S", "S by clients", "S end to end", "E", "R", "acceptance", "needed")
    rows: list[tuple[str, ...]] = [
        (
            str(c.cell),
            SIGN[judged(c.speedup, bounds)],
            with_bounds(c.speedup),
            with_bounds(c.client_speedup),
            with_bounds(c.end_to_end),
            with_bounds(c.on.tokens_per_step if c.on else None),
            with_bounds(c.inflation),
            with_bounds(c.on.acceptance if c.on else None, 3),
            with_bounds(c.break_even, 3),
        )
        for c in figures
        if c.off is not None and c.on is not None
    ]
    return head, rows


def latencies(figures: Sequence[CellFigures]) -> Table:
    """One row a cell and server."""
    head: tuple[str, ...] = (
        "cell",
        "server",
        "TPOT ms",
        "P50",
        "P95",
        "P99",
        "TTFT ms",
        "P50",
        "P95",
        "P99",
        "requests",
    )
    rows: list[tuple[str, ...]] = [
        (
            str(c.cell),
            name,
            _ms(each.tpot),
            *(_ms(q) for q in each.tpot_quantiles),
            _ms(each.ttft),
            *(_ms(q) for q in each.ttft_quantiles),
            str(each.requests),
        )
        for c, name, each in sides(figures)
    ]
    return head, rows


def throughput(figures: Sequence[CellFigures]) -> Table:
    """One row a cell and server."""
    head: tuple[str, ...] = (
        "cell",
        "server",
        "tokens/s",
        "good requests/s",
        "good",
        "running",
        "waiting",
        "KV use",
        "preempted",
        "prefix hits",
        "failed",
    )
    rows: list[tuple[str, ...]] = [
        (
            str(c.cell),
            name,
            with_bounds(each.throughput, 0),
            with_bounds(each.goodput) if each.goodput else "–",
            f"{each.good.value:.1%}" if each.good else "–",
            _plain(each.running, 1),
            _plain(each.waiting, 1),
            "–" if each.kv_usage is None else f"{each.kv_usage:.1%}",
            _plain(each.preemptions, 0),
            "–" if each.prefix_hits is None else f"{each.prefix_hits:.1%}",
            ", ".join(f"{n} × {what}" for what, n in each.failures.items()) or "0",
        )
        for c, name, each in sides(figures)
    ]
    return head, rows


def acceptances(figures: Sequence[CellFigures]) -> Table:
    """One row a cell in which something was drafted."""
    head: tuple[str, ...] = (
        "cell",
        "server",
        "acceptance",
        "P10",
        "P50",
        "P90",
        "over",
        "by position",
        "drafted a step",
    )
    rows: list[tuple[str, ...]] = [
        (
            str(c.cell),
            name,
            with_bounds(each.acceptance, 3),
            *(with_bounds(q, 3) if q else "–" for q in (each.acceptance_quantiles or (None,) * 3)),
            each.acceptance_over or "–",
            ", ".join(f"{f.value:.2f}" for f in each.acceptance_at) or "–",
            _plain(each.draft_length, 2),
        )
        for c, name, each in sides(figures)
        if each.acceptance is not None
    ]
    return head, rows


def sides(figures: Sequence[CellFigures]) -> list[tuple[CellFigures, str, Side]]:
    """Every server of every cell, with its name."""
    return [
        (c, name, each)
        for c in figures
        for name, each in (("off", c.off), ("on", c.on), ("unquantized", c.reference))
        if each is not None
    ]


def _ms(value: Figure | None) -> str:
    return "–" if value is None else with_bounds(value.scaled(1000), 1 if value.value >= 0.1 else 2)


def _plain(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"

"""What is odd about a measurement: clients and server held against each other, and what got in the way. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from breakeven.domain.counters.scrapes import total
from breakeven.domain.measures.figures import TOO_MANY_TOKENS, emits_too_much
from breakeven.measure.figures import CellFigures, Side
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.interval import Figure
from breakeven.measure.visit import Visit

APART = 0.03
"""Relative difference of client and server that is not worth a word."""
CACHED = 0.5
"""Share of the clients' tokens that the server's counters must have: fewer, and something else answered."""
FOREIGN = 1.5
"""Server's tokens over the clients', from which others use the server too."""
FEWEST = 20
"""Answers from which the two sums are compared: requests cut by the window's ends weigh less then."""
PREFIX_HITS = 0.1
FAILED = 0.01


def remarks(figures: Sequence[CellFigures], visits: Sequence[Visit], left_out: Mapping[Cell, str]) -> list[str]:
    """Everything a reader must know before trusting the figures, the gravest first."""
    return [
        *_elsewhere(visits),
        *_contradicting(visits),
        *(f"Not measured: {cell}: {why}." for cell, why in left_out.items()),
        *_failures(figures),
        *_apart(figures, "TPOT", lambda s: (s.client_tpot, s.tpot), "ms"),
        *_apart_speedup(figures),
        *_levels(figures),
    ]


def _elsewhere(visits: Sequence[Visit]) -> list[str]:
    """Tokens that the clients got and the server did not make, or the other way round."""
    lines = []
    for arm in Arm:
        own = [v for v in visits if v.arm is arm]
        answers = sum(len(v.answers) for v in own)
        got = sum(a.tokens for v in own for a in v.answers)
        made = math.fsum(v.totals.emitted_tokens or 0.0 for v in own)
        if answers < FEWEST or not got:
            continue
        if made < CACHED * got:
            lines.append(
                f"--{arm}: the clients got {got} tokens and the server's counters show {made:.0f}: a cache answers in "
                "front of it, or /metrics is of another server. Its figures mean nothing."
            )
        elif made > FOREIGN * got and made - got > _open_tokens(own):
            lines.append(
                f"--{arm}: the server made {made:.0f} tokens and our clients got {got} of them: others use it too, so "
                "the load is higher than the grid says."
            )
    return lines


def _contradicting(visits: Sequence[Visit]) -> list[str]:
    return [
        f"--{arm}: {TOO_MANY_TOKENS}."
        for arm in Arm
        if (own := [v.totals for v in visits if v.arm is arm]) and emits_too_much(total(own))
    ]


def _open_tokens(visits: Sequence[Visit]) -> float:
    """Tokens of requests that were under way at a window's end: at most one request for each client."""
    longest = max((a.tokens for v in visits for a in v.answers), default=0)
    return math.fsum(longest * max(v.cell.load, v.gauges.running or 0.0) for v in visits)


def _failures(figures: Sequence[CellFigures]) -> list[str]:
    lines = []
    for arm, sides in _by_arm(figures).items():
        failed = sum((Counter(side.failures) for _, side in sides), Counter[str]())
        answered = sum(side.requests for _, side in sides)
        if failed.total() > FAILED * max(1, answered):
            what = ", ".join(f"{count} × {name}" for name, count in failed.most_common(3))
            lines.append(
                f"--{arm}: {failed.total()} requests failed beside {answered} answered ({what}): what failed is not in "
                "the figures, so they flatter it."
            )
    return lines


Pair = tuple[Figure | None, Figure | None]


def _apart(figures: Sequence[CellFigures], name: str, pair: Callable[[Side], Pair], unit: str) -> list[str]:
    lines = []
    for arm, sides in _by_arm(figures).items():
        known = [
            (c, a, b) for c, side in sides if (p := pair(side)) and (a := p[0]) is not None and (b := p[1]) is not None
        ]
        differing = [(c, a, b) for c, a, b in known if _differ(a, b)]
        if differing:
            c, a, b = max(differing, key=lambda each: abs(math.log(each[1].value / each[2].value)))
            lines.append(
                f"--{arm}: clients and server disagree about {name} in {len(differing)} of {len(known)} cells, most at "
                f"{c.cell}: {a.value * 1000:.2f} {unit} by the clients, {b.value * 1000:.2f} {unit} by its counters. "
                "The network, or the client's own processor, is in the clients' figures."
            )
    return lines


def _apart_speedup(figures: Sequence[CellFigures]) -> list[str]:
    known = [
        (c, c.client_speedup, c.speedup) for c in figures if c.client_speedup is not None and c.speedup is not None
    ]
    differing = [(c, a, b) for c, a, b in known if _differ(a, b)]
    if not differing:
        return []
    c, a, b = max(differing, key=lambda each: abs(math.log(each[1].value / each[2].value)))
    return [
        f"Clients and servers disagree about S in {len(differing)} of {len(known)} cells, most at {c.cell}: "
        f"{a.value:.3f} by the clients, {b.value:.3f} by the counters. Verdicts rest on the counters."
    ]


def _differ(a: Figure, b: Figure) -> bool:
    """Beyond both bounds, and by more than is worth a word."""
    if min(a.value, b.value) <= 0 or abs(math.log(a.value / b.value)) < APART:
        return False
    if a.lower is None or a.upper is None or b.lower is None or b.upper is None:
        return False
    return a.lower > b.upper or b.lower > a.upper


def _levels(figures: Sequence[CellFigures]) -> list[str]:
    lines = []
    for arm, sides in _by_arm(figures).items():
        preempted = [(c, s) for c, s in sides if s.preemptions]
        if preempted:
            c, s = max(preempted, key=lambda each: each[1].preemptions or 0)
            lines.append(
                f"--{arm}: requests were preempted for lack of KV cache in {len(preempted)} cells, most at {c.cell} "
                f"({s.preemptions:.0f})."
            )
        queued = [(c, s) for c, s in sides if not c.cell.arrivals and (s.waiting or 0) > max(1, 0.1 * c.cell.load)]
        if queued:
            c, s = queued[-1]
            lines.append(
                f"--{arm}: requests queued at {c.cell}: {s.running or 0:.0f} ran and {s.waiting:.0f} waited "
                "(--max-num-seqs, or KV cache), so its TTFT is a queue's."
            )
        cached = [(c, s) for c, s in sides if (s.prefix_hits or 0) > PREFIX_HITS]
        if cached:
            c, s = max(cached, key=lambda each: each[1].prefix_hits or 0)
            lines.append(
                f"--{arm}: up to {s.prefix_hits:.0%} of the prompt tokens came from the prefix cache ({c.cell}): TTFT "
                "is that of prompts seen before."
            )
    return lines


def _by_arm(figures: Sequence[CellFigures]) -> dict[Arm, list[tuple[CellFigures, Side]]]:
    sides = {
        Arm.OFF: [(c, c.off) for c in figures if c.off is not None],
        Arm.ON: [(c, c.on) for c in figures if c.on is not None],
        Arm.REFERENCE: [(c, c.reference) for c in figures if c.reference is not None],
    }
    return {arm: each for arm, each in sides.items() if each}

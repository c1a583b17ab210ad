"""The verdict: where speculation pays, each line with the number that it rests on. Pure.

The lines are those of the usual decision framework: use it, leave it off, only below so many running requests, only
under a temperature, only for some prompts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from breakeven.domain.measures.verdict import Bounds
from breakeven.domain.measures.verdict import Verdict as Judged
from breakeven.measure.figures import CellFigures
from breakeven.measure.interval import Figure

FIXED = (0.50, 0.65, 0.70)
"""The article's lines for acceptance: off below the first, good above the second, healthy above the third."""
PENALTY = 0.05
"""Acceptance lost to quantization from which the article advises another format: five points."""


class Kind(StrEnum):
    """What the whole grid says."""

    USE = "Use"
    LEAVE_OFF = "LeaveOff"
    BELOW_LOAD = "OnlyBelowLoad"
    UNDER_TEMPERATURE = "OnlyUnderTemperature"
    BELOW_BOTH = "OnlyBelowLoadAndTemperature"
    FOR_PROMPTS = "OnlyForPrompts"
    IN_CELLS = "OnlyInSomeCells"
    UNDECIDED = "Undecided"
    ONE_SIDE = "OneServerOnly"


class Pattern(StrEnum):
    """What one temperature says over its loads."""

    PAYS = "pays"
    NEVER = "never"
    CROSSES = "crosses"
    IRREGULAR = "irregular"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One temperature, for one kind of load and of prompts, calm loads first."""

    temperature: float
    cells: tuple[CellFigures, ...]
    pattern: Pattern
    crossover: float | None = None
    """Load at which S crosses 1, where it does within the grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows from a measurement."""

    kind: Kind
    headline: str
    lines: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    crossover: float | None = None
    """Running requests below which it pays, at every temperature at which it pays at all. None: at every load."""
    confirmed_mixture: bool | None = None
    """Whether homogeneous runs confirmed a mixed workload; None: none was seen, or it could not be checked."""


def judged(speedup: Figure | None, bounds: Bounds) -> Judged:
    """What S with its bounds means, as the operator's own verdict but at 95 %."""
    if speedup is None or speedup.lower is None or speedup.upper is None:
        return Judged.UNDECIDED
    if speedup.lower > bounds.promote:
        return Judged.PAYS
    if speedup.upper < bounds.leave:
        return Judged.HURTS
    return Judged.MARGINAL if speedup.upper < bounds.promote else Judged.UNDECIDED


def verdict(figures: Sequence[CellFigures], bounds: Bounds) -> Verdict:
    """The verdict on all cells."""
    both = [each for each in figures if each.off is not None and each.on is not None]
    if not both:
        headline = "One server was measured: figures, but no speed-up. Give --off and --on for a verdict."
        return Verdict(kind=Kind.ONE_SIDE, headline=headline, lines=tuple(_penalty(figures)))
    rows = _rows([each for each in both if not each.cell.prompts], bounds)
    kind = _kind(rows)
    crossover = min(
        (r.crossover for r in rows if r.crossover is not None and not r.cells[0].cell.arrivals), default=None
    )
    alone = [each for each in both if each.cell.prompts]
    split = _by_class(alone, bounds)
    confirmed = _confirmed(both, split)
    if confirmed:
        kind = Kind.FOR_PROMPTS
    lines = [
        *(_row_line(row, bounds) for row in rows),
        *_prompt_lines(both, split, confirmed),
        *_break_even_lines(both, bounds),
        *_penalty(figures),
        *_undecided(both, bounds),
    ]
    return Verdict(
        kind=kind,
        headline=_headline(kind, rows, crossover, split),
        lines=tuple(lines),
        rows=tuple(rows),
        crossover=crossover,
        confirmed_mixture=confirmed,
    )


def _rows(cells: Sequence[CellFigures], bounds: Bounds) -> list[Row]:
    keys = sorted({(c.cell.arrivals, c.cell.temperature) for c in cells})
    return [_row([c for c in cells if (c.cell.arrivals, c.cell.temperature) == key], key[1], bounds) for key in keys]


def _row(cells: Sequence[CellFigures], temperature: float, bounds: Bounds) -> Row:
    ordered = sorted(cells, key=lambda c: c.cell.load)
    states = [judged(c.speedup, bounds) for c in ordered]
    pays = [i for i, state in enumerate(states) if state is Judged.PAYS]
    not_ = [i for i, state in enumerate(states) if state in (Judged.HURTS, Judged.MARGINAL)]
    crossover = None
    if pays and not not_:
        pattern = Pattern.PAYS
    elif not_ and not pays:
        pattern = Pattern.NEVER
    elif not pays:
        pattern = Pattern.UNKNOWN
    elif max(pays) < min(not_):
        pattern, crossover = Pattern.CROSSES, _crossing(ordered[max(pays)], ordered[min(not_)])
    else:
        pattern = Pattern.IRREGULAR
    return Row(temperature=temperature, cells=tuple(ordered), pattern=pattern, crossover=crossover)


def _crossing(pays: CellFigures, loses: CellFigures) -> float:
    """Load at which S is 1, on a line between the two in logarithms; the busier load where S is above 1 even there."""
    assert pays.speedup is not None and loses.speedup is not None, "both were judged"
    above, below = math.log(pays.speedup.value), math.log(loses.speedup.value)
    share = above / (above - below) if below < 0 else 1.0
    return math.exp(math.log(pays.cell.load) + share * (math.log(loses.cell.load) - math.log(pays.cell.load)))


def _kind(rows: Sequence[Row]) -> Kind:
    known = [row.pattern for row in rows if row.pattern is not Pattern.UNKNOWN]
    if not known:
        return Kind.UNDECIDED
    kinds = set(known)
    if Pattern.IRREGULAR in kinds:
        return Kind.IN_CELLS
    if kinds == {Pattern.PAYS}:
        return Kind.USE
    if kinds == {Pattern.NEVER}:
        return Kind.LEAVE_OFF
    if Pattern.NEVER not in kinds:
        return Kind.BELOW_LOAD
    cool_first = max(i for i, p in enumerate(known) if p is not Pattern.NEVER) < known.index(Pattern.NEVER)
    if not cool_first:
        return Kind.IN_CELLS
    return Kind.BELOW_BOTH if Pattern.CROSSES in kinds else Kind.UNDER_TEMPERATURE


def _headline(kind: Kind, rows: Sequence[Row], crossover: float | None, split: "Split") -> str:
    cools = [row.temperature for row in rows if row.pattern in (Pattern.PAYS, Pattern.CROSSES)]
    hots = [row.temperature for row in rows if row.pattern is Pattern.NEVER]
    below = f"below {crossover:.0f} running requests" if crossover is not None else "at low rates"
    under = f"up to temperature {max(cools):g}, not at {min(hots):g}" if cools and hots else ""
    match kind:
        case Kind.USE:
            return f"Use it: it pays at every load and temperature measured ({_range(rows)})."
        case Kind.LEAVE_OFF:
            return f"Leave it off: it pays nowhere in what was measured ({_range(rows)})."
        case Kind.BELOW_LOAD:
            return f"Use it only {below} ({_range(rows)})."
        case Kind.UNDER_TEMPERATURE:
            return f"Use it only {under} ({_range(rows)})."
        case Kind.BELOW_BOTH:
            return f"Use it only {below} and {under} ({_range(rows)})."
        case Kind.FOR_PROMPTS:
            return f"Use it only for {', '.join(split.pays)}; not for {', '.join(split.loses)}."
        case Kind.IN_CELLS:
            return f"It pays in some cells and not in others, without an order in load or temperature ({_range(rows)})."
        case _:
            return "Not decided: no cell has bounds on one side of the thresholds. Measure longer (--duration)."


def _range(rows: Sequence[Row]) -> str:
    known = [c.speedup.value for row in rows for c in row.cells if c.speedup is not None]
    return f"S {min(known):.2f} to {max(known):.2f}" if known else "no S"


def _row_line(row: Row, bounds: Bounds) -> str:
    where = f"Temperature {row.temperature:g}: "
    states = [judged(c.speedup, bounds) for c in row.cells]
    pays = [c for c, state in zip(row.cells, states, strict=True) if state is Judged.PAYS]
    not_ = [c for c, state in zip(row.cells, states, strict=True) if state in (Judged.HURTS, Judged.MARGINAL)]
    match row.pattern:
        case Pattern.PAYS:
            weakest = min(pays, key=lambda c: c.speedup.value if c.speedup else 0.0)
            return where + f"use it; S is at least {with_bounds(weakest.speedup)} ({_load(weakest)})."
        case Pattern.NEVER:
            best = max(not_, key=lambda c: c.speedup.value if c.speedup else 0.0)
            return where + f"leave it off; S is at most {with_bounds(best.speedup)} ({_load(best)})."
        case Pattern.CROSSES:
            last, first = pays[-1], not_[0]
            return (
                where + f"use it up to {_load(last)}, S {with_bounds(last.speedup)}, not at {_load(first)}, "
                f"S {with_bounds(first.speedup)}; it breaks even at about {row.crossover:.0f}."
            )
        case Pattern.IRREGULAR:
            return (
                where
                + f"it pays at {', '.join(_load(c) for c in pays)} and not at {', '.join(_load(c) for c in not_)}."
            )
        case _:
            return where + "not decided."


def _load(figures: CellFigures) -> str:
    cell = figures.cell
    return f"{cell.load:g} requests/s" if cell.arrivals else f"{cell.load:g} at once"


def with_bounds(figure: Figure | None, digits: int = 2) -> str:
    """A figure as text: `1.62 [1.55, 1.70]`."""
    if figure is None:
        return "unknown"
    if figure.lower is None and figure.upper is None:
        return f"{figure.value:.{digits}f} (no bounds)"
    low = "?" if figure.lower is None else f"{figure.lower:.{digits}f}"
    high = "?" if figure.upper is None else f"{figure.upper:.{digits}f}"
    return f"{figure.value:.{digits}f} [{low}, {high}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Classes of prompts by what their homogeneous runs say."""

    pays: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    measured: tuple[CellFigures, ...] = ()


def _by_class(alone: Sequence[CellFigures], bounds: Bounds) -> Split:
    states: dict[str, list[Judged]] = {}
    for each in alone:
        states.setdefault(each.cell.prompts, []).append(judged(each.speedup, bounds))
    pays = [kind for kind, s in states.items() if Judged.PAYS in s and not {Judged.HURTS, Judged.MARGINAL} & set(s)]
    loses = [kind for kind, s in states.items() if {Judged.HURTS, Judged.MARGINAL} & set(s) and Judged.PAYS not in s]
    return Split(pays=tuple(sorted(pays)), loses=tuple(sorted(loses)), measured=tuple(alone))


def _confirmed(both: Sequence[CellFigures], split: Split) -> bool | None:
    if split.pays and split.loses:
        return True
    decided = {each.cell.prompts for each in split.measured} <= {*split.pays, *split.loses}
    return False if split.measured and decided and any(c.mixed for c in both) else None


def _prompt_lines(both: Sequence[CellFigures], split: Split, confirmed: bool | None) -> list[str]:
    mixed = [each for each in both if each.mixed and not each.cell.prompts]
    lines = []
    if mixed:
        worst = mixed[0]
        assert worst.off is not None and worst.on is not None, "a mixed cell has both"
        p50 = [_ms(s.tpot_quantiles[0]) for s in (worst.off, worst.on)]
        tail = [_ms(s.tpot_quantiles[2 if worst.mixed == "P99" else 1]) for s in (worst.off, worst.on)]
        lines.append(
            f"The workload is mixed ({worst.cell}): P50 of TPOT fell from {p50[0]} to {p50[1]} and {worst.mixed} rose "
            f"from {tail[0]} to {tail[1]}."
        )
        if confirmed is None:
            lines[-1] += (
                " Each class alone is not decided yet: measure longer."
                if split.measured
                else " Give --prompts with a class on each line, and each class is measured alone."
            )
    for each in split.measured:
        lines.append(
            f"{each.cell.prompts} alone ({_load(each)}, temperature {each.cell.temperature:g}): "
            f"S {with_bounds(each.speedup)}, acceptance {with_bounds(each.on.acceptance if each.on else None)}."
        )
    if confirmed is not None and split.measured:
        lines.append(
            "Homogeneous runs confirm the mixture: route these classes apart, or choose by the class that matters."
            if confirmed
            else "Homogeneous runs do not confirm a mixture: every class alone gives the same verdict."
        )
    return lines


def _ms(figure: Figure | None) -> str:
    return "unknown" if figure is None else f"{figure.value * 1000:.1f} ms"


def _break_even_lines(both: Sequence[CellFigures], bounds: Bounds) -> list[str]:
    """What acceptance was needed, by load, beside the fixed lines, and how often these would have erred."""
    known = [c for c in both if c.break_even is not None and c.on is not None and c.on.acceptance is not None]
    if not known:
        return []
    by_load: dict[str, list[float]] = {}
    for c in known:
        by_load.setdefault(_load(c), []).append(c.break_even.value if c.break_even else 0.0)
    needed = ", ".join(f"{_needed(sum(v) / len(v))} at {load}" for load, v in by_load.items())
    lines = [f"Acceptance that breaks even: {needed}. The fixed lines are 0.5, 0.65 and 0.7 whatever the load."]
    decided = [(c, judged(c.speedup, bounds)) for c in known]
    decided = [(c, state) for c, state in decided if state is not Judged.UNDECIDED]
    wrong = [
        c
        for c, state in decided
        if c.on is not None
        and c.on.acceptance is not None
        and (c.on.acceptance.value >= FIXED[0]) != (state is Judged.PAYS)
    ]
    if decided:
        lines.append(
            f"A fixed line at {FIXED[0]:g} would have decided wrongly in {len(wrong)} of {len(decided)} cells."
        )
    return lines


def _needed(ratio: float) -> str:
    if ratio > 1:
        return "more than 1 (no acceptance is enough)"
    return f"{max(0.0, ratio):.2f}"


def _penalty(figures: Sequence[CellFigures]) -> list[str]:
    """Acceptance lost to quantization, where an unquantized reference was measured too."""
    lines = []
    for each in figures:
        if each.reference is None or each.on is None:
            continue
        ours, theirs = each.on.acceptance, each.reference.acceptance
        if ours is None or theirs is None:
            continue
        lost = theirs.value - ours.value
        sure = ours.upper is not None and theirs.lower is not None and theirs.lower - ours.upper > PENALTY
        said = (
            "more than the 5 points that are acceptable"
            if lost > PENALTY
            else "within the 5 points that are acceptable"
        )
        doubt = "" if sure or lost <= PENALTY else ", though the bounds overlap that line"
        lines.append(
            f"Quantization costs {100 * lost:.1f} points of acceptance ({each.cell}): {with_bounds(ours)} against "
            f"{with_bounds(theirs)} unquantized, {said}{doubt}."
        )
    return lines


def _undecided(both: Sequence[CellFigures], bounds: Bounds) -> list[str]:
    open_ = [c for c in both if judged(c.speedup, bounds) is Judged.UNDECIDED]
    if not open_ or len(open_) == len(both):
        return []
    named = "; ".join(f"{c.cell}: S {with_bounds(c.speedup)}" for c in open_[:6])
    more = f" and {len(open_) - 6} more" if len(open_) > 6 else ""
    return [
        f"Not decided: {named}{more}. Run the same command again with a finer --precision and a longer --duration to "
        "go on."
    ]

"""What scrapes of one server, or of two side by side, say: figures, and the speed-up with its bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from breakeven.domain.counters.batches import level
from breakeven.domain.counters.observation import Batch, Gauges, Scrape, Totals
from breakeven.domain.counters.scrapes import increase, restarted
from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift
from breakeven.domain.measures.end_to_end import end_to_end, plain
from breakeven.domain.measures.figures import Estimate, estimate
from breakeven.domain.measures.speedup import speedup
from breakeven.domain.measures.statistics import FEWEST_BATCHES, ONE_SIDED


class NotComparable(Exception):
    """Two scrapes between which nothing can be counted; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One server over one interval."""

    totals: Totals
    gauges: Gauges
    figures: Estimate
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """S = TPOT of the control / TPOT of the server, and what goes with it. None is unknown."""

    value: float | None
    lower: float | None
    """Bound that the true value passes under with probability `probability` at most."""
    upper: float | None
    probability: float
    inflation: float | None
    """R: step time of the server / of the control."""
    break_even: float | None
    """Accepted / drafted tokens at which S would be 1, at this inflation."""
    to_last: float | None
    """The same from request to last token; None: the time to the first token is not counted."""
    to_last_lower: float | None
    to_last_upper: float | None
    why: str
    """Why there is no value, or no bounds; empty when there are both."""
    nodes: Shift = NO_SHIFT
    """What it was corrected by for the nodes of both servers."""


def reading(scrapes: Sequence[Scrape]) -> Reading:
    """Figures from the increases between consecutive scrapes of one server.

    Raises
    ------
    NotComparable
        If there are fewer than two scrapes, or the server restarted between them, or they are in the wrong order.
    """
    if len(scrapes) < 2:
        raise NotComparable("one page alone has only counts since the server's start; a second one is needed")
    for earlier, later in pairwise(scrapes):
        if restarted(earlier.totals, later.totals):
            raise NotComparable(_why_not(earlier, later))
    batches = tuple(
        Batch(
            start=earlier.at,
            end=later.at,
            totals=increase(earlier.totals, later.totals),
            gauges=later.gauges,
            replicas=1,
        )
        for earlier, later in pairwise(scrapes)
    )
    totals = increase(scrapes[0].totals, scrapes[-1].totals)
    return Reading(
        totals=totals,
        gauges=level([s.gauges for s in scrapes[1:]]),
        figures=estimate(totals),
        batches=batches,
    )


def _why_not(earlier: Scrape, later: Scrape) -> str:
    if restarted(later.totals, earlier.totals):
        return "some counters fall and others rise: the server restarted in between, or the pages are of two servers"
    return "counters fall from the first page to the second: they are swapped, or the server restarted in between"


def compare(server: Reading, control: Reading, nodes: Shift = NO_SHIFT) -> Speedup:
    """The speed-up of a server over a control that ran at the same time, as if both had the same node. Never raises."""
    on, off = server.figures, control.figures
    value = nodes.factor * off.tpot / on.tpot if off.tpot is not None and on.tpot else None
    inflation = on.step / (nodes.factor * off.step) if on.step is not None and off.step else None
    drafted, steps = server.totals.drafted, server.totals.steps
    break_even = (inflation - 1) * steps / drafted if inflation is not None and steps and drafted else None
    aligned = _aligned(control.batches, server.batches)
    bounded = speedup(aligned, server.batches) if value is not None else None
    last = end_to_end(aligned, server.batches) if value is not None else None
    bounded, last = (nodes.of(ratio) if ratio is not None else None for ratio in (bounded, last))
    to_last = plain(control.batches, server.batches) if value is not None else None
    if value is None:
        missing, named = (off, "the control") if off.tpot is None else (on, "the server")
        why = f"{named}: {missing.absent.get('tpot', 'no time per output token')}"
    elif bounded is None:
        why = f"bounds need {FEWEST_BATCHES} intervals with traffic; measure running servers, or for longer (--for)"
    else:
        why = ""
    return Speedup(
        value=value,
        lower=bounded.lower() if bounded is not None else None,
        upper=bounded.upper() if bounded is not None else None,
        probability=ONE_SIDED,
        inflation=inflation,
        break_even=break_even,
        to_last=nodes.factor * to_last if to_last is not None else None,
        to_last_lower=last.lower() if last is not None else None,
        to_last_upper=last.upper() if last is not None else None,
        why=why,
        nodes=nodes,
    )


def _aligned(batches: Sequence[Batch], like: Sequence[Batch]) -> list[Batch]:
    """Both servers are scraped in turn, a moment apart: name the intervals alike, so that they pair."""
    if len(batches) != len(like):
        return list(batches)
    return [
        Batch(start=b.start, end=b.end, totals=a.totals, gauges=a.gauges, replicas=1)
        for a, b in zip(batches, like, strict=True)
    ]

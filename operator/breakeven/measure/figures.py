"""What the visits of one cell say: each server's figures, and how the two compare. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from breakeven.domain.counters.observation import Totals
from breakeven.domain.counters.scrapes import total
from breakeven.domain.measures.figures import StepMeaning, step_meaning
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.interval import Figure, Value, mean, over_requests, quotient
from breakeven.measure.visit import Visit

QUANTILES = (0.50, 0.95, 0.99)
SHARES = (0.10, 0.50, 0.90)
"""Quantiles of acceptance: the tenth percentile is the article's, beside the median and its mirror."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What a request must keep to count as good. Seconds; None: not asked for."""

    ttft: float | None = None
    tpot: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self.ttft is not None or self.tpot is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One server in one cell. Times in seconds."""

    visits: int
    requests: int
    seconds: float
    acceptance: Figure | None = None
    """Accepted / drafted."""
    acceptance_at: tuple[Figure, ...] = ()
    """Share of drafts that accepted at least so many tokens, by position."""
    acceptance_quantiles: tuple[Figure | None, ...] = ()
    """P10, P50, P90."""
    acceptance_over: str = ""
    """What those quantiles are over."""
    draft_length: float | None = None
    tokens_per_step: Figure | None = None
    step: Figure | None = None
    tpot: Figure | None = None
    """By the server's counters."""
    ttft: Figure | None = None
    client_tpot: Figure | None = None
    """By the clients, weighted by tokens like the server's."""
    client_ttft: Figure | None = None
    tpot_quantiles: tuple[Figure | None, ...] = (None, None, None)
    """P50, P95, P99 over requests, by the clients."""
    ttft_quantiles: tuple[Figure | None, ...] = (None, None, None)
    throughput: Figure | None = None
    """Output tokens a second."""
    load: float | None = None
    """The same without the first token of each answer: the load by which the operator stores times."""
    goodput: Figure | None = None
    """Requests a second that kept the SLO."""
    good: Figure | None = None
    """Share of requests that kept it."""
    running: float | None = None
    waiting: float | None = None
    kv_usage: float | None = None
    kv_tokens: float | None = None
    preemptions: float | None = None
    prefix_hits: float | None = None
    """Share of prompt tokens that came from the prefix cache."""
    failures: Mapping[str, int] = field(default_factory=dict)
    tpots: tuple[float, ...] = ()
    """Of each request, for the histogram."""
    acceptances: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFigures:
    """One cell. A server that was not measured in it is None."""

    cell: Cell
    off: Side | None = None
    on: Side | None = None
    reference: Side | None = None
    speedup: Figure | None = None
    """S, by the servers' counters."""
    client_speedup: Figure | None = None
    """S, by the clients."""
    end_to_end: Figure | None = None
    """The same with the time to first token in it: latency per output token without over with."""
    inflation: Figure | None = None
    """R: step time with speculation over that without."""
    break_even: Figure | None = None
    """Accepted / drafted at which S would be 1."""
    mixed: str = ""
    """P99 where P50 of TPOT is better and P99 worse, both beyond bounds; P95 where P99 cannot be told; or empty."""


class Figures:
    """Figures of every cell, each worked out anew only when its visits changed."""

    def __init__(self, *, slo: Slo, paired: bool) -> None:
        self._slo, self._paired = slo, paired
        self._known: dict[Cell, tuple[int, CellFigures]] = {}

    def of(self, visits: Sequence[Visit]) -> list[CellFigures]:
        """Figures of every cell that was visited, in the order of the grid. `visits` may only grow between calls."""
        by_cell: dict[Cell, list[Visit]] = {}
        for visit in visits:
            by_cell.setdefault(visit.cell, []).append(visit)
        for cell, own in by_cell.items():
            if self._known.get(cell, (0, None))[0] != len(own):
                self._known[cell] = len(own), cell_figures(cell, own, slo=self._slo, paired=self._paired)
        ordered = sorted(by_cell, key=lambda c: (c.prompts, c.arrivals, c.temperature, c.load))
        return [self._known[cell][1] for cell in ordered]


def cell_figures(cell: Cell, visits: Sequence[Visit], *, slo: Slo, paired: bool) -> CellFigures:
    """Figures of one cell. `paired`: its servers took turns."""
    off, on, reference = ([v for v in visits if v.arm is arm] for arm in (Arm.OFF, Arm.ON, Arm.REFERENCE))
    sides = [side(each, slo) if each else None for each in (off, on, reference)]
    alone = CellFigures(cell=cell, off=sides[0], on=sides[1], reference=sides[2])
    if not off or not on:
        return alone
    inflation = quotient(on, off, _step_seconds, _steps, paired=paired) if _tells_steps(on) else None
    return CellFigures(
        cell=cell,
        off=sides[0],
        on=sides[1],
        reference=sides[2],
        speedup=quotient(off, on, _step_seconds, _decoded, paired=paired) or None,
        client_speedup=quotient(off, on, _client_decode, _client_tokens, paired=paired),
        end_to_end=quotient(off, on, _client_latency, _client_all_tokens, paired=paired),
        inflation=inflation,
        break_even=_break_even(inflation, on),
        mixed=_mixed(sides[0], sides[1]),
    )


def _break_even(inflation: Figure | None, on: Sequence[Visit]) -> Figure | None:
    """(R - 1) / k with the drafted tokens of a step as they were: exact also where some steps draft nothing.

    The bounds take the bounds of both against each other, which matters only where what is drafted varies.
    """
    per_step = mean(on, lambda v: v.totals.drafted, _steps)
    if inflation is None or per_step is None or per_step.value <= 0:
        return None
    fewest, most = per_step.lower or per_step.value, per_step.upper or per_step.value

    def needed(r: float | None, *, high: bool) -> float | None:
        if r is None:
            return None
        return (r - 1) / (fewest if high is (r > 1) else most)

    return Figure(
        value=(inflation.value - 1) / per_step.value,
        lower=needed(inflation.lower, high=False),
        upper=needed(inflation.upper, high=True),
    )


def _mixed(off: Side | None, on: Side | None) -> str:
    if off is None or on is None:
        return ""
    (p50_off, p95_off, p99_off), (p50_on, p95_on, p99_on) = off.tpot_quantiles, on.tpot_quantiles
    if not _below(p50_on, p50_off):
        return ""
    if _below(p99_off, p99_on):
        return "P99"
    unknown = p99_off is None or p99_off.upper is None
    return "P95" if unknown and _below(p95_off, p95_on) else ""


def _below(one: Figure | None, other: Figure | None) -> bool:
    if one is None or other is None or one.upper is None or other.lower is None:
        return False
    return one.upper < other.lower


def side(visits: Sequence[Visit], slo: Slo) -> Side:
    """Figures of one server in one cell."""
    sums = total(v.totals for v in visits)
    answers = [list(v.answers) for v in visits]
    tpots = [[t for a in each if (t := a.tpot) is not None] for each in answers]
    shares, over = _shares(visits)
    steps = _tells_steps(visits)
    return Side(
        visits=len(visits),
        requests=sum(len(each) for each in answers),
        seconds=math.fsum(v.seconds for v in visits),
        acceptance=mean(visits, lambda v: v.totals.accepted, lambda v: v.totals.drafted),
        acceptance_at=_by_position(visits, sums),
        acceptance_quantiles=tuple(over_requests(shares, q) for q in SHARES) if over else (),
        acceptance_over=over,
        draft_length=sums.drafted / sums.drafts if sums.drafted and sums.drafts else None,
        tokens_per_step=mean(visits, _decoded, _steps) if steps else None,
        step=mean(visits, _step_seconds, _steps) if steps else None,
        tpot=mean(visits, _step_seconds, _decoded),
        ttft=mean(visits, lambda v: v.totals.ttft_seconds, lambda v: v.totals.first_tokens),
        client_tpot=mean(visits, _client_decode, _client_tokens),
        client_ttft=mean(visits, lambda v: math.fsum(a.ttft for a in v.answers), lambda v: float(len(v.answers))),
        tpot_quantiles=tuple(over_requests(tpots, q) for q in QUANTILES),
        ttft_quantiles=tuple(over_requests([[a.ttft for a in each] for each in answers], q) for q in QUANTILES),
        throughput=_throughput(visits, sums),
        load=_load(visits),
        goodput=mean(visits, lambda v: _good(v, slo), lambda v: v.seconds) if slo else None,
        good=mean(visits, lambda v: _good(v, slo), lambda v: float(len(v.answers))) if slo else None,
        running=_average([v.gauges.running for v in visits]),
        waiting=_average([v.gauges.waiting for v in visits]),
        kv_usage=max((v.gauges.kv_usage for v in visits if v.gauges.kv_usage is not None), default=None),
        kv_tokens=next((v.kv_tokens for v in visits if v.kv_tokens is not None), None),
        preemptions=sums.preemptions,
        prefix_hits=_prefix_hits(visits),
        failures=dict(sum((Counter(v.failures) for v in visits), Counter())),
        tpots=tuple(t for each in tpots for t in each),
        acceptances=tuple(share for each in shares for share in each),
    )


def _throughput(visits: Sequence[Visit], sums: Totals) -> Figure | None:
    """Output tokens a second. Counters move a step at a time, so a window's ends may cut a step of every request.

    Where steps all last the same, that is all the uncertainty there is.
    """
    made = mean(visits, lambda v: v.totals.emitted_tokens, lambda v: v.seconds)
    running = _average([v.gauges.running for v in visits])
    if made is None or running is None or not sums.decode_tokens or not sums.decode_steps:
        return made
    cut = running * sums.decode_tokens / sums.decode_steps * math.sqrt(len(visits))
    return made.widened(cut / math.fsum(v.seconds for v in visits))


def _load(visits: Sequence[Visit]) -> float | None:
    made = mean(visits, _decoded, lambda v: v.seconds)
    return made.value if made is not None else None


def _tells_steps(visits: Sequence[Visit]) -> bool:
    """Whether the engine counts steps: a release that counts tokens instead cannot tell E and the step time."""
    sums = total(v.totals for v in visits)
    return step_meaning(sums.decode_tokens, sums.decode_steps, sums.accepted) is not StepMeaning.PER_TOKEN


def _shares(visits: Sequence[Visit]) -> tuple[list[list[float]], str]:
    """Acceptance by request where the answers say it, otherwise by part of a visit."""
    by_request = [[a.accepted / a.drafted for a in v.answers if a.drafted and a.accepted is not None] for v in visits]
    if any(by_request):
        return by_request, "requests"
    by_part = [[accepted / drafted for drafted, accepted in v.parts] for v in visits]
    count = sum(len(each) for each in by_part)
    length = math.fsum(v.seconds for v in visits) / count if count else 0.0
    return by_part, f"windows of {length:.1f} s" if count else ""


def _by_position(visits: Sequence[Visit], sums: Totals) -> tuple[Figure, ...]:
    if not sums.drafts or not sums.accepted_at:
        return ()
    found = [mean(visits, _accepted_at(i), lambda v: v.totals.drafts) for i in range(len(sums.accepted_at))]
    return tuple(each for each in found if each is not None)


def _accepted_at(position: int) -> Value:
    return lambda v: v.totals.accepted_at[position] if position < len(v.totals.accepted_at) else None


def _prefix_hits(visits: Sequence[Visit]) -> float | None:
    asked = math.fsum(v.prefix_queries or 0.0 for v in visits)
    return math.fsum(v.prefix_hits or 0.0 for v in visits) / asked if asked else None


def _good(visit: Visit, slo: Slo) -> float:
    """Answers that kept every limit; one of a single token has no TPOT to keep."""
    return float(
        sum(
            (slo.ttft is None or a.ttft <= slo.ttft) and (slo.tpot is None or (a.tpot or 0.0) <= slo.tpot)
            for a in visit.answers
        )
    )


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _steps(visit: Visit) -> float | None:
    return visit.totals.decode_steps


def _step_seconds(visit: Visit) -> float | None:
    return visit.totals.decode_seconds


def _decoded(visit: Visit) -> float | None:
    return visit.totals.decode_tokens


def _client_decode(visit: Visit) -> float | None:
    return math.fsum(a.last - a.first for a in visit.answers)


def _client_tokens(visit: Visit) -> float | None:
    return float(sum(max(0, a.tokens - 1) for a in visit.answers))


def _client_latency(visit: Visit) -> float | None:
    return math.fsum(a.latency for a in visit.answers)


def _client_all_tokens(visit: Visit) -> float | None:
    return float(sum(a.tokens for a in visit.answers))

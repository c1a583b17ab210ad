"""Figures with bounds from visits: ratios of sums, and quantiles over requests.

Bounds are two-sided at 95 %. What a visit gives is one batch; the spread between visits has everything in it that
differs between them: requests, drift of the machine, other traffic (docs/measure.md, "Bounds").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from breakeven.domain.measures.statistics import LogRatio, Ratios, quantile, quotient_apart, quotient_paired, ratio
from breakeven.measure.visit import Visit

ONE_SIDED = 0.025
"""Error rate of either bound: both together hold in 95 % of measurements."""

Value = Callable[[Visit], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. A bound that is None is not known: there are too few visits or requests."""

    value: float
    lower: float | None = None
    upper: float | None = None

    def scaled(self, factor: float) -> "Figure":
        """In another unit."""
        return self.mapped(lambda value: value * factor)

    def mapped(self, rising: Callable[[float], float]) -> "Figure":
        """A rising function of it."""
        return Figure(
            value=rising(self.value),
            lower=None if self.lower is None else rising(self.lower),
            upper=None if self.upper is None else rising(self.upper),
        )

    def widened(self, reach: float) -> "Figure":
        """With an independent uncertainty of so much to either side."""
        return Figure(
            value=self.value,
            lower=None if self.lower is None else self.value - math.hypot(self.value - self.lower, reach),
            upper=None if self.upper is None else self.value + math.hypot(self.upper - self.value, reach),
        )

    @property
    def precision(self) -> float:
        """Half the distance of the bounds, relative to the value; infinite where they are not known."""
        if self.lower is None or self.upper is None or self.value <= 0:
            return math.inf
        return (self.upper - self.lower) / 2 / self.value


def figure(measured: LogRatio | None) -> Figure | None:
    """A ratio with its bounds; None stays None."""
    if measured is None:
        return None
    bounded = replace(measured, probability=ONE_SIDED)
    lower, upper = bounded.lower(), bounded.upper()
    return Figure(value=measured.value, lower=lower, upper=upper if math.isfinite(upper) else None)


def series(visits: Sequence[Visit], over: Value, under: Value) -> Ratios | None:
    """Numerators and denominators by visit; None where one is unknown in any of them."""
    pairs = [(over(visit), under(visit)) for visit in visits]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not pairs or len(known) < len(pairs):
        return None
    return Ratios(tuple(a for a, _ in known), tuple(b for _, b in known))


def mean(visits: Sequence[Visit], over: Value, under: Value) -> Figure | None:
    """Sum over sum. Without bounds where there are fewer than five visits; None where nothing can be told."""
    sums = series(visits, over, under)
    if sums is None:
        return None
    return figure(ratio(sums)) or _plain(sums)


def quotient(off: Sequence[Visit], on: Sequence[Visit], over: Value, under: Value, *, paired: bool) -> Figure | None:
    """Ratio of two such ratios, the first over the second.

    Paired: both were measured in turn, round by round, and what drifts cancels. Otherwise one after the other.
    """
    if paired:
        by_turn = {visit.turn: visit for visit in on}
        both = [(visit, by_turn[visit.turn]) for visit in off if visit.turn in by_turn]
        off, on = [a for a, _ in both], [b for _, b in both]
    first, second = series(off, over, under), series(on, over, under)
    if first is None or second is None:
        return None
    if paired:
        measured = quotient_paired(first, second)
    else:
        a, b = ratio(first), ratio(second)
        measured = quotient_apart(a, b) if a is not None and b is not None else None
    if measured is not None:
        return figure(measured)
    one, other = _plain(first), _plain(second)
    return Figure(value=one.value / other.value) if one is not None and other is not None and other.value > 0 else None


def _plain(sums: Ratios) -> Figure | None:
    under = math.fsum(sums.under)
    return Figure(value=math.fsum(sums.over) / under) if under > 0 else None


def over_requests(groups: Sequence[Sequence[float]], q: float) -> Figure | None:
    """A quantile over requests, grouped by visit, with Woodruff's bounds (JASA 47, 1952).

    The share of requests below the quantile has a standard error, taken from the spread between visits and at least the
    binomial one; the bounds are the quantiles at that share plus and minus it. A bound outside of the data is the
    largest or smallest value where all requests lie on one side of the quantile by chance in 2.5 % of samples at most,
    otherwise None.
    """
    ordered = sorted(value for group in groups for value in group)
    if not ordered:
        return None
    value = _at(ordered, q)
    filled = [group for group in groups if group]
    if len(filled) < 2:
        return Figure(value=value)
    count = len(ordered)
    below = [sum(x <= value for x in group) for group in filled]
    share = sum(below) / count  # more than q where requests tie
    visits = len(filled)
    residuals = [n - share * len(group) for n, group in zip(below, filled, strict=True)]
    between = math.sqrt(math.fsum(r * r for r in residuals) * visits / (visits - 1)) / count
    binomial = math.sqrt(q * (1 - q) / count)
    reach = max(quantile(visits - 1, ONE_SIDED) * between, quantile(count, ONE_SIDED) * binomial)
    low, high = q - reach, q + reach
    return Figure(
        value=value,
        lower=_at(ordered, low) if low * count >= 1 or (1 - q) ** count <= ONE_SIDED else None,
        upper=_at(ordered, high) if high * count <= count - 1 or q**count <= ONE_SIDED else None,
    )


def _at(ordered: Sequence[float], q: float) -> float:
    """Linear between neighbours, as numpy's default."""
    position = min(max(q, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

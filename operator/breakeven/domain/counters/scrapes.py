"""From the series of one scrape to `Scrape`, and from two scrapes to an increase."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from operator import attrgetter

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.assembly import SCALARS, Sum, assembly
from breakeven.domain.counters.observation import Buckets, Gauges, Scrape, Totals
from breakeven.domain.counters.vllm_metrics import Series

_scalars = attrgetter(*SCALARS)


def scrape_of(at: float, values: Mapping[Series, float]) -> Scrape:
    """Assemble one scrape.

    A family that is not there stays None; so does one with a value that is no number, and one that only some of the
    data-parallel ranks have, because half a sum is a wrong number.
    """
    if vllm_metrics.SEVERAL_RANKS in values:
        values = _of_all_ranks(values)
    how, found = assembly(tuple(values)), tuple(values.values())
    known = [_known(sums, found) for sums in how.values]
    positions = tuple(found[place] for place in how.positions)
    totals = Totals(
        **dict(zip(SCALARS, known, strict=False)),
        accepted_at=() if any(map(isnan, positions)) else positions,
        ttft_buckets=_buckets(how.ttft, found),
        tpot_buckets=_buckets(how.tpot, found),
    )
    running, waiting, kv_usage = known[len(SCALARS) :]
    return Scrape(at=at, totals=totals, gauges=Gauges(running=running, waiting=waiting, kv_usage=kv_usage))


def _of_all_ranks(values: Mapping[Series, float]) -> Mapping[Series, float]:
    """The families that as many ranks added to as to the one that most have; series of lazy labels count together."""
    most: dict[str, float] = {}
    for series in values:
        most[series.name] = max(most.get(series.name, 0.0), vllm_metrics.ranks(values, series))
    every = max(most.values(), default=0.0)
    return {s: v for s, v in values.items() if most[s.name] == every}


def _known(sums: Sequence[Sum], values: Sequence[float]) -> float | None:
    """The first of these sums that is a number; half a sum is none."""
    for places in sums:
        value = values[places[0]] if len(places) == 1 else sum(values[place] for place in places)
        if value == value:  # NaN is the one number that differs from itself
            return value
    return None


def _buckets(bounds: Sequence[tuple[float, Sum]], values: Sequence[float]) -> Buckets:
    found = tuple((bound, sum(values[place] for place in places)) for bound, places in bounds)
    return () if any(isnan(count) for _, count in found) else found


def restarted(earlier: Totals, later: Totals) -> bool:
    """Whether the engine started anew in between: some counter fell. All counters of a process start together."""
    for a, b in zip(_scalars(earlier), _scalars(later), strict=True):
        if a is not None and b is not None and b < a:
            return True
    if earlier.accepted_at is later.accepted_at and not (earlier.ttft_buckets or earlier.tpot_buckets):
        return False
    pairs = [*zip(earlier.accepted_at, later.accepted_at, strict=False)]
    for old, new in ((earlier.ttft_buckets, later.ttft_buckets), (earlier.tpot_buckets, later.tpot_buckets)):
        if _bounds(old) == _bounds(new):
            pairs += [(a, b) for (_, a), (_, b) in zip(old, new, strict=True)]
    return any(b < a for a, b in pairs)


def increase(earlier: Totals, later: Totals) -> Totals:
    """What was counted from one scrape to the next; never negative.

    A counter unknown on either side is unknown. When the engine restarted in between, what it counted since its start
    is the increase and what it counted before is lost; callers that cannot have that ask `restarted` first.
    """
    if restarted(earlier, later):
        return later
    both = zip(SCALARS, _scalars(earlier), _scalars(later), strict=True)
    differences = {name: None if a is None or b is None else b - a for name, a, b in both}
    if earlier.v0_emitted is None:  # a V0 engine exports it from its first draft on
        differences["v0_emitted"] = later.v0_emitted
    return Totals(
        **differences,
        accepted_at=_differences(earlier.accepted_at, later.accepted_at),
        ttft_buckets=_bucket_differences(earlier.ttft_buckets, later.ttft_buckets),
        tpot_buckets=_bucket_differences(earlier.tpot_buckets, later.tpot_buckets),
    )


def total(parts: Iterable[Totals]) -> Totals:
    """Add increases up: over replicas, or over batches. What one part does not know, the sum does not know."""
    every = tuple(parts)
    if len(every) == 1:
        return every[0]
    sums = {name: _added(getattr(p, name) for p in every) for name in SCALARS}
    if any(p.drafts_on_v0 for p in every):
        sums["v0_emitted"] = sum(p.v0_emitted or 0.0 for p in every)
    return Totals(
        **sums,
        accepted_at=_added_up([p.accepted_at for p in every]),
        ttft_buckets=_added_buckets([p.ttft_buckets for p in every]),
        tpot_buckets=_added_buckets([p.tpot_buckets for p in every]),
    )


def _differences(earlier: tuple[float, ...], later: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(b - a for a, b in zip(earlier, later, strict=True)) if len(earlier) == len(later) else ()


def _bounds(buckets: Buckets) -> tuple[float, ...]:
    return tuple(bound for bound, _ in buckets)


def _bucket_differences(earlier: Buckets, later: Buckets) -> Buckets:
    if _bounds(earlier) != _bounds(later):
        return ()
    return tuple((bound, b - a) for (bound, a), (_, b) in zip(earlier, later, strict=True))


def _added(values: Iterable[float | None]) -> float | None:
    result = 0.0
    count = 0
    for value in values:
        if value is None:
            return None
        result += value
        count += 1
    return result if count else None


def _added_up(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    if len({len(r) for r in rows}) != 1:
        return ()
    return tuple(sum(column) for column in zip(*rows, strict=True))


def _added_buckets(rows: list[Buckets]) -> Buckets:
    if len({_bounds(r) for r in rows}) != 1:
        return ()
    return tuple((column[0][0], sum(v for _, v in column)) for column in zip(*rows, strict=True))

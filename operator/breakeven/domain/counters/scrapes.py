"""From the series of one scrape to `Scrape`, and from two scrapes to an increase."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from math import isnan
from operator import attrgetter

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Buckets, Gauges, Scrape, Totals
from breakeven.domain.counters.vllm_metrics import Series

SCALARS = tuple(f.name for f in fields(Totals) if f.name not in ("accepted_at", "ttft_buckets", "tpot_buckets"))
"""The counters of `Totals` that are single numbers."""
_scalars = attrgetter(*SCALARS)
_FAILED = frozenset({"abort", "error"})


def scrape_of(at: float, values: Mapping[Series, float]) -> Scrape:
    """Assemble one scrape.

    A family that is not there stays None; so does one with a value that is no number, and one that only some of the
    data-parallel ranks have, because half a sum is a wrong number.
    """
    if vllm_metrics.SEVERAL_RANKS in values:
        values = _of_all_ranks(values)
    v0 = Series(vllm_metrics.V0_ONLY) in values
    step = next((s for s in vllm_metrics.STEP if Series(f"{s}_count") in values), vllm_metrics.STEP[0])
    reasons = [s for s in values if s.name == vllm_metrics.FINISHED and not s.bare]
    totals = Totals(
        generation_tokens=_one(values, vllm_metrics.ANCHOR),
        prompt_tokens=_one(values, "prompt_tokens"),
        first_tokens=_one(values, f"{vllm_metrics.FIRST_TOKEN}_count"),
        ttft_seconds=_one(values, f"{vllm_metrics.FIRST_TOKEN}_sum"),
        steps=_one(values, f"{step}_count"),
        step_seconds=_one(values, f"{step}_sum"),
        finished=_sum(values, [s for s in reasons if s.label not in _FAILED]),
        failed=_sum(values, [s for s in reasons if s.label in _FAILED]),
        finished_tpot_seconds=_one(values, f"{vllm_metrics.REQUEST_TPOT}_sum"),
        finished_tpot_count=_one(values, f"{vllm_metrics.REQUEST_TPOT}_count"),
        preemptions=_one(values, "num_preemptions"),
        prefix_queries=_first(values, vllm_metrics.PREFIX_QUERIES),
        prefix_hits=_first(values, vllm_metrics.PREFIX_HITS),
        drafts=None if v0 else _one(values, "spec_decode_num_drafts"),
        drafted=None if v0 else _one(values, "spec_decode_num_draft_tokens"),
        accepted=None if v0 else _one(values, "spec_decode_num_accepted_tokens"),
        v0_emitted=_one(values, vllm_metrics.V0_ONLY),
        request_tokens=_one(values, f"{vllm_metrics.REQUEST_TOKENS}_sum"),
        request_count=_one(values, f"{vllm_metrics.REQUEST_TOKENS}_count"),
        request_decode_seconds=_one(values, f"{vllm_metrics.REQUEST_DECODE}_sum"),
        accepted_at=() if v0 else _positions(values),
        ttft_buckets=_buckets(values, f"{vllm_metrics.FIRST_TOKEN}_bucket"),
        tpot_buckets=_buckets(values, f"{vllm_metrics.REQUEST_TPOT}_bucket"),
    )
    gauges = Gauges(
        running=_one(values, "num_requests_running"),
        waiting=_one(values, "num_requests_waiting"),
        kv_usage=_first(values, vllm_metrics.KV_USAGE),
    )
    return Scrape(at=at, totals=totals, gauges=gauges)


def _of_all_ranks(values: Mapping[Series, float]) -> Mapping[Series, float]:
    """The families that as many ranks added to as to the one that most have; series of lazy labels count together."""
    most: dict[str, float] = {}
    for series in values:
        most[series.name] = max(most.get(series.name, 0.0), vllm_metrics.ranks(values, series))
    every = max(most.values(), default=0.0)
    return {s: v for s, v in values.items() if most[s.name] == every}


_series = cache(Series)


def _one(values: Mapping[Series, float], name: str) -> float | None:
    value = values.get(_series(name))
    return None if value is None or isnan(value) else value


def _first(values: Mapping[Series, float], names: Iterable[str]) -> float | None:
    """The value under the newest name that is there."""
    return next((v for name in names if (v := _one(values, name)) is not None), None)


def _sum(values: Mapping[Series, float], series: Iterable[Series]) -> float | None:
    found = [values[s] for s in series]
    return None if not found or any(map(isnan, found)) else sum(found)


def _positions(values: Mapping[Series, float]) -> tuple[float, ...]:
    found = {
        int(s.label): value
        for s, value in values.items()
        if s.name == vllm_metrics.PER_POSITION and not s.bare and s.label.isdecimal()
    }
    complete = sorted(found) == list(range(len(found))) and not any(map(isnan, found.values()))
    return tuple(found[i] for i in range(len(found))) if complete else ()


def _buckets(values: Mapping[Series, float], name: str) -> Buckets:
    found: dict[float, float] = {}
    for series, value in values.items():
        if series.name == name:
            try:
                bound = float(series.label)
            except ValueError:
                return ()
            found[bound] = found.get(bound, 0.0) + value
    ordered = tuple(sorted(found.items()))
    if not ordered or ordered[-1][0] != float("inf") or any(isnan(v) for _, v in ordered):
        return ()
    return ordered


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

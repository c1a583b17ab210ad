"""Which series of a page make up each counter. Worked out once for all scrapes that have the same series."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from math import inf

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Totals
from breakeven.domain.counters.vllm_metrics import Series

SCALARS = tuple(f.name for f in fields(Totals) if f.name not in ("accepted_at", "ttft_buckets", "tpot_buckets"))
"""The counters of `Totals` that are single numbers."""
LEVELS = ("running", "waiting", "kv_usage")
"""Those of `Gauges`."""
_FAILED = frozenset({"abort", "error"})
_MOST = 1024
"""Sets of series that are remembered: engines of one release and configuration have the same."""

Sum = tuple[int, ...]
"""Places of series in the order of a scrape, to be added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Where in a scrape each counter is found."""

    values: tuple[tuple[Sum, ...], ...]
    """For each of `SCALARS` and then of `LEVELS` the sums it may be, the first that is known wins; none: absent."""
    positions: Sum
    """Accepted tokens by position, one place each."""
    ttft: tuple[tuple[float, Sum], ...]
    """Bounds of a histogram in ascending order, with what is counted up to each."""
    tpot: tuple[tuple[float, Sum], ...]


@lru_cache(maxsize=_MOST)
def assembly(series: tuple[Series, ...]) -> Assembly:
    """How these series, in this order, are put together."""
    place = {s: n for n, s in enumerate(series)}

    def one(*names: str) -> tuple[Sum, ...]:
        return tuple((place[s],) for name in names if (s := Series(name)) in place)

    def added(places: Sequence[int]) -> tuple[Sum, ...]:
        return (tuple(places),) if places else ()

    v0 = Series(vllm_metrics.V0_ONLY) in place
    step = next((s for s in vllm_metrics.STEP if Series(f"{s}_count") in place), vllm_metrics.STEP[0])
    reasons = [s for s in series if s.name == vllm_metrics.FINISHED and not s.bare]
    found: Mapping[str, tuple[Sum, ...]] = {
        "generation_tokens": one(vllm_metrics.ANCHOR),
        "prompt_tokens": one("prompt_tokens"),
        "first_tokens": one(f"{vllm_metrics.FIRST_TOKEN}_count"),
        "ttft_seconds": one(f"{vllm_metrics.FIRST_TOKEN}_sum"),
        "steps": one(f"{step}_count"),
        "step_seconds": one(f"{step}_sum"),
        "finished": added([place[s] for s in reasons if s.label not in _FAILED]),
        "failed": added([place[s] for s in reasons if s.label in _FAILED]),
        "finished_tpot_seconds": one(f"{vllm_metrics.REQUEST_TPOT}_sum"),
        "finished_tpot_count": one(f"{vllm_metrics.REQUEST_TPOT}_count"),
        "preemptions": one("num_preemptions"),
        "prefix_queries": one(*vllm_metrics.PREFIX_QUERIES),
        "prefix_hits": one(*vllm_metrics.PREFIX_HITS),
        "drafts": () if v0 else one("spec_decode_num_drafts"),
        "drafted": () if v0 else one("spec_decode_num_draft_tokens"),
        "accepted": () if v0 else one("spec_decode_num_accepted_tokens"),
        "v0_emitted": one(vllm_metrics.V0_ONLY),
        "request_tokens": one(f"{vllm_metrics.REQUEST_TOKENS}_sum"),
        "request_count": one(f"{vllm_metrics.REQUEST_TOKENS}_count"),
        "request_decode_seconds": one(f"{vllm_metrics.REQUEST_DECODE}_sum"),
        "running": one("num_requests_running"),
        "waiting": one("num_requests_waiting"),
        "kv_usage": one(*vllm_metrics.KV_USAGE),
    }
    return Assembly(
        values=tuple(found[name] for name in (*SCALARS, *LEVELS)),
        positions=() if v0 else _positions(series, place),
        ttft=_bounds(series, place, f"{vllm_metrics.FIRST_TOKEN}_bucket"),
        tpot=_bounds(series, place, f"{vllm_metrics.REQUEST_TPOT}_bucket"),
    )


def _positions(series: Iterable[Series], place: Mapping[Series, int]) -> Sum:
    """One place for each position from the first on; none when one is missing in between."""
    found = {
        int(s.label): place[s]
        for s in series
        if s.name == vllm_metrics.PER_POSITION and not s.bare and s.label.isdecimal()
    }
    return tuple(found[n] for n in range(len(found))) if sorted(found) == list(range(len(found))) else ()


def _bounds(series: Iterable[Series], place: Mapping[Series, int], name: str) -> tuple[tuple[float, Sum], ...]:
    """The buckets of a histogram; none of them when the last is missing or a bound is no number."""
    found: dict[float, Sum] = {}
    for s in series:
        if s.name == name:
            try:
                bound = float(s.label)
            except ValueError:
                return ()
            found[bound] = (*found.get(bound, ()), place[s])
    ordered = tuple(sorted(found.items()))
    return ordered if ordered and ordered[-1][0] == inf else ()

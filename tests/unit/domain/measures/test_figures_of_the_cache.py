"""Use of the KV cache, hits of the prefix cache and preemptions of both arms; absent where a release counts none."""

from decimal import Decimal

import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series
from breakeven.domain.measures.figures import figures, sums


def arm(hits: float | None, kv: float, preempted: float) -> list[Batch]:
    """Two batches of ten seconds, the second with the fuller cache."""
    totals = Totals(prefix_queries=None if hits is None else 1000.0, prefix_hits=hits, preemptions=preempted)
    return [
        Batch(start=10.0 * i, end=10.0 * i + 10, totals=totals, gauges=Gauges(kv_usage=kv * (1 + i) / 2), replicas=1)
        for i in range(2)
    ]


def test_cache_figures_of_both_arms_stand_side_by_side() -> None:
    off, on = sums(arm(750.0, 0.5, 0.0)), sums(arm(700.0, 0.9, 3.0))
    report = figures(off, on, None, source=None, verdict="", until=None, message="")
    assert (report.kv_usage_off, report.kv_usage_on) == (Decimal("0.500"), Decimal("0.900"))
    assert (report.prefix_hit_rate_off, report.prefix_hit_rate_on) == (Decimal("0.750"), Decimal("0.700"))
    assert (report.preemptions_off, report.preemptions_on) == (0, 6)


def test_a_release_without_a_prefix_counter_has_no_hit_rate() -> None:
    report = figures(None, sums(arm(None, 0.5, 0.0)), None, source=None, verdict="", until=None, message="")
    assert report.prefix_hit_rate_on is None
    assert report.prefix_hit_rate_off is None
    assert report.kv_usage_off is None


@pytest.mark.parametrize(
    ("names", "hits"),
    [
        (("prefix_cache",), 40.0),
        (("gpu_prefix_cache",), 40.0),
        (("prefix_cache", "gpu_prefix_cache"), 40.0),
        ((), None),
    ],
)
def test_the_prefix_counters_are_read_under_either_name_and_never_added_up(
    names: tuple[str, ...], hits: float | None
) -> None:
    values = {Series(f"{name}_{part}"): value for name in names for part, value in (("queries", 100.0), ("hits", 40.0))}
    totals = scrape_of(0.0, values).totals
    assert totals.prefix_hits == hits
    assert totals.prefix_queries == (None if hits is None else 100.0)

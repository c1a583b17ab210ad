"""Tokens per second of a replica say something where requests wait, and nothing where they do not."""

import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.throughput import throughput


def arm(tokens: float | None, *, waiting: float | None, replicas: int = 1) -> list[Batch]:
    return [
        Batch(
            start=60.0 * i,
            end=60.0 * i + 60,
            totals=Totals(generation_tokens=None if tokens is None else tokens * replicas * (1 + 0.01 * (i % 2))),
            gauges=Gauges(running=20.0, waiting=waiting),
            replicas=replicas,
        )
        for i in range(10)
    ]


def test_a_starved_cache_serves_fewer_tokens_however_fast_it_decodes() -> None:
    found = throughput(arm(10_000, waiting=0, replicas=3), arm(7_000, waiting=60))
    assert found is not None
    assert found.value == pytest.approx(0.7)
    assert found.upper() < 0.98


def test_a_replica_without_a_queue_serves_what_comes() -> None:
    assert throughput(arm(10_000, waiting=0), arm(7_000, waiting=1)) is None
    assert throughput(arm(10_000, waiting=None), arm(7_000, waiting=None)) is None


def test_what_is_not_counted_says_nothing() -> None:
    assert throughput(arm(None, waiting=50), arm(7_000, waiting=50)) is None
    assert throughput([], []) is None

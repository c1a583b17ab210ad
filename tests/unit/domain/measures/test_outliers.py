"""One replica that does otherwise than its siblings is named with figures, and nothing is switched for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.api.status import State
from breakeven.domain.counters.observation import Batch, Gauges, Share, Totals
from breakeven.domain.measures.outliers import outliers

Make = Callable[..., Any]


def arm(
    acceptance: list[float],
    *,
    step: list[float] | None = None,
    requests: float = 30.0,
    wobble: float = 0.02,
    missing: int = 0,
) -> list[Batch]:
    """Ten minutes of replicas with so much acceptance each; `missing` are the first batches without the last one."""
    times = step or [0.02] * len(acceptance)
    found = []
    for minute in range(10):
        shares = []
        for i, (share, seconds) in enumerate(zip(acceptance, times, strict=True)):
            noise = 1 + wobble * ((minute + i) % 3 - 1)
            shares.append(Share(f"pod-{i}", requests, 3000.0, 3000.0 * share * noise, 1000.0, 1000.0 * seconds * noise))
        batch = Batch(
            start=60.0 * minute,
            end=60.0 * minute + 60,
            totals=Totals(),
            gauges=Gauges(),
            replicas=len(shares),
            shares=tuple(shares[:-1] if minute < missing else shares),
        )
        found.append(batch)
    return found


def named(batches: list[Batch], **changes: float) -> list[tuple[str, str, bool]]:
    return [(o.replica, o.figure, o.worse) for o in outliers(batches, **{"min_requests": 50, **changes})]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        (arm([0.6, 0.6, 0.58, 0.2]), [("pod-3", "acceptance", True)]),
        (arm([0.6, 0.6, 0.58, 0.9]), [("pod-3", "acceptance", False)]),
        (arm([0.6, 0.0, 0.58]), [("pod-1", "acceptance", True)]),
        (arm([0.6] * 4, step=[0.02, 0.02, 0.03, 0.02]), [("pod-2", "step time", True)]),
        (arm([0.6, 0.6, 0.58, 0.56]), []),  # within what workloads explain
        (arm([0.3, 0.4, 0.5, 0.6, 0.7, 0.8]), []),  # all of them differ
        (arm([0.6, 0.2]), []),  # which of two is the odd one?
        (arm([0.6, 0.6, 0.58, 0.2], requests=4.0), []),  # too few requests
        (arm([0.6, 0.6, 0.58, 0.5], wobble=0.3), []),  # noise of its own
        (arm([0.6, 0.6, 0.58, 0.2], missing=7), []),  # it came lately
    ],
)
def test_the_odd_one_is_named(batches: list[Batch], expected: list[tuple[str, str, bool]]) -> None:
    assert named(batches) == expected


def test_the_figures_are_told() -> None:
    (found,) = outliers(arm([0.6, 0.6, 0.58, 0.2]), min_requests=50)
    assert found.in_words() == (
        "acceptance 0.200 against 0.599, the median of the 3 others, over 300 requests, with x1.00 their request-steps"
    )


def test_one_that_was_found_is_kept_at_a_nearer_distance() -> None:
    batches = arm([0.6, 0.6, 0.6, 0.56])
    assert named(batches) == []
    assert named(batches, nearer=0.6) == [("pod-3", "acceptance", True)]


def drawn(rng: np.random.Generator, requests: float, worst: float) -> list[Batch]:
    """Ten minutes of four replicas whose requests differ; the last one accepts `worst` times as much."""
    found = []
    for minute in range(10):
        shares = []
        for i in range(4):
            count = rng.poisson(requests)
            acceptance = rng.beta(2, 2, count) * (worst if i == 3 else 1.0)
            steps = rng.geometric(1 / 80, count)
            accepted = float(rng.binomial(3 * steps, acceptance).sum())
            seconds = float((steps * 0.02 * rng.normal(1, 0.05, count)).sum())
            total = float(steps.sum())
            shares.append(Share(f"pod-{i}", float(count), 3 * total, accepted, total, seconds))
        start = 60.0 * minute
        batch = Batch(start=start, end=start + 60, totals=Totals(), gauges=Gauges(), replicas=4, shares=tuple(shares))
        found.append(batch)
    return found


def test_drawn_replicas_alike_are_not_named_and_one_with_half_the_acceptance_is() -> None:
    rng = np.random.default_rng(20260105)
    assert not any(named(drawn(rng, 10, 1.0)) for _ in range(300))
    assert sum(named(drawn(rng, 10, 0.5)) == [("pod-3", "acceptance", True)] for _ in range(40)) >= 32


COUNTS = st.none() | st.floats(0, 1e300)


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), min_size=3, max_size=4), max_size=8))
def test_no_counts_make_it_raise(rows: list[list[tuple[Any, ...]]]) -> None:
    batches = [
        Batch(
            start=float(i),
            end=i + 1.0,
            totals=Totals(),
            gauges=Gauges(),
            replicas=len(row),
            shares=tuple(Share(f"pod-{n}", *counts) for n, counts in enumerate(row)),
        )
        for i, row in enumerate(rows)
    ]
    for odd in outliers(batches, min_requests=0):
        assert odd.in_words()


def test_an_odd_replica_is_a_cause_and_no_reason_to_switch(world: Make) -> None:
    w = world(replicas=8)
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    assert w.memory.diagnosis is None
    before, running = list(w.memory.decisions), dict(w.serving)
    w.pods = lambda variant, pod: 0.3 if pod == 2 else 1.0
    w.run(timedelta(hours=1))
    name = next(v.name for v in w.variants.values() if v.speculates)
    assert w.memory.diagnosis.reason == "OutlierReplica"
    assert f"replica {name}-2 is far from its siblings: acceptance" in w.memory.diagnosis.message
    said = next(f for f in w.last.findings if f.type == "Diagnosis")
    assert (said.status, said.reason) == (True, "OutlierReplica")
    assert (w.memory.decisions, w.serving) == (before, running)
    found = w.memory.diagnosis
    w.run(timedelta(hours=1))
    assert w.memory.diagnosis is found, "written once"
    w.pods = lambda variant, pod: 0.3 if pod == 1 else 1.0
    w.run(timedelta(hours=1))
    assert f"replica {name}-1 " in w.memory.diagnosis.message
    w.pods = lambda variant, pod: 1.0
    w.run(timedelta(hours=1))
    assert w.memory.diagnosis is None

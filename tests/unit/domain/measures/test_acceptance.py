"""Acceptance by position and its spread in the evidence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from breakeven.api.status import EvidenceStatus, State
from breakeven.domain.counters.batches import Piece, Replica, combine
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.acceptance import detailed, over_pods, over_windows
from breakeven.domain.measures.figures import sums

Make = Callable[..., Any]


def batches(accepted: list[float], *, positions: bool = True) -> list[Batch]:
    return [
        Batch(
            start=float(i),
            end=i + 1.0,
            totals=Totals(
                drafts=100.0,
                drafted=200.0,
                accepted=value,
                accepted_at=(0.75 * value, 0.25 * value) if positions else (),
            ),
            gauges=Gauges(),
            replicas=1,
        )
        for i, value in enumerate(accepted)
    ]


def test_survival_by_position_and_percentiles_over_batches_are_reported() -> None:
    on = batches([100.0 + 2 * i for i in range(11)])
    report = detailed(EvidenceStatus(), on, sums(on))
    assert [float(share) for share in report.acceptance_at] == [0.825, 0.275]
    assert [float(p) for p in (report.acceptance_p10, report.acceptance_p50, report.acceptance_p90)] == [
        0.51,
        0.55,
        0.59,
    ]


def test_what_cannot_be_told_stays_absent() -> None:
    on = batches([100.0] * 4, positions=False)
    assert detailed(EvidenceStatus(), on, sums(on)) == EvidenceStatus()
    none: list[Batch] = []
    assert detailed(EvidenceStatus(), none, sums(none)) == EvidenceStatus()


def test_a_change_of_spread_alone_is_not_published(world: Make) -> None:
    w = world(draft={"model": "a/draft", "numSpeculativeTokens": 2})
    w.survival = (0.6, 0.4)
    w.until(State.SPECULATING)
    w.run(timedelta(hours=5))
    shown = w.memory.evidence
    assert [float(share) for share in shown.acceptance_at] == [0.6, 0.4]
    assert shown.acceptance_p10 is not None
    w.survival = (0.7, 0.3)
    w.run(timedelta(hours=3))
    assert w.memory.evidence == shown
    assert w.last.evidence.acceptance_at != shown.acceptance_at


def replicas(acceptance: dict[str, float], *, count: int = 20) -> tuple[Batch, ...]:
    """Batches of one minute of an arm whose replicas accept so much of what they draft."""
    return combine(
        [
            Replica(
                name=name,
                ready_since=0.0,
                pieces={
                    n: Piece(totals=Totals(finished=30.0, drafted=200.0, accepted=200.0 * share), gauges=Gauges())
                    for n in range(count)
                },
            )
            for name, share in acceptance.items()
        ],
        length=60,
        warmup=0,
        numbers=range(count),
    )


def test_the_spread_over_pods_is_told_from_three_of_them_on() -> None:
    found = over_pods(replicas({"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8, "e": 1.0}))
    assert found is not None
    assert (found.of, float(found.p10), float(found.p50), float(found.p90)) == (5, 0.28, 0.6, 0.92)
    assert over_pods(replicas({"a": 0.2, "b": 0.4})) is None
    assert over_pods(replicas({"a": 0.2})) is None


def test_a_pod_that_came_lately_is_not_in_the_spread() -> None:
    late = [replace(b, shares=b.shares[:3]) for b in replicas({"a": 0.4, "b": 0.4, "c": 0.4, "d": 0.9})[:12]]
    found = over_pods([*late, *replicas({"a": 0.4, "b": 0.4, "c": 0.4, "d": 0.9})[12:]])
    assert found is not None
    assert (found.of, float(found.p90)) == (3, 0.4)


def test_the_spread_over_windows_counts_complete_ones_only() -> None:
    on = [b for i in range(6) for b in replicas({"a": (4 + i) / 10}, count=60)[10 * i : 10 * i + 10]]
    found = over_windows(on, newest=3600.0, length=600.0, windows=6)
    assert found is not None
    assert (found.of, float(found.p50)) == (6, 0.65)
    fewer = over_windows(on, newest=3600.0, length=600.0, windows=5)
    assert fewer is not None
    assert (fewer.of, float(fewer.p50)) == (5, 0.7)
    assert over_windows(on, newest=3600.0, length=600.0, windows=4) is None


def test_spreads_are_written_twice_after_a_promotion_and_then_with_other_news_only(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    written = []
    for _ in range(8 * 60):
        w.step()
        if not written or w.memory.evidence != written[-1]:
            written.append(w.memory.evidence)
    over = [(e.acceptance_over_pods.of, e.acceptance_over_windows.of) for e in written[-2:]]
    assert over == [(3, 6), (3, 24)]
    said = next(f.message for f in w.last.findings if f.type == "AcceptanceHealthy")
    assert "over 3 pods" in said and "over 24 windows" in said
    w.pods = lambda variant, pod: 1.0 + 0.04 * pod
    w.run(timedelta(hours=5))
    assert w.memory.evidence == written[-1]
    w.speedup = lambda variant: 1.5 if variant.speculates else 1.0
    w.run(timedelta(hours=2))
    assert w.memory.evidence.acceptance_over_pods.p90 > w.memory.evidence.acceptance_over_pods.p10

"""Acceptance by position and its spread in the evidence."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from breakeven.api.status import EvidenceStatus, State
from breakeven.domain.acceptance import detailed
from breakeven.domain.figures import sums
from breakeven.domain.observation import Batch, Gauges, Totals

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
    w.run(timedelta(hours=2))
    shown = w.memory.evidence
    assert [float(share) for share in shown.acceptance_at] == [0.6, 0.4]
    assert shown.acceptance_p10 is not None
    w.survival = (0.7, 0.3)
    w.run(timedelta(hours=3))
    assert w.memory.evidence == shown
    assert w.last.evidence.acceptance_at != shown.acceptance_at

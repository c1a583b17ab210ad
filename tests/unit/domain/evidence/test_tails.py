"""Medians and tails of both arms outside trials: over several windows, with bounds, in the evidence and the cause."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from breakeven.api.status import DiagnosisStatus, EvidenceStatus, Memory, Source, State
from breakeven.api.variant import declared_variant
from breakeven.domain.counters.observation import Arm, Batch, Gauges, Observation, Totals
from breakeven.domain.counters.windows import Span
from breakeven.domain.decision import Declared
from breakeven.domain.diagnosis.causes import mixed_traffic
from breakeven.domain.evidence.judgement import Judged
from breakeven.domain.evidence.tails import recent, side_by_side
from breakeven.domain.measures.figures import sums
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation, situation_at

from ..conftest import START, histogram, spec_of

WINDOWS = 8


def arm(median: float, spread: float, *, seed: int, requests: int = 40, ttft: float = 0.2) -> tuple[Batch, ...]:
    """Minutes of requests with lognormal times; their time to first token has a spread of 0.3."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(10 * WINDOWS):
        times = (median * np.exp(rng.normal(0, spread, requests))).tolist()
        first = (ttft * np.exp(rng.normal(0, 0.3, requests))).tolist()
        totals = Totals(
            finished=float(requests),
            tpot_buckets=histogram(dict.fromkeys(times, 1.0)),
            ttft_buckets=histogram({at / 10: 1.0 for at in first}),
        )
        start = START.timestamp() + 60 * i
        found.append(Batch(start=start, end=start + 60, totals=totals, gauges=Gauges(), replicas=1))
    return tuple(found)


def seen(off: tuple[Batch, ...], on: tuple[Batch, ...], **memory: object) -> tuple[Situation, Judged]:
    """The newest window, judged while speculation serves beside a control."""
    spec = spec_of()
    variant = declared_variant(spec)
    arms = {
        variant.name: Arm(variant=variant.name, batches=on, ready=3, scraped=3),
        variant.baseline.name: Arm(variant=variant.baseline.name, batches=off, ready=1, scraped=1),
    }
    known = Memory.model_validate({"state": State.SPECULATING, "stable": variant} | memory)
    end = START + timedelta(minutes=10 * WINDOWS)
    now = situation_at(Declared(spec=spec, generation=1), known, Observation(arms=arms), end)
    span = Span(end.timestamp() - 600, end.timestamp(), 1)
    found = Judged(
        verdict=Verdict.PAYS,
        source=Source.MEASURED,
        span=span,
        speedup=None,
        on=sums(span.of(on)),
        report=EvidenceStatus(),
        windows=WINDOWS,
        live_control=True,
        off_batches=span.of(off),
        on_batches=span.of(on),
    )
    return now, found


def test_up_to_six_windows_are_taken_together() -> None:
    now, found = seen(arm(0.02, 0.1, seed=1), arm(0.014, 0.1, seed=2))
    assert [len(batches) for batches in recent(now, found)] == [60, 60]
    young = replace(found, windows=2)
    assert [len(batches) for batches in recent(now, young)] == [20, 20]


def test_quantiles_of_both_arms_are_told_with_bounds() -> None:
    told = side_by_side(*seen(arm(0.02, 0.1, seed=1), arm(0.014, 0.1, seed=2)))
    assert told is not None and told.tpot_p50 is not None and told.ttft_p50 is not None
    assert float(told.tpot_p50.off_ms) == pytest.approx(20, rel=0.05)
    assert float(told.tpot_p50.on_ms) == pytest.approx(14, rel=0.05)
    assert told.tpot_p50.lower <= told.tpot_p50.ratio <= told.tpot_p50.upper < 1
    assert float(told.ttft_p50.ratio) == pytest.approx(1, abs=0.05)
    assert told.tpot_p99 is not None and told.ttft_p95 is not None


def test_few_requests_have_a_median_and_no_tail() -> None:
    few = {"requests": 5}
    told = side_by_side(*seen(arm(0.02, 0.1, seed=1, **few), arm(0.014, 0.1, seed=2, **few)))
    assert told is not None
    assert (told.tpot_p50 is not None, told.tpot_p99) == (True, None)
    none = {"requests": 1}
    assert side_by_side(*seen(arm(0.02, 0.1, seed=1, **none), arm(0.014, 0.1, seed=2, **none))) is None


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (arm(0.014, 0.4, seed=2), True),
        (arm(0.014, 0.1, seed=2), False),  # better altogether
        (arm(0.023, 0.4, seed=2), False),  # worse altogether
        (arm(0.019, 0.12, seed=2), False),  # hardly worse: within the 10 % that are allowed
    ],
)
def test_only_a_better_median_with_a_worse_tail_is_mixed(on: tuple[Batch, ...], expected: bool) -> None:
    cause = mixed_traffic(*seen(arm(0.02, 0.1, seed=1), on), held=False)
    assert (cause is not None) == expected
    if cause is not None:
        assert "P50 TPOT x0.7" in cause.message and "P99 TPOT x1." in cause.message
        assert "P50 TTFT x" in cause.message and "P95 TTFT x" in cause.message


def test_equal_arms_are_not_mixed_by_chance() -> None:
    found = [
        mixed_traffic(*seen(arm(0.02, 0.3, seed=2 * i), arm(0.018, 0.3, seed=2 * i + 1)), held=False) for i in range(12)
    ]
    assert found == [None] * 12


PLAIN = arm(0.02, 0.1, seed=1)


def test_it_is_kept_while_no_histogram_is_read_and_given_up_when_one_says_otherwise() -> None:
    told = DiagnosisStatus(reason="MixedTraffic", message="as found", since=START)
    bare = tuple(replace(batch, totals=replace(batch.totals, tpot_buckets=(), ttft_buckets=())) for batch in PLAIN)
    kept = mixed_traffic(*seen(PLAIN, bare, diagnosis=told), held=True)
    assert kept is not None and kept.message == "as found"
    assert mixed_traffic(*seen(PLAIN, bare), held=False) is None
    assert mixed_traffic(*seen(PLAIN, arm(0.014, 0.1, seed=2), diagnosis=told), held=True) is None
    now, found = seen(PLAIN, bare, diagnosis=told)
    assert mixed_traffic(now, replace(found, live_control=False), held=True) is None

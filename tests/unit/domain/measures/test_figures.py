"""The self-check: an engine that observes latency per token instead of per step is found out by its own counters."""

from dataclasses import replace
from typing import Any

import pytest

from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.figures import figures, sums


def arm(*, accepted: float = 60.0, observed: float | None = None) -> tuple[Batch, ...]:
    """Ten minutes of 100 steps with three drafted tokens; `observed`: observations of inter-token latency."""
    tokens = 100.0 + accepted
    totals = Totals(
        generation_tokens=tokens + 10,
        first_tokens=10.0,
        steps=100.0 if observed is None else observed,
        step_seconds=4.0,
        finished=10.0,
        drafts=100.0,
        drafted=300.0,
        accepted=accepted,
    )
    return tuple(
        Batch(start=60.0 * i, end=60.0 * i + 60, totals=totals, gauges=Gauges(), replicas=1) for i in range(10)
    )


def test_per_step_latency_gives_tokens_per_step_and_step_time() -> None:
    found = sums(arm())
    assert not found.counts_per_token
    assert found.tokens_per_step == pytest.approx(1.6)
    assert found.step_seconds == pytest.approx(0.04)
    assert found.tpot == pytest.approx(0.025)


def test_per_token_latency_is_told_by_one_token_an_observation_although_drafts_are_accepted() -> None:
    found = sums(arm(observed=160.0))
    assert found.counts_per_token
    assert found.tokens_per_step == pytest.approx(1.6), "from accepted / drafts"
    assert found.step_seconds is None
    assert found.tpot == pytest.approx(0.025), "stays right"


@pytest.mark.parametrize(("accepted", "observed"), [(5.0, 105.0), (0.0, 100.0)])
def test_next_to_nothing_accepted_tells_nothing_about_the_observations(accepted: float, observed: float) -> None:
    assert not sums(arm(accepted=accepted, observed=observed)).counts_per_token


def test_what_the_self_check_refuses_is_absent_in_the_evidence() -> None:
    off = sums(tuple(replace(b, totals=replace(b.totals, drafts=0.0, drafted=0.0, accepted=0.0)) for b in arm()))
    words: dict[str, Any] = {"source": None, "verdict": "", "until": None, "message": ""}
    right = figures(off, sums(arm()), None, **words)
    wrong = figures(off, sums(arm(observed=160.0)), None, **words)
    assert right.inflation is not None and right.break_even_acceptance is not None
    assert (wrong.inflation, wrong.break_even_acceptance) == (None, None)
    assert wrong.tpot_on_ms == right.tpot_on_ms


def test_a_count_beyond_what_any_engine_can_have_counted_is_unknown() -> None:
    hostile = sums([replace(each, totals=replace(each.totals, finished=1e25)) for each in arm()])
    told = figures(hostile, hostile, None, source=None, verdict="", until=None, message="")
    assert told.requests is None

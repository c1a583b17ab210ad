"""Figures from counters, and the reasons of those that are not there."""

from dataclasses import fields, replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.domain.counters.observation import Gauges, Scrape, Totals
from breakeven.domain.inspection import reading
from breakeven.domain.measures.figures import StepMeaning, estimate, step_meaning, sums
from breakeven.domain.measures.latency import quantile_of

SPECULATING = Totals(
    generation_tokens=1100,
    first_tokens=100,
    ttft_seconds=20,
    steps=400,
    step_seconds=12,
    finished=100,
    finished_tpot_seconds=1.3,
    finished_tpot_count=100,
    drafts=400,
    drafted=1600,
    accepted=620,
    accepted_at=(300, 200, 90, 30),
)

COUNTED = [f.name for f in fields(Totals) if f.name not in ("accepted_at", "ttft_buckets", "tpot_buckets")]


def test_all_figures_of_a_speculating_server() -> None:
    e = estimate(SPECULATING)
    assert e.acceptance == pytest.approx(620 / 1600)
    assert e.survival == (0.75, 0.5, 0.225, 0.075)
    assert e.conditional == pytest.approx((0.75, 2 / 3, 0.45, 1 / 3))
    assert e.draft_length == 4
    assert e.tokens_per_step == 2.5
    assert e.step == pytest.approx(0.030)
    assert e.tpot == pytest.approx(0.012)
    assert e.request_tpot == pytest.approx(0.013)
    assert e.ttft == pytest.approx(0.2)
    assert e.step_meaning is StepMeaning.PER_STEP


def test_without_speculation_its_figures_are_absent_with_the_reason() -> None:
    e = estimate(Totals(generation_tokens=1100, first_tokens=100, steps=1000, step_seconds=10))
    assert (e.acceptance, e.survival, e.tokens_per_step) == (None, (), 1.0)
    assert "speculation is off" in e.absent["acceptance"]
    assert e.step_meaning is StepMeaning.UNKNOWN


def test_an_engine_that_counts_tokens_is_noticed_and_its_steps_are_unknown() -> None:
    per_token = replace(SPECULATING, steps=1000)
    e = estimate(per_token)
    assert e.step_meaning is StepMeaning.PER_TOKEN
    assert (e.step, e.tokens_per_step) == (None, pytest.approx(1 + 620 / 400))
    assert "counts tokens" in e.absent["step"]
    assert e.tpot == pytest.approx(0.012), "time per token stays right"


@pytest.mark.parametrize(
    ("gained", "meaning"),
    [
        (1.0, StepMeaning.PER_STEP),
        (0.6, StepMeaning.PER_STEP),
        (0.4, StepMeaning.PER_TOKEN),
        (0.0, StepMeaning.PER_TOKEN),
    ],
)
def test_inspect_and_the_operator_read_the_same_page_alike(gained: float, meaning: StepMeaning) -> None:
    """`gained`: tokens a step beyond the first, as a share of the accepted ones."""
    steps, accepted = 1000.0, 1200.0
    totals = replace(
        SPECULATING,
        generation_tokens=steps + gained * accepted + 100,
        steps=steps,
        step_seconds=20.0,
        drafts=1000.0,
        drafted=4000.0,
        accepted=accepted,
        accepted_at=(),
    )
    zero = Totals(**dict.fromkeys(COUNTED, 0.0))
    scrapes = [Scrape(at=0.0, totals=zero, gauges=Gauges()), Scrape(at=60.0, totals=totals, gauges=Gauges())]
    inspected = reading(scrapes)
    operator = sums(inspected.batches)
    assert inspected.figures.step_meaning is operator.step_meaning is meaning
    assert (inspected.figures.tokens_per_step, inspected.figures.step) == (
        operator.tokens_per_step,
        operator.step_seconds,
    )
    assert (inspected.figures.tpot, inspected.figures.acceptance) == (operator.tpot, operator.acceptance)


def test_next_to_nothing_accepted_tells_nothing_about_the_observations() -> None:
    assert step_meaning(1000.0, 1000.0, 90.0) is StepMeaning.UNKNOWN


def test_no_traffic_is_absent_and_not_zero() -> None:
    e = estimate(Totals(generation_tokens=0, first_tokens=0, steps=0, step_seconds=0, drafted=0, accepted=0, drafts=0))
    assert (e.acceptance, e.tpot, e.step) == (None, None, None)
    assert e.absent["acceptance"] == "nothing was drafted"


def test_every_absent_figure_has_a_reason() -> None:
    e = estimate(Totals())
    for name in ("acceptance", "draft_length", "tokens_per_step", "step", "tpot", "request_tpot", "ttft", "ttft_p95"):
        assert getattr(e, name) is None
        assert e.absent[name]


def test_a_quantile_is_read_from_fine_buckets_only() -> None:
    fine = (*((0.010 * 1.18**i, float(10 * i)) for i in range(11)), (inf, 100.0))
    value, why = quantile_of(fine, 0.5)
    assert why == ""
    assert value == pytest.approx(0.010 * 1.18**5, rel=1e-6)
    coarse = ((0.01, 0.0), (0.025, 100.0), (inf, 100.0))
    assert quantile_of(coarse, 0.5) == (
        None,
        "its bucket reaches from 0.01 to 0.025 s, too wide to read 0.0175 s from it",
    )
    assert quantile_of(((0.01, 5.0), (inf, 100.0)), 0.99)[0] is None
    assert quantile_of((), 0.5)[0] is None
    assert quantile_of(((1.0, 0.0), (inf, 0.0)), 0.5) == (None, "nothing was observed")


counts = st.one_of(st.none(), st.floats(0, 1e9))


@settings(max_examples=200)
@given(
    st.builds(
        Totals,
        generation_tokens=counts,
        first_tokens=counts,
        ttft_seconds=counts,
        steps=counts,
        step_seconds=counts,
        finished_tpot_seconds=counts,
        finished_tpot_count=counts,
        drafts=counts,
        drafted=counts,
        accepted=counts,
        accepted_at=st.lists(st.floats(0, 1e6), max_size=5).map(tuple),
        ttft_buckets=st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(
            lambda v: tuple(zip((0.1, 0.2, inf), sorted(v), strict=True))
        ),
    )
)
def test_no_counts_make_it_raise_or_leave_a_gap_unexplained(totals: Totals) -> None:
    e = estimate(totals)
    for name in ("acceptance", "tokens_per_step", "step", "tpot", "request_tpot", "ttft", "ttft_p50", "ttft_p95"):
        assert (getattr(e, name) is None) == (name in e.absent)


def test_more_tokens_than_steps_and_drafts_explain_are_noticed_and_give_no_figure() -> None:
    """Another engine's page, a counter counted twice, draft counters cut away: E above 1 needs drafts."""
    plain = Totals(generation_tokens=1100, first_tokens=100, steps=1000, step_seconds=10.0)
    assert estimate(plain).tokens_per_step == 1.0
    for accepted, explained in ((None, False), (0.0, False), (300.0, False), (1000.0, True)):
        found = estimate(replace(plain, generation_tokens=2100, accepted=accepted, drafted=accepted))
        assert (found.tokens_per_step is not None) == explained
        if not explained:
            assert (found.step, found.tpot) == (None, None)
            assert "more tokens than steps" in found.absent["tpot"]


def test_a_v0_engine_that_speculates_is_measured_by_its_finished_requests() -> None:
    v0 = Totals(
        generation_tokens=510,
        first_tokens=10,
        steps=500,
        step_seconds=10.0,
        v0_emitted=1000,
        request_tokens=1010,
        request_count=10,
        request_decode_seconds=10.0,
    )
    found = estimate(v0)
    assert (found.tpot, found.step, found.tokens_per_step) == (0.010, 0.020, 2.0)
    assert "running totals" in found.absent["acceptance"]
    old = estimate(replace(v0, request_decode_seconds=None))
    assert (old.tpot, old.tokens_per_step) == (None, None)
    assert "counts one token a step" in old.absent["tpot"]

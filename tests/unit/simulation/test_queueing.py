"""A finite KV cache: requests wait for room, are preempted, and come out with the tokens that they asked for."""

import math

import numpy as np
import pytest

from breakeven.api.objective import ObjectiveSpec
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series
from breakeven.lab.engine.buckets import TIME_TO_FIRST_TOKEN
from breakeven.render.buckets import TIME_TO_FIRST_TOKEN_S
from breakeven.simulation.engine import SimulatedEngine, rendered
from breakeven.simulation.queueing import QueueingEngine, Tally
from breakeven.simulation.run import scraping_of, world
from breakeven.simulation.scenario import Cache, load_shipped
from breakeven.simulation.scraping import arriving

STEP_S = 0.02


def served(cache: Cache, *, requests: int, tokens: float = 200, pages: int = 40, on: bool = False) -> list[dict]:
    engine = QueueingEngine(cache, Tally(), speculating=on, k=3, slope=0.0)
    lengths = np.full(requests, tokens)
    engine.admit(arriving(lengths, lengths / 2.2, start=0.0, step=STEP_S, drafted=3 if on else 0, k=3))
    return [engine.page(15.0 * turn, per_token=False) for turn in range(1, pages + 1)]


def level(pages: list[dict], name: str) -> list[float]:
    return [page[Series(name)] for page in pages]


def test_with_room_for_all_nothing_waits_and_the_pace_is_that_of_the_step() -> None:
    pages = served(Cache(tokens=1e6), requests=60)
    assert max(level(pages, "num_requests_waiting")) == 0
    assert pages[-1][Series("num_preemptions")] == 0
    totals = scrape_of(600.0, pages[-1]).totals
    assert totals.finished == 60
    assert totals.step_seconds is not None
    assert totals.step_seconds / totals.generation_tokens == pytest.approx(STEP_S, rel=0.02)
    assert totals.ttft_seconds / 60 == pytest.approx(8 * STEP_S, rel=0.05)


def test_a_cache_that_is_too_small_makes_requests_wait_and_preempts_them() -> None:
    pages = served(Cache(tokens=800), requests=60)
    assert max(level(pages, "num_requests_waiting")) > 20
    assert pages[-1][Series("num_preemptions")] > 0
    totals = scrape_of(600.0, pages[-1]).totals
    assert totals.finished == 60
    assert totals.generation_tokens == pytest.approx(60 * 201, rel=1e-3)
    assert totals.ttft_seconds / 60 > 10


def test_where_room_is_kept_for_all_of_a_request_it_waits_and_is_never_preempted() -> None:
    pages = served(Cache(tokens=800, preempts=False), requests=60)
    assert max(level(pages, "num_requests_waiting")) > 20
    assert pages[-1][Series("num_preemptions")] == 0
    assert max(level(pages, "num_requests_running")) == 1


def test_the_draft_takes_its_share_of_the_cache() -> None:
    cache = Cache(tokens=1000, draft_share=0.5, preempts=False)
    off, on = (max(level(served(cache, requests=60, on=which), "num_requests_running")) for which in (False, True))
    assert (off, on) == (2, 1)


def test_one_request_that_is_too_long_for_the_cache_is_served_all_the_same() -> None:
    pages = served(Cache(tokens=400), requests=1, tokens=500)
    assert scrape_of(600.0, pages[-1]).totals.finished == 1


def test_requests_beyond_the_most_that_run_wait() -> None:
    pages = served(Cache(tokens=1e6, most_running=2), requests=60)
    assert max(level(pages, "num_requests_running")) == 2


def test_the_tally_counts_who_was_served_within_bounds() -> None:
    tally = Tally()
    engine = QueueingEngine(Cache(tokens=800), tally, speculating=False, k=3, slope=0.0)
    lengths = np.full(60, 200.0)
    engine.admit(arriving(lengths, lengths, start=0.0, step=STEP_S, drafted=0, k=3))
    for turn in range(1, 41):
        engine.page(15.0 * turn, per_token=False)
    assert tally.finished == 60
    assert tally.goodput is not None
    assert 0 < tally.goodput < 0.5
    assert Tally().goodput is None


def test_rendered_bounds_read_what_the_bounds_of_the_engine_cannot() -> None:
    usual = rendered(ObjectiveSpec())
    assert usual.first_token == TIME_TO_FIRST_TOKEN_S
    lengths = np.full(10, 100.0)
    for bounds, expected in ((usual, TIME_TO_FIRST_TOKEN_S), (None, TIME_TO_FIRST_TOKEN)):
        engine = SimulatedEngine(speculating=False, k=3, bounds=bounds)
        engine.admit(arriving(lengths, lengths, start=0.0, step=STEP_S, drafted=0, k=3))
        buckets = scrape_of(300.0, engine.page(300.0, per_token=False)).totals.ttft_buckets
        assert [bound for bound, _ in buckets] == [*expected, math.inf]


def test_a_scenario_says_which_engine_it_has() -> None:
    plain = scraping_of(world(load_shipped("spike").model_copy(update={"days": 0.01}), 1, exact=True))
    starved = scraping_of(world(load_shipped("starved-cache").model_copy(update={"days": 0.01}), 1, exact=True))
    assert not isinstance(plain._engine(speculating=True, k=3), QueueingEngine)
    assert isinstance(starved._engine(speculating=True, k=3), QueueingEngine)

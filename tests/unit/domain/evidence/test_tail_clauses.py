"""Tails act by evidence: awaited in a trial, asked again while speculation serves, and said where they are not read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.conditions import ConditionType
from breakeven.api.status import Source, State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, Reason, StayReason
from breakeven.domain.decision import Declared
from breakeven.domain.evidence.judge import judge
from breakeven.domain.evidence.judgement import Judged
from breakeven.domain.evidence.tail_clauses import weighed
from breakeven.domain.situation import situation_at

from ..conftest import World

Make = Callable[..., World]
HOUR = timedelta(hours=1)
NARROW = {0.0208: 0.5, 0.0212: 0.5}
LONG = {0.015: 0.6, 0.028: 0.4}
VLLM = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


def by_variant(on: Any, off: Any) -> Callable[[Variant], Any]:
    return lambda variant: on if variant.speculates else off


def reasons(world: World, action: Action) -> list[str]:
    return [reason for done, reason in world.news if done == action]


@pytest.mark.parametrize("rate", [0.4, 1.0, 4.0])
def test_the_same_tail_is_refused_at_every_rate_that_shows_it_in_time(world: Make, rate: float) -> None:
    w = world(evidence={"minRequests": 20, "minDraftTokens": 100})
    w.requests_per_second = rate
    w.latencies = by_variant(LONG, NARROW)
    w.until(State.COOLDOWN, timedelta(hours=7))
    assert reasons(w, Action.PROMOTE) == []
    assert reasons(w, Action.END_TRIAL) == [Reason.LATENCY_REGRESSION]


def test_a_promotion_waits_for_a_percentile_that_comes_in_time_and_says_so(world: Make) -> None:
    w = world(evidence={"minRequests": 20, "minDraftTokens": 100})
    w.requests_per_second = 0.4
    w.latencies = by_variant(NARROW, NARROW)
    w.until(State.TRIAL)
    w.run(timedelta(minutes=50))
    assert w.last.stay is not None and w.last.stay.reason == StayReason.TAILS_AWAITED
    assert "P99 TPOT takes 500 requests an arm" in w.last.stay.message
    w.until(State.SPECULATING, timedelta(hours=3))


def test_it_does_not_wait_for_what_will_not_come(world: Make) -> None:
    w = world(evidence={"minRequests": 5, "minDraftTokens": 100, "trialTimeout": "1h"})
    w.requests_per_second = 0.1
    w.latencies = by_variant(NARROW, NARROW)
    assert w.until(State.SPECULATING) < timedelta(hours=1)


def test_a_tail_that_grows_after_the_promotion_switches_off(world: Make) -> None:
    w = world()
    w.latencies = by_variant(NARROW, NARROW)
    w.until(State.SPECULATING)
    w.run(HOUR)
    w.latencies = by_variant(LONG, NARROW)
    w.until(State.COOLDOWN)
    assert reasons(w, Action.DISABLE) == [Reason.LATENCY_REGRESSION]
    (left, *_) = [r for d in w.decisions for r in d.news if r.action == Action.DISABLE]
    assert "P99 TPOT" in left.message and "maxP99TPOTRegressionPercent" in left.message


def test_equal_tails_leave_it_alone(world: Make) -> None:
    w = world()
    w.latencies = by_variant(NARROW, NARROW)
    w.until(State.SPECULATING)
    w.run(timedelta(hours=5))
    assert reasons(w, Action.DISABLE) == []


def test_a_first_token_stands_in_the_way_only_where_it_is_a_part_of_the_whole(world: Make) -> None:
    """P95 TTFT is 1.5 times as long in both worlds: 60 ms of a request of 4 s, and 1.2 s of one of 6 s."""
    for first, expected in ((0.02, []), (0.08, [Reason.LATENCY_REGRESSION])):
        w = world()
        w.bounds = tuple(0.005 * 1.2**i for i in range(50))
        w.speedup = by_variant(2.0, 1.0)
        scale = 4 if first < 0.05 else 30
        w.first_token = by_variant(1.5 * first * scale, first * scale)
        w.first_tokens = by_variant({1.5 * first * scale: 1.0}, {first * scale: 1.0})
        w.run(2 * HOUR)
        assert reasons(w, Action.END_TRIAL)[:1] == expected
        assert bool(reasons(w, Action.PROMOTE)) is not bool(expected)


@pytest.mark.parametrize("kind", ["Throughput", "Goodput"])
def test_other_objectives_have_no_clause_about_tails(world: Make, kind: str) -> None:
    bounds = {"ttft": {"quantile": "0.9", "seconds": "9"}} if kind == "Goodput" else {}
    w = world(objective={"kind": kind, **bounds})
    w.latencies = by_variant(LONG, NARROW)
    w.until(State.SPECULATING)


def test_wide_buckets_tell_what_they_can_and_a_condition_says_what_they_cannot(world: Make) -> None:
    """Between 10 and 25 ms without, above 50 ms with: that is read although no percentile is."""
    w = world()
    w.bounds, w.latencies = VLLM, by_variant({0.012: 0.9, 0.06: 0.1}, {0.02: 1.0})
    w.run(2 * HOUR)
    assert set(reasons(w, Action.END_TRIAL)) == {Reason.LATENCY_REGRESSION}
    v = world()
    v.bounds, v.latencies = VLLM, by_variant({0.012: 0.9, 0.03: 0.1}, {0.02: 1.0})
    v.until(State.SPECULATING)
    (found,) = [f for f in v.last.findings if f.type == ConditionType.OBJECTIVE_READABLE]
    assert (found.status, found.reason) == (False, Reason.BUCKETS_TOO_WIDE)
    assert "vLLM 0.32.0" in found.message and "spec.engine.image" in found.message


def test_an_engine_whose_every_request_is_in_the_first_bucket_is_not_held_up(world: Make) -> None:
    w = world()
    w.bounds, w.latencies = VLLM, by_variant({0.004: 1.0}, {0.006: 1.0})
    assert w.until(State.SPECULATING) < 2 * HOUR


def test_the_condition_goes_when_nothing_speculates(world: Make) -> None:
    w = world(policy={"mode": "AlwaysOff"})
    w.step()
    (found,) = [f for f in w.last.findings if f.type == ConditionType.OBJECTIVE_READABLE]
    assert (found.status, found.reason) == (True, Reason.READABLE)


def test_where_variants_take_turns_the_burst_after_a_switch_is_no_tail(world: Make) -> None:
    w = world(evidence={"minRequests": 20, "minDraftTokens": 100})
    w.requests_per_second = 4.0
    w.latencies = by_variant(NARROW, NARROW)
    w.until(State.TRIAL)
    w.run(timedelta(minutes=25))
    situation = situation_at(Declared(spec=w.spec, generation=w.generation), w.memory, w.observation(), w.now)
    found = judge(situation)
    assert isinstance(found, Judged)
    beside = weighed(situation, found).report.message
    turns = weighed(situation, replace(found, source=Source.ALTERNATING)).report.message
    assert "P95 TTFT not judged: each switch" in turns and "each switch" not in beside

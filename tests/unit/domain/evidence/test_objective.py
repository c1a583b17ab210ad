"""What a span says by spec.objective: the last token, tokens per second, or bounds of latency, and the fallbacks."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.conditions import ConditionType
from breakeven.api.evidence import JudgedBy
from breakeven.api.spec import ObjectiveSpec
from breakeven.api.status import State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, Reason

from ..conftest import World

Make = Callable[..., World]
HOUR = timedelta(hours=1)
GOODPUT = {"kind": "Goodput", "tpot": {"quantile": "0.99", "seconds": "0.023"}}
SLOW_TAIL = {0.017: 0.9, 0.034: 0.1}
BOUNDS = (0.005, 0.01, 0.015, 0.018, 0.020, 0.023, 0.026, 0.030, 0.036, 0.043, 0.05, 0.06)


def by_variant(on: Any, off: Any) -> Callable[[Variant], Any]:
    return lambda variant: on if variant.speculates else off


def judged_by(world: World) -> JudgedBy | None:
    evidence = world.memory.evidence
    return evidence.objective.judged_by if evidence is not None and evidence.objective is not None else None


def reasons(world: World, action: Action) -> list[str]:
    return [reason for done, reason in world.news if done == action]


def condition(world: World, kind: ConditionType) -> tuple[bool | None, str, str] | None:
    found = [f for f in world.last.findings if f.type == kind]
    return (found[0].status, found[0].reason, found[0].message) if found else None


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        ({"kind": "Goodput"}, "write Goodput where ttft or tpot is set"),
        ({"kind": "Latency", "ttft": {"quantile": "0.95", "seconds": "0.5"}}, "write Goodput where"),
        ({"kind": "Goodput", "ttft": {"quantile": "1.5", "seconds": "0.5"}}, "from 0.01 to 0.999"),
        ({"kind": "Goodput", "tpot": {"quantile": "0.99", "seconds": "0"}}, "from 0.0005 to 600"),
        ({"kind": "Goodput", "tpot": {"quantile": 0.99, "seconds": "0.05"}}, "without quotes"),
    ],
)
def test_an_objective_that_says_too_little_or_too_much_is_refused(objective: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ObjectiveSpec.model_validate(objective)


def test_latency_counts_the_wait_for_the_first_token(world: Make) -> None:
    w = world()
    w.first_token = by_variant(3.0, 0.3)
    w.until(State.COOLDOWN)
    assert reasons(w, Action.PROMOTE) == []
    (reason, *_) = reasons(w, Action.END_TRIAL)
    assert reason == Reason.BELOW_BREAK_EVEN
    (ended, *_) = [r for d in w.decisions for r in d.news if r.action == Action.END_TRIAL]
    assert "to the last token" in ended.message and "S 1.30" in ended.message


def test_requests_that_wait_for_the_draft_alone_are_named_as_the_reason(world: Make) -> None:
    w = world()
    w.first_token, w.waiting = by_variant(3.0, 0.3), by_variant(20.0, 0.0)
    w.until(State.COOLDOWN)
    assert reasons(w, Action.END_TRIAL) == [Reason.QUEUE_GROWTH]


def test_a_first_token_that_is_late_by_little_of_the_whole_does_not_stand_in_the_way(world: Make) -> None:
    w = world()
    w.first_token = by_variant(0.30, 0.17)
    w.until(State.SPECULATING)
    assert judged_by(w) is JudgedBy.END_TO_END
    told = w.memory.evidence.objective if w.memory.evidence else None
    assert told is not None and told.end_to_end is not None
    assert float(told.end_to_end.value) == pytest.approx((0.17 + 4) / (0.30 + 4 / 1.3), rel=0.02)


def test_without_the_first_token_decoding_alone_is_judged_and_that_is_said(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    assert judged_by(w) is JudgedBy.DECODING
    assert w.memory.evidence is not None
    assert "decoding alone was judged: the time to the first token is not counted" in w.memory.evidence.message


def test_throughput_does_not_mind_the_first_token(world: Make) -> None:
    w = world(objective={"kind": "Throughput"})
    w.first_token, w.waiting = by_variant(3.0, 0.3), by_variant(0.0, 0.0)
    w.until(State.SPECULATING)
    assert judged_by(w) is JudgedBy.DECODING


def test_throughput_counts_tokens_where_requests_wait(world: Make) -> None:
    w = world(objective={"kind": "Throughput"})
    w.waiting = by_variant(40.0, 40.0)
    w.run(timedelta(minutes=50))
    evidence = w.last.evidence
    assert evidence is not None and evidence.objective is not None
    assert evidence.objective.judged_by is JudgedBy.THROUGHPUT
    assert evidence.objective.throughput is not None
    assert float(evidence.objective.throughput.value) == pytest.approx(1.0, abs=0.02)  # all are offered alike


def test_a_bound_that_only_the_plain_variant_keeps_refuses_a_mean_speed_up(world: Make) -> None:
    w = world(objective=GOODPUT)
    w.latencies, w.bounds = by_variant(SLOW_TAIL, {0.021: 1.0}), BOUNDS
    w.until(State.COOLDOWN)
    assert reasons(w, Action.PROMOTE) == []
    assert reasons(w, Action.END_TRIAL) == [Reason.OBJECTIVE_MISSED]
    assert judged_by(w) is JudgedBy.GOODPUT


def test_a_bound_that_only_speculation_keeps_promotes_without_a_mean_speed_up_and_stays(world: Make) -> None:
    w = world(objective={"kind": "Goodput", "tpot": {"quantile": "0.8", "seconds": "0.018"}})
    w.speedup = by_variant(0.97, 1.0)
    w.latencies, w.bounds = by_variant(SLOW_TAIL, {0.021: 1.0}), BOUNDS
    w.until(State.SPECULATING)
    assert reasons(w, Action.PROMOTE) == [Reason.PAYS]
    w.speedup = by_variant(0.80, 1.0)  # decoding alone would raise the alarm
    w.run(HOUR)
    assert w.memory.state == State.SPECULATING


def test_bounds_that_both_keep_leave_the_verdict_to_the_last_token(world: Make) -> None:
    w = world(objective=GOODPUT)
    w.latencies, w.bounds = by_variant({0.016: 1.0}, {0.021: 1.0}), BOUNDS
    w.first_token = by_variant(0.2, 0.2)
    w.until(State.SPECULATING)
    assert judged_by(w) is JudgedBy.END_TO_END
    told = w.memory.evidence.objective if w.memory.evidence else None
    assert told is not None and told.tpot is not None
    assert (told.tpot.off, told.tpot.on) == (1, 1)


def test_a_promotion_that_begins_to_miss_its_bound_is_left(world: Make) -> None:
    w = world(objective=GOODPUT)
    w.latencies, w.bounds = by_variant({0.016: 1.0}, {0.021: 1.0}), BOUNDS
    w.until(State.SPECULATING)
    w.run(HOUR)
    w.latencies = by_variant(SLOW_TAIL, {0.021: 1.0})
    w.run(HOUR)
    assert reasons(w, Action.DISABLE) == [Reason.OBJECTIVE_MISSED]


def test_a_bound_that_the_engine_does_not_count_at_is_said_with_its_neighbours(world: Make) -> None:
    w = world(objective=GOODPUT)
    w.latencies, w.bounds = by_variant(SLOW_TAIL, {0.021: 1.0}), (0.01, 0.025, 0.05, 0.075)
    w.until(State.SPECULATING)
    status, reason, message = condition(w, ConditionType.OBJECTIVE_READABLE) or (None, "", "")
    assert (status, reason) == (False, Reason.BUCKETS_TOO_WIDE)
    assert "spec.objective.tpot.seconds 0.023" in message and "write 0.01 or 0.025" in message
    before = len(w.decisions)
    w.run(HOUR)
    said = {f.message for d in w.decisions[before:] for f in d.findings if f.type == ConditionType.OBJECTIVE_READABLE}
    assert said == {message}, "the message does not move"


def test_below_four_replicas_bounds_are_watched_alone_and_a_control_is_bought_when_they_are_missed(world: Make) -> None:
    w = world(replicas=3, objective=GOODPUT)
    w.latencies, w.bounds = by_variant({0.016: 1.0}, {0.021: 1.0}), BOUNDS
    w.until(State.SPECULATING)
    w.run(HOUR)
    assert not w.memory.holdback
    w.latencies = by_variant(SLOW_TAIL, {0.021: 1.0})
    w.run(HOUR)
    assert Reason.CONTRADICTION in reasons(w, Action.KEEP_CONTROL)
    w.run(HOUR)
    assert reasons(w, Action.DISABLE) == [Reason.OBJECTIVE_MISSED]


def test_a_changed_bound_is_another_engine_and_a_changed_quantile_is_not(world: Make) -> None:
    plain, bounded = world().memory.stable, world(objective=GOODPUT).memory.stable
    other = {"kind": "Goodput", "tpot": {"quantile": "0.9", "seconds": "0.0230"}}
    assert plain is not None and bounded is not None
    assert plain.name != bounded.name
    again = world(objective=other).memory.stable
    assert again is not None and again.name == bounded.name

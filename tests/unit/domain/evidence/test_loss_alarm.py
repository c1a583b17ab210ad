"""What the alarm sees that windows do not: increments, roll-outs, and arms without a control."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.api.variant import Variant
from breakeven.domain.counters.batches import Replica
from breakeven.domain.counters.increments import Increments, Tail, increments
from breakeven.domain.counters.observation import Batch, Gauges, Scrape, Totals
from breakeven.domain.decide import decide
from breakeven.domain.decision import Declared

Make = Callable[..., Any]
DISABLE = {"policy": {"onBelowBreakEven": ["Disable"]}}


def scrapes(times: Sequence[float], *, reset_after: float | None = None) -> tuple[Scrape, ...]:
    """An engine that emits 100 tokens a second."""
    found = []
    for at in times:
        count = 100 * at if reset_after is None or at <= reset_after else 100 * (at - reset_after)
        found.append(Scrape(at=at, totals=Totals(generation_tokens=count, step_seconds=at), gauges=Gauges()))
    return tuple(found)


def cut(*replicas: tuple[Scrape, ...], interval: float = 15.0) -> Increments | tuple[()]:
    tails = [
        Tail(Replica(name=f"pod-{i}", ready_since=-1000.0), each, [s.at for s in each], interval)
        for i, each in enumerate(replicas)
    ]
    return increments(tails, batch=60.0, warmup=0.0)


def starts(found: Sequence[Batch]) -> list[float]:
    return [batch.start for batch in found]


def test_increments_are_as_long_as_the_scrapes_allow() -> None:
    quarter = cut(scrapes([2 + 15 * i for i in range(12)]))
    assert starts(quarter) == [15.0 * i for i in range(1, 11)]
    assert [b.totals.generation_tokens for b in quarter] == [pytest.approx(1500)] * 10
    half = cut(scrapes([2 + 30 * i for i in range(8)]), interval=30.0)
    assert {b.end - b.start for b in half} == {30.0}
    assert cut(scrapes([60.0 * i for i in range(8)]), interval=60.0) == ()


def test_an_increment_with_a_restart_or_a_missing_scrape_is_left_out() -> None:
    times = [2 + 15.0 * i for i in range(12)]
    fell = cut(scrapes(times, reset_after=95.0))
    assert 105.0 not in starts(fell)  # from the scrape at 92 s to that at 107 s
    assert 90.0 in starts(fell)
    gap = cut(scrapes([at for at in times if not 60 <= at < 110]))
    assert 90.0 not in starts(gap)
    assert 45.0 in starts(gap)


def test_an_increment_waits_for_most_of_the_replicas() -> None:
    whole, late = scrapes([2 + 15 * i for i in range(12)]), scrapes([2 + 15 * i for i in range(11)])
    assert starts(cut(whole, whole))[-1] == 150.0
    assert starts(cut(whole, late))[-1] == 135.0


def test_the_newest_increment_is_made_alone() -> None:
    made = []

    def make(n: int) -> Batch | None:
        made.append(n)
        return None if n > 7 else Batch(start=n, end=n + 1, totals=Totals(), gauges=Gauges(), replicas=1)

    found = Increments(range(10), make)
    assert next(reversed(found)).start == 7
    assert made == [9, 8, 7]
    assert bool(found)
    assert len(found) == 8


def serving(world: Make, **changes: object) -> Any:
    w = world(**{**DISABLE, **changes})
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    return w


def looked(w: Any, **changes: object) -> Any:
    """A pass over the fleet and arms as they are, but for these changes of both fleets."""
    seen = w.observation()
    fleet = {name: replace(each, **changes) for name, each in seen.fleet.items()}
    return decide(Declared(spec=w.spec, generation=1), w.memory, replace(seen, fleet=fleet), w.now)


def test_a_roll_out_does_not_hide_a_loss(world: Make) -> None:
    w = serving(world)
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    for _ in range(2):
        begin, w.now = w.now, w.now + timedelta(minutes=1)
        for name, count in w.serving.items():
            w.batches[name].append(w._batch(name, count, begin, w.now))
    decision = looked(w, settled_since=None)
    assert [record.action for record in decision.news] == ["Disable"]
    assert "far below break-even" in decision.news[0].message


def test_a_burst_shorter_than_the_user_minds_switches_nothing(world: Make) -> None:
    w = serving(world, evidence={"alarmAfter": "6m"})

    def lost(variant: Variant) -> float:
        return 0.6 if variant.speculates else 1.0

    usual, w.speedup = w.speedup, lost
    w.run(timedelta(minutes=4))
    w.speedup = usual
    w.run(timedelta(hours=1))
    assert w.memory.state == State.SPECULATING
    w.speedup = lost
    took = w.until(State.COOLDOWN)
    assert timedelta(minutes=6) <= took <= timedelta(minutes=8)


def test_replicas_that_change_while_speculation_pays_change_nothing(world: Make) -> None:
    w = serving(world)
    decision = looked(w, settled_since=None, wanted=6)
    assert decision.hold.reason == "ReplicasChanging"
    assert decision.memory.state == State.SPECULATING


def test_without_a_control_fewer_tokens_per_step_switch_off(world: Make) -> None:
    w = serving(world, policy={"onBelowBreakEven": ["Disable"], "holdback": {"mode": "Auto"}})
    w.run(timedelta(hours=26))
    assert not w.memory.holdback
    w.accepted = lambda variant: 0.1
    w.speedup = lambda variant: 1.3 * 1.1 / 2.0 if variant.speculates else 1.0
    assert w.until(State.COOLDOWN, timedelta(minutes=10)) <= timedelta(minutes=4)
    assert "stored step times" in w.memory.decisions[0].message


def test_a_suspicion_asks_for_a_whole_look(world: Make) -> None:
    w = serving(world)
    assert not w.last.suspects
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    w.step()
    assert w.memory.state == State.SPECULATING
    assert w.last.suspects

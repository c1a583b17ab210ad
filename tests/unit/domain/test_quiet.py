"""What in the newest evidence asks for a full pass, and what can wait."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from breakeven.api.status import State
from breakeven.domain import quiet
from breakeven.domain.counters.observation import Arm, Batch, Totals
from breakeven.domain.decision import Decision, Declared
from breakeven.domain.evidence.judge import judge
from breakeven.domain.situation import situation_at

from .conftest import World, spec_of

Make = Callable[..., World]


def serving(make: Make, **changes: object) -> World:
    """A world in which speculation pays beside a live control."""
    here = make(policy={"holdback": {"mode": "Always"}}, **changes)
    here.until(State.SPECULATING)
    here.run(timedelta(hours=1))
    return here


def watch(here: World) -> quiet.Watch:
    """What the last pass left to watch."""
    situation = situation_at(Declared(spec=here.spec, generation=1), here.memory, here.observation(), here.now)
    return quiet.watch(situation, judge(situation))


def newest(here: World, name: str, **changes: float) -> dict[str, Arm]:
    """The arms with one more batch each, in which that of one arm is another."""
    arms = {}
    for each, arm in here.observation().arms.items():
        last = arm.batches[-1]
        more = replace(last, start=last.end, end=2 * last.end - last.start)
        if each == name:
            waiting = changes.pop("waiting", 0.0)
            more = replace(more, totals=replace(more.totals, **changes), gauges=replace(more.gauges, waiting=waiting))
        arms[each] = replace(arm, batches=(*arm.batches, more))
    return arms


def names(here: World) -> tuple[str, str]:
    """Of the variant that speculates and of its control."""
    stable = here.memory.stable
    assert stable is not None
    return stable.name, stable.baseline.name


def test_batch_with_noise_can_wait(world: Make) -> None:
    here = serving(world)
    watched, (on, off) = replace(watch(here), until=None), names(here)
    for name in (on, off):
        seconds = here.observation().arms[name].batches[-1].totals.step_seconds
        assert seconds is not None
        for moved in (0.8, 0.95, 1.05, 1.2):
            assert not watched.asks(newest(here, name, step_seconds=seconds * moved), here.now)


def test_end_of_a_window_is_judged(world: Make) -> None:
    here = serving(world)
    arms = newest(here, names(here)[0])
    end = max(arm.batches[-1].end for arm in arms.values())
    assert replace(watch(here), until=end).asks(arms, here.now)
    assert not replace(watch(here), until=end + 60).asks(arms, here.now)


def test_point_slower_than_the_control_is_weighed_at_once(world: Make) -> None:
    here = serving(world)
    on, _ = names(here)
    seconds = here.observation().arms[on].batches[-1].totals.step_seconds
    assert seconds is not None
    assert replace(watch(here), until=None).asks(newest(here, on, step_seconds=1.5 * seconds), here.now)


def test_increment_that_is_slow_is_weighed_before_its_batch_is_complete(world: Make) -> None:
    here = serving(world)
    on, off = names(here)
    arms = dict(here.observation().arms)
    for name, factor in ((on, 1.5), (off, 1.0)):
        last = arms[name].batches[-1]
        assert last.totals.step_seconds is not None
        totals = replace(last.totals, step_seconds=last.totals.step_seconds * factor)
        arms[name] = replace(arms[name], newest=(replace(last, start=last.end, end=last.end + 15, totals=totals),))
    assert watch(here).asks(arms, here.now)


@pytest.mark.parametrize("storm", [{"preemptions": 900.0}, {"waiting": 90.0}, {"failed": 500.0}])
def test_storm_is_weighed_when_the_guard_would_act_on_it(world: Make, storm: dict[str, float]) -> None:
    here = serving(world)
    on, off = names(here)
    watched, arms = replace(watch(here), until=None), dict(here.observation().arms)
    for step in range(1, 7):
        for name in (on, off):
            last = arms[name].batches[-1]
            more = replace(last, start=last.end, end=2 * last.end - last.start)
            if name == on:
                totals = replace(last.totals, **{k: v for k, v in storm.items() if k != "waiting"})
                gauges = replace(last.gauges, waiting=storm.get("waiting", 0.0) * step, kv_usage=0.99)
                more = replace(more, totals=totals, gauges=gauges)
            arms[name] = replace(arms[name], batches=(*arms[name].batches, more))
    assert watched.asks(arms, here.now + timedelta(seconds=6 * 60))


def test_another_fleet_is_weighed(world: Make) -> None:
    here = serving(world)
    watched, (on, _), arms = watch(here), names(here), here.observation().arms
    assert not watched.asks(arms, here.now)
    assert watched.asks({**arms, on: replace(arms[on], ready=9)}, here.now)
    assert watched.asks({**arms, on: replace(arms[on], scraped=0)}, here.now)
    assert watched.asks({**arms, "b": arms[on]}, here.now)
    assert watched.asks({on: arms[on]}, here.now)
    assert watched.asks({**arms, on: replace(arms[on], batches=())}, here.now)


class Noisy(World):
    """A world whose batches are what a draw says: as they were, slow, idle, preempting, queueing or failing."""

    kinds: list[str]
    draw: random.Random
    asks: Callable[..., bool] | None = None
    skipped: int = 0
    begun: datetime | None = None

    def look(self) -> Decision:
        """A full pass; if it could have been skipped, it must come to nothing."""
        before, arms = self.memory, self.observation().arms
        may_rest = self.asks is not None and not self.asks(arms, self.now)
        decision = super().look()
        after = decision.memory
        if may_rest:
            self.skipped += 1
            assert not decision.news
            assert after.state == before.state
            return decision  # what is watched stays what the last full pass left
        waits = bool(decision.news) or after.canary is not None or after.cooldown_until is not None
        self.asks = None if waits else decision.asks
        return decision

    def _batch(self, name: str, count: int, begin: datetime, end: datetime) -> Batch:
        batch = super()._batch(name, count, begin, end)
        turn = int((begin - self.begun) / timedelta(minutes=6)) if self.begun else len(self.kinds)
        kind = self.kinds[turn] if turn < len(self.kinds) else ""
        noise = math.exp(self.draw.gauss(0.0, 0.05))
        if not self.variants[name].speculates:
            kind = kind if kind == "idle" else ""
        changes: dict[str, float] = {"step_seconds": (batch.totals.step_seconds or 0.0) * noise}
        if kind == "slow":
            changes["step_seconds"] *= 1.8
        elif kind == "preempting":
            changes["preemptions"] = 100.0
        elif kind == "failing":
            changes["failed"] = 40.0
        elif kind == "idle":
            return replace(batch, totals=Totals(**dict.fromkeys(("generation_tokens", "first_tokens", "steps"), 0.0)))
        waiting = 20.0 * (len(self.batches.get(name, [])) % 30) if kind == "queueing" else batch.gauges.waiting
        full = 0.99 if kind == "preempting" else 0.2
        return replace(
            batch,
            totals=replace(batch.totals, **changes),
            gauges=replace(batch.gauges, waiting=waiting, kv_usage=full),
        )


KINDS = st.lists(
    st.sampled_from(["", "", "slow", "slow", "idle", "preempting", "queueing", "failing"]), min_size=12, max_size=20
)
"""What six batches in a row are like."""


@settings(max_examples=30, deadline=None)
@given(KINDS, st.integers(0, 2**32), st.sampled_from([1.3, 1.6]))
@example(["slow"], 3, 1.3)
@example(["preempting"], 3, 1.3)
@example(["queueing"], 3, 1.3)
@example(["failing"], 3, 1.3)
def test_skipped_pass_would_have_decided_nothing(kinds: list[str], seed: int, speedup: float) -> None:
    spec = spec_of(policy={"holdback": {"mode": "Always"}, "maxTransitionsPerDay": 50})
    here = Noisy(spec=spec, speedup=lambda variant: speedup if variant.speculates else 1.0)
    here.kinds, here.draw = kinds, random.Random(seed)
    for _ in range(60):
        here.step()
    here.begun = here.now
    for _ in range(150):
        here.step()


def test_most_passes_are_skipped_whatever_the_noise() -> None:
    here = Noisy(spec=spec_of(policy={"holdback": {"mode": "Always"}}))
    here.kinds, here.draw = [], random.Random(1)
    here.until(State.SPECULATING)
    here.skipped = 0
    for _ in range(100):
        here.step()
    assert here.skipped >= 85

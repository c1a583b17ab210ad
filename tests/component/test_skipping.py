"""Passes that are skipped because the last full one still holds, and what ends that."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.world import KEY, World, plain_decide

from breakeven.api.status import Memory
from breakeven.control.ports import MetricsReading
from breakeven.domain.counters.observation import Arm, Batch, Gauges, Observation, Totals
from breakeven.domain.decision import Decision, Declared


def arm(batches: int, *, tpot: float = 0.01) -> dict[str, Arm]:
    totals = Totals(generation_tokens=1100.0, first_tokens=100.0, step_seconds=10.0)
    slow = Totals(generation_tokens=1100.0, first_tokens=100.0, step_seconds=1000 * tpot)
    made = tuple(
        Batch(
            start=60.0 * n,
            end=60.0 * n + 60,
            totals=slow if n == batches - 1 else totals,
            gauges=Gauges(running=1.0, waiting=0.0, kv_usage=0.1),
            replicas=1,
        )
        for n in range(batches)
    )
    return {"a": Arm(variant="a", batches=made, ready=4, scraped=4)}


def slow(arms: Mapping[str, Arm], now: datetime) -> bool:
    """What asks for a full pass here: a newest batch with more than 15 ms a token."""
    return any((arm.batches[-1].totals.step_seconds or 0.0) > 15.0 for arm in arms.values())


class CountingDecide:
    """`decide` that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
        self.calls += 1
        return replace(plain_decide(declared, memory, observation, now), asks=slow)


async def quiet_world(**spec: Any) -> tuple[World, CountingDecide]:
    """A settled world whose last pass was a full one."""
    decide = CountingDecide()
    world = World(decide=decide, **spec)
    world.metrics.reading = MetricsReading(arms=arm(3))
    await world.settle()
    world.clock.forward(timedelta(hours=1))
    await world.once()
    decide.calls = 0
    return world, decide


async def test_nothing_is_decided_while_nothing_is_new() -> None:
    world, decide = await quiet_world()
    outcome = await world.once()
    assert decide.calls == 0
    assert outcome.again_s == 120.0


async def test_every_reading_is_screened_and_only_what_has_a_reason_gets_a_pass() -> None:
    world, decide = await quiet_world()
    assert not world.reconciler.asks(KEY)
    world.metrics.reading = MetricsReading(arms=arm(4))
    assert not world.reconciler.asks(KEY)
    world.metrics.reading = MetricsReading(arms=arm(5, tpot=0.02))
    assert world.reconciler.asks(KEY)
    await world.once()
    world.metrics.outage("Stale")
    assert world.reconciler.asks(KEY)
    assert decide.calls == 1


async def test_resource_that_waits_for_its_first_reading_is_woken_by_it() -> None:
    world, _ = await quiet_world()
    world.start()
    world.metrics.outage("Starting")
    await world.once()
    assert world.reconciler.asks(KEY)


async def test_resource_that_is_refused_does_not_ask_for_passes() -> None:
    world, _ = await quiet_world()
    world.edit_spec(target={"model": ""})
    await world.settle()
    assert not world.reconciler.asks(KEY)


async def test_batch_like_the_last_waits_and_one_that_moved_does_not() -> None:
    world, decide = await quiet_world()
    world.metrics.reading = MetricsReading(arms=arm(4))
    await world.once()
    assert decide.calls == 0
    world.metrics.reading = MetricsReading(arms=arm(5, tpot=0.02))
    await world.once()
    assert decide.calls == 1


async def test_everything_is_weighed_again_after_two_minutes() -> None:
    world, decide = await quiet_world()
    world.clock.forward(timedelta(minutes=2))
    await world.once()
    assert decide.calls == 1


async def test_outage_is_decided_on_at_once_and_no_pass_is_skipped_while_it_lasts() -> None:
    world, decide = await quiet_world()
    world.metrics.outage("PrometheusUnreachable")
    await world.once()
    await world.once()
    assert decide.calls >= 2


async def test_change_of_spec_or_command_is_decided_on_at_once() -> None:
    world, decide = await quiet_world()
    world.edit_spec(replicas=5)
    await world.once()
    assert decide.calls >= 1
    world, decide = await quiet_world()
    world.command("retry/9")
    await world.once()
    assert decide.calls >= 1


async def test_drift_of_an_owned_object_asks_for_a_full_pass() -> None:
    world, decide = await quiet_world()
    name = world.cluster.of("Deployment")[0]["metadata"]["name"]
    world.cluster.edit("Deployment", name, lambda o: o["spec"].update(replicas=1))
    await world.once()
    assert decide.calls >= 1
    await world.settle()
    assert world.replicas[name] == 4


async def test_no_pass_is_skipped_during_a_trial() -> None:
    world, decide = await quiet_world()
    world.command("retry/1")
    await world.settle()
    decide.calls = 0
    await world.once()
    await world.once()
    assert decide.calls == 2


async def test_deleted_resource_is_forgotten_at_once() -> None:
    world, _ = await quiet_world()
    world.cache.drop(world.body)
    await world.reconciler.reconcile(KEY)
    assert world.recorder.forgotten == [KEY]


async def test_resource_at_rest_is_read_again_and_its_spec_is_not_checked_again() -> None:
    world, decide = await quiet_world()
    state = world.reconciler._states[KEY]
    assert state.parsed is not None
    assert state.parsed.spec is None
    fitness = state.parsed.fitness
    world.clock.forward(timedelta(hours=1))
    await world.once()
    assert decide.calls == 1
    assert state.parsed is not None
    assert state.parsed.fitness is fitness

"""HPA and KEDA write spec.replicas through the scale subresource, in the middle of anything."""

import pytest
from tests.support.world import KEY, World

from breakeven.api.status import State


async def on_trial() -> World:
    world = World()
    await world.settle()
    world.command("retry")
    await world.settle()
    assert (world.status.memory.state, sorted(world.replicas.values())) == (State.TRIAL, [1, 3])
    return world


@pytest.mark.parametrize("wanted", [7, 5, 2])
async def test_a_trial_goes_on_with_one_canary_whatever_an_autoscaler_asks_for(wanted: int) -> None:
    world = await on_trial()
    canary = world.status.memory.canary
    world.edit_spec(replicas=wanted)
    await world.settle()
    assert sorted(world.replicas.values()) == sorted([1, wanted - 1])
    assert world.status.memory.canary == canary
    assert world.status.memory.state is State.TRIAL
    assert [d.action for d in world.status.memory.decisions].count("Abort") == 0
    assert world.serving == wanted


async def test_gusts_in_the_middle_of_a_trial_end_where_the_last_one_left_it() -> None:
    world = await on_trial()
    for wanted in (6, 3, 8, 4):
        world.edit_spec(replicas=wanted)
        for _ in range(3):
            await world.turn()
    await world.settle()
    assert sorted(world.replicas.values()) == [1, 3]
    assert world.least_serving >= 3
    world.command("promote")
    await world.settle()
    assert list(world.replicas.values()) == [4]


async def test_what_an_autoscaler_reads_is_all_variants_together() -> None:
    world = await on_trial()
    status = world.body["status"]
    assert (status["replicas"], status["readyReplicas"]) == (4, 4)
    wanted = dict(part.split("=") for part in status["selector"].split(","))
    assert all(wanted.items() <= pod["metadata"]["labels"].items() for pod in world.cluster.of("Pod"))
    assert wanted["breakeven.dev/resource"] == KEY.name

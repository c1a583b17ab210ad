"""A pod on a dead node terminates for ever: it must not hold up what is possible without it."""

import pytest
from tests.support.world import World

from breakeven.control.fleet import STUCK_AFTER


async def with_lost_pod(*, command: str) -> tuple[World, str]:
    """A world in which a pod of the serving variant is lost just before a command."""
    world = World(gpus=8)
    await world.settle()
    world.command("retry/1")
    await world.settle()
    lost = str(next(p for p in world.cluster.of("Pod"))["metadata"]["name"])
    world.controllers.lose_node_of(lost)
    world.controllers.settle()
    world.command(command)
    return world, lost


@pytest.mark.parametrize("command", ["promote/1", "abort/1"])
async def test_switch_goes_on_without_the_pod_and_stalled_names_it(command: str) -> None:
    world, lost = await with_lost_pod(command=command)
    for _ in range(5):
        await world.turn()
    assert sorted(world.replicas.values()) == [1, 3], "within the grace period it is waited for"
    world.clock.forward(STUCK_AFTER)
    await world.settle()
    assert list(world.replicas.values()) == [4]
    assert world.serving == 4
    assert world.condition("Stalled")["reason"] == "PodNotStopping"
    assert lost in world.condition("Stalled")["message"]
    assert world.condition("Ready")["status"] == "True"
    assert [r for r, _ in world.events.posted].count("PodNotStopping") == 1


async def test_stalled_is_over_when_the_pod_is_gone() -> None:
    world, lost = await with_lost_pod(command="promote/1")
    world.clock.forward(2 * STUCK_AFTER)
    await world.settle()
    assert world.condition("Stalled")["reason"] == "PodNotStopping"
    world.cluster.remove("Pod", lost)
    await world.settle()
    assert world.condition("Stalled") == {}

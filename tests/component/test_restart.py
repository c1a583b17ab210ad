"""A new process that takes over a resource without pods: there is no reading to wait for."""

import pytest
from tests.support.world import World

from breakeven.api.base import KIND
from breakeven.control.errors import Conflict, ControlError, Refused, Retry


async def test_resource_scaled_to_zero_starts_again_after_a_restart() -> None:
    world = World(replicas=0)
    await world.settle()
    world.start()
    world.edit_spec(replicas=2)
    await world.settle()
    assert world.serving == 2
    assert world.condition("Ready")["status"] == "True"


async def test_process_killed_after_the_first_status_is_carried_on() -> None:
    world = World()
    world.cluster.fail_next("apply", "Service", Retry("killed"))
    with pytest.raises(Retry):
        await world.once()
    assert world.status.memory.stable is not None
    assert world.cluster.of("Pod") == []
    world.start()
    await world.settle()
    assert world.serving == 4


@pytest.mark.parametrize("error", [Conflict("409"), Retry("503"), Refused("403")], ids=str)
async def test_first_apply_that_fails_once_is_tried_again(error: ControlError) -> None:
    world = World()
    world.cluster.fail_next("apply", "Deployment", error)
    with pytest.raises(type(error)):
        await world.once()
    await world.settle()
    assert world.serving == 4


async def test_resource_with_pods_waits_for_its_first_reading() -> None:
    world = World()
    await world.settle()
    world.start()
    world.metrics.outage("Starting")
    world.edit_spec(replicas=2)
    world.cluster.calls.clear()
    outcome = await world.once()
    assert outcome.again_s == 30.0
    assert world.cluster.calls == []
    world.metrics.back()
    await world.settle()
    assert world.serving == 2


async def test_nothing_is_called_an_outage_while_there_is_no_pod_to_read() -> None:
    world = World(replicas=0)
    await world.settle()
    assert world.status.hold == ""
    assert [c.kind for c in world.cluster.writes() if c.verb == "status"] == [KIND]

"""A Service of the team's own in front: ours is not made, goes when not wanted, and a taken name says what to do."""

import pytest
from tests.support.world import KEY, World

from breakeven.control.errors import Refused


async def test_our_service_goes_when_another_is_in_front_and_comes_back() -> None:
    world = World()
    await world.settle()
    assert [s["metadata"]["name"] for s in world.cluster.of("Service")] == [KEY.name]
    world.edit_spec(service={"enabled": False})
    await world.settle()
    assert world.cluster.of("Service") == []
    assert world.least_serving == 4
    world.edit_spec(service={"port": 80})
    await world.settle()
    assert world.cluster.of("Service")[0]["spec"]["ports"][0]["port"] == 80


async def test_a_service_of_the_same_name_stays_and_the_way_to_keep_it_is_said() -> None:
    world = World()
    theirs = world.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": KEY.name, "namespace": KEY.namespace},
            "spec": {"selector": {"app": "llama"}},
        }
    )
    with pytest.raises(Refused, match=r"spec\.service\.enabled to false"):
        await world.once()
    assert world.cluster.of("Service") == [theirs]
    assert "docs/adopting.md" in world.condition("Stalled")["message"]
    world.edit_spec(service={"enabled": False})
    await world.settle()
    assert world.cluster.of("Service") == [theirs]
    assert world.serving == 4

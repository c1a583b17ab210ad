"""Writes of a leader that was frozen arrive late: they change nothing that somebody else wrote meanwhile."""

from datetime import timedelta

import pytest
from tests.support.world import World

from breakeven.control.errors import Conflict


def scaled(world: World, replicas: int) -> None:
    """What the new leader writes."""
    name = world.cluster.of("Deployment")[0]["metadata"]["name"]
    world.cluster.edit("Deployment", name, lambda d: d["spec"].update(replicas=replicas))


async def test_late_apply_of_a_former_leader_changes_no_replicas() -> None:
    world = World()
    await world.settle()
    world.edit_spec(replicas=1)
    world.cluster.meanwhile = ("apply", "Deployment"), lambda: scaled(world, 6)
    with pytest.raises(Conflict):
        await world.once()
    assert list(world.replicas.values()) == [6]
    await world.settle()
    assert list(world.replicas.values()) == [1]


async def test_late_creation_overwrites_nothing() -> None:
    first, second = World(), World()
    await second.once()
    made = second.cluster.of("Deployment")[0]
    made["spec"]["replicas"] = 6
    first.cluster.meanwhile = ("apply", "Deployment"), lambda: first.cluster.create(made)
    with pytest.raises(Conflict):
        await first.once()
    assert list(first.replicas.values()) == [6]


async def test_late_delete_spares_a_deployment_that_is_used_again() -> None:
    world = World()
    await world.settle()
    for version in ("v0.11.1", "v0.11.2"):
        world.edit_spec(engine={"image": f"vllm/vllm-openai:{version}"})
        await world.settle()
    empty = next(d["metadata"]["name"] for d in world.cluster.of("Deployment") if d["spec"]["replicas"] == 0)
    world.cluster.meanwhile = (
        ("delete", "Deployment"),
        lambda: world.cluster.edit("Deployment", empty, lambda d: d["spec"].update(replicas=1)),
    )
    world.edit_spec(engine={"image": "vllm/vllm-openai:v0.12.0"})
    with pytest.raises(Conflict):
        for _ in range(60):
            await world.once()
            await world.answered()
            world.controllers.step()
            world.clock.forward(timedelta(seconds=10))
    assert [c.name for c in world.cluster.calls if c.verb == "delete"] == [empty]
    assert empty in [d["metadata"]["name"] for d in world.cluster.of("Deployment")]


async def test_every_write_of_an_existing_object_names_its_version() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.settle()
    world.edit_spec(replicas=6)
    await world.settle()
    known: set[str] = set()
    for call in world.cluster.calls:
        if call.verb == "apply":
            assert call.body is not None
            assert ("resourceVersion" in call.body["metadata"]) is (call.name in known)
            known.add(call.name)

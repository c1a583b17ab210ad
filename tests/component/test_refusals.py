"""What the loop does when it may not write, when the name is taken, or when it cannot read its own memory."""

from typing import Any

import pytest
from tests.support.world import KEY, World

from breakeven.api.base import API_VERSION, KIND
from breakeven.control.errors import Refused, Retry

FOREIGN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": KEY.name, "namespace": KEY.namespace, "labels": {"team": "search"}},
    "spec": {"selector": {"app": "search"}},
}


async def test_what_the_api_server_refuses_stands_in_the_conditions_until_it_is_taken() -> None:
    world = World()
    words = 'deployments.apps is forbidden: User "breakeven" cannot patch'
    world.cluster.fail_next("apply", "Deployment", Refused(words))
    with pytest.raises(Refused):
        await world.once()
    assert (world.condition("Stalled")["reason"], world.condition("Ready")["reason"]) == ("ApplyRefused",) * 2
    assert words in world.condition("Stalled")["message"]
    assert ("ApplyRefused", words) in world.events.posted
    await world.settle()
    assert world.condition("Stalled") == {}
    assert world.serving == 4


async def test_service_of_somebody_else_is_left_alone_and_named() -> None:
    world = World()
    before = world.cluster.create(FOREIGN)
    for _ in range(3):
        with pytest.raises(Refused, match="Service llama is there already"):
            await world.once()
    assert world.cluster.of("Service") == [before]
    assert "another name" in world.condition("Stalled")["message"]
    world.cluster.remove("Service", KEY.name)
    await world.settle()
    assert world.condition("Stalled") == {}
    assert world.serving == 4


async def test_object_of_a_deleted_resource_is_waited_for() -> None:
    world = World()
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": KEY.name, "uid": "uid-of-the-old-one", "controller": True}
    world.cluster.create({**FOREIGN, "metadata": {**FOREIGN["metadata"], "ownerReferences": [owner]}})
    with pytest.raises(Retry, match="not collected yet"):
        await world.once()
    world.cluster.remove("Service", KEY.name)
    await world.settle()
    assert world.serving == 4


async def test_orphaned_object_is_taken_in_again() -> None:
    world = World()
    await world.settle()
    world.cluster.edit("Service", KEY.name, lambda o: o["metadata"].pop("ownerReferences"))
    await world.settle()
    assert world.cluster.of("Service")[0]["metadata"]["ownerReferences"]


async def test_status_of_another_release_is_kept_and_said_and_nothing_is_done() -> None:
    world = World()
    await world.settle()
    world.edit_memory(lambda memory: memory["stable"].update(ofANewerRelease=1))
    memory = world.body["status"]["memory"]
    world.edit_spec(replicas=1)
    world.cluster.calls.clear()
    for _ in range(3):
        with pytest.raises(Refused, match="ofANewerRelease"):
            await world.once()
    assert [c.verb for c in world.cluster.writes()] == ["status"]
    assert world.body["status"]["memory"] == memory
    assert world.condition("Stalled")["reason"] == "StatusUnreadable"
    assert world.serving == 4
    world.edit_memory(lambda memory: memory["stable"].pop("ofANewerRelease"))
    await world.settle()
    assert world.condition("Stalled") == {}
    assert world.serving == 1


async def test_status_of_the_earlier_layout_is_taken_over_without_a_decision() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.settle()
    before, memory = world.status.memory, world.memory
    decided = list(world.recorder.decisions)

    def earlier(resource: dict[str, Any]) -> None:
        resource["status"] = {k: v for k, v in resource["status"].items() if k != "memory"} | memory

    world.cluster.edit(KIND, KEY.name, earlier)
    world.start()
    world.edit_spec(replicas=5)
    await world.settle()
    assert world.recorder.decisions == decided
    assert world.status.memory.canary == before.canary is not None
    assert "canary" not in world.body["status"]
    assert world.serving == 5


async def test_status_that_becomes_unreadable_in_the_middle_of_a_pass_is_not_written_over() -> None:
    world = World()
    await world.settle()

    def newer_release() -> None:
        world.edit_memory(lambda memory: memory["stable"].update(ofANewerRelease=1))

    world.edit_spec(replicas=1)
    world.cluster.calls.clear()
    world.cluster.meanwhile = ("get", KIND), newer_release
    with pytest.raises(Refused, match="ofANewerRelease"):
        await world.once()
    assert world.cluster.writes() == []
    assert world.memory["stable"]["ofANewerRelease"] == 1


async def test_command_is_not_repeated_by_a_later_change_of_the_spec() -> None:
    world = World()
    await world.settle()
    world.smoke_test.answer = "at temperature 0.8: HTTP 500"
    world.command("retry")
    await world.settle()
    world.edit_spec(replicas=5)
    await world.settle()
    assert [a for a, _ in world.recorder.decisions] == ["StartTrial", "Abort"]

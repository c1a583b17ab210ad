"""SIGKILL after each write of a whole story: the next process ends where one that was never killed does."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.fake_cluster import FakeCluster, FakeControllers
from tests.support.world import World, resource

from breakeven.api.status import Status


class Killed(BaseException):
    """The process is gone: nothing of it handles this."""


@dataclass
class MortalCluster(FakeCluster):
    """Kills who writes, right after the write has been taken."""

    kill_after: int = 0
    """Number of the write, from 1; 0 is none."""
    written: list[str] = field(default_factory=list)

    async def apply(self, manifest: Any) -> Any:
        return self._taken("apply", manifest, await super().apply(manifest))

    async def apply_status(self, manifest: Any) -> Any:
        return self._taken("status", manifest, await super().apply_status(manifest))

    async def delete(self, manifest: Any) -> None:
        await super().delete(manifest)
        self._taken("delete", manifest, None)

    def _taken(self, verb: str, manifest: Any, answer: Any) -> Any:
        self.written.append(f"{verb} {manifest['kind']}")
        if len(self.written) == self.kill_after:
            raise Killed
        return answer


def world_of(kill_after: int) -> tuple[World, MortalCluster]:
    world = World(gpus=4)
    cluster = MortalCluster(now=world.clock.now, gpus=4, kill_after=kill_after)
    world.cluster, world.controllers = cluster, FakeControllers(cluster)
    cluster.create(resource())
    world.start()
    return world, cluster


async def settle(world: World) -> None:
    try:
        await world.settle()
    except Killed:
        world.start()
        await world.settle()


async def story(releases: tuple[str, ...], kill_after: int = 0) -> tuple[World, MortalCluster]:
    """First replicas, a trial, its promotion, images that make Deployments superfluous, fewer replicas."""
    world, cluster = world_of(kill_after)
    await settle(world)
    for command in ("retry/1", "promote/1"):
        world.command(command)
        await settle(world)
    for release in releases:
        world.edit_spec(engine={"image": f"vllm/vllm-openai:v{release}"})
        await settle(world)
        world.edit_spec(policy={"mode": "AlwaysOn"})
        await settle(world)
        world.edit_spec(policy={"mode": "Auto"})
        await settle(world)
    world.edit_spec(replicas=3)
    await settle(world)
    return world, cluster


def outcome(world: World) -> dict[str, Any]:
    """What must be the same, whoever was killed: all but times and versions."""
    status: Status = world.status
    memory = copy.deepcopy(status.memory.model_dump(mode="json", exclude={"since", "last_good", "decisions"}))
    return {
        "replicas": world.replicas,
        "serving": world.serving,
        "memory": memory,
        "decisions": [(d.action, d.reason) for d in status.memory.decisions],
        "conditions": {(c.type, c.status, c.reason) for c in status.conditions},
        "objects": sorted((kind, name) for kind, _, name in world.cluster.objects if kind != "Pod"),
    }


@pytest.mark.parametrize("releases", [(), pytest.param(("0.12.0", "0.13.0", "0.14.0"), marks=pytest.mark.faults)])
async def test_a_process_killed_after_any_write_is_carried_on_to_the_same_end(
    releases: tuple[str, ...], fault: Callable[..., None]
) -> None:
    told, cluster = await story(releases)
    expected, count = outcome(told), len(cluster.written)
    assert {"status SpeculativeDeployment", "apply Deployment", "apply Service"} <= set(cluster.written)
    assert ("delete Deployment" in cluster.written) == bool(releases)
    for number in range(1, count + 1):
        world, killed = await story(releases, kill_after=number)
        where = f"killed after write {number} of {count}, {killed.written[number - 1]}"
        assert outcome(world) == expected, where
        assert world.controllers.peak_gpus <= 4, where
        assert world.recorder.decisions.count(("StartTrial", "Retry")) <= 1, where
    fault(f"SIGKILL after each of {count} writes (API server in memory)", "same end, nothing repeated or forgotten")

"""SIGKILL of the operator at every step of a warm switch: after each write, and after each order before its answer."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.component.test_killed_after_every_write import Killed, MortalCluster
from tests.support.fake_cluster import FakeControllers
from tests.support.warm_world import WarmWorld
from tests.support.world import resource

SPEC: dict[str, Any] = {"replicas": 3}


async def bear(step: Callable[[], Any], world: WarmWorld) -> None:
    """Do something, in as many processes as it takes."""
    try:
        await step()
    except Killed:
        world.start()
        await step()


async def story(*, kill_write: int = 0, kill_order: int = 0) -> tuple[WarmWorld, MortalCluster]:
    """First replicas, a trial in which both variants alternate, and its promotion."""
    world = WarmWorld(**SPEC)
    cluster = MortalCluster(now=world.clock.now, kill_after=kill_write)
    spec = world.body["spec"]
    world.cluster, world.controllers = cluster, FakeControllers(cluster)
    cluster.create(resource(**spec))
    world.start()
    world.fleet.kill_after = kill_order
    await bear(world.settle, world)
    world.command("retry/1")
    await bear(lambda: world.minutes(5), world)
    world.command("promote/1")
    await bear(world.settle, world)
    await bear(lambda: world.minutes(2), world)
    return world, cluster


def outcome(world: WarmWorld) -> dict[str, Any]:
    return {
        "replicas": world.replicas,
        "awake": world.awake,
        "decisions": [(d.action, d.reason) for d in world.status.memory.decisions],
        "objects": sorted((kind, name) for kind, _, name in world.cluster.objects if kind != "Pod"),
        "warm": (world.condition("WarmSwitching")["status"], world.condition("WarmSwitching")["reason"]),
    }


def assert_never_twice(world: WarmWorld, where: str) -> None:
    for replica in world.fleet.replicas.values():
        assert all(one != other for one, other in pairwise(replica.switched)), where
    assert world.serving == 3, where


async def test_a_process_killed_after_any_order_or_write_of_a_switch_is_carried_on_to_the_same_end(
    fault: Callable[..., None],
) -> None:
    told, cluster = await story()
    expected, writes, orders = outcome(told), len(cluster.written), told.fleet.orders
    assert orders >= 6
    for number in range(1, orders + 1):
        world, _ = await story(kill_order=number)
        where = f"killed after order {number} of {orders}"
        assert outcome(world) == expected, where
        assert_never_twice(world, where)
    for number in range(1, writes + 1, 3):
        world, _ = await story(kill_write=number)
        where = f"killed after write {number} of {writes}"
        assert outcome(world) == expected, where
        assert_never_twice(world, where)
    what = f"SIGKILL after each of {orders} orders to warm replicas, and after every third of {writes} writes"
    fault(what, "same end, no switch twice, every pod serves on")

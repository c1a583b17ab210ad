"""Full listings."""

from tests.support.fake_cluster import FakeCluster
from tests.support.world import KEY, FakeClock, World

from breakeven.api.base import KIND
from breakeven.control.cache import Cache
from breakeven.control.resync import Resync


async def test_deletion_that_the_watch_missed_is_found() -> None:
    world = World()
    await world.settle()
    world.watch()
    resync = Resync(world.cluster, world.cache, [])
    assert await resync.run() == set()
    world.cluster.remove("Pod", world.cluster.of("Pod")[0]["metadata"]["name"])
    assert await resync.run() == {KEY}
    assert len(world.cache.owned("Pod", KEY)) == 3


async def test_resource_that_vanished_with_all_its_kind_is_forgotten() -> None:
    world = World()
    await world.settle()
    world.watch()
    world.cluster.remove(KIND, KEY.name)
    assert KEY in await Resync(world.cluster, world.cache, []).run()
    assert world.cache.resources() == set()


async def test_pod_monitors_are_listed_only_where_they_are_served() -> None:
    cluster = FakeCluster(now=FakeClock().now)
    resync = Resync(cluster, Cache(), ["a", "b"])
    await resync.run()
    assert not resync.pod_monitors
    assert "PodMonitor" not in {c.kind for c in cluster.calls}
    cluster.kinds.add("PodMonitor")
    await resync.run()
    assert resync.pod_monitors
    assert len([c for c in cluster.calls if c.kind == "PodMonitor"]) == 2

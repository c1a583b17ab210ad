"""Several operators in one cluster, each with the resources of its labels: every one belongs to exactly one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.world import World, resource

from breakeven.api.base import KIND
from breakeven.control.ports import Key
from breakeven.control.shard import Shard

SHARDS = ("shard=a", "shard = b, !legacy", "shard!=a,shard!=b", "shard==b,legacy")
KEYS = [Key("inference", name) for name in ("one", "two")]


class Operator:
    """One process with a shard, over the cluster of a world."""

    def __init__(self, world: World, selector: str) -> None:
        world.start(Shard.selected_by(selector))
        self.world, self.cache, self.reconciler = world, world.cache, world.reconciler

    async def turns(self, count: int = 6) -> set[str]:
        """Passes for every key that there is, its own or not; answers which resources it touched."""
        touched: set[str] = set()
        for _ in range(count):
            self.world.cache = self.cache
            self.world.watch()
            before = len(self.world.cluster.writes())
            for key in KEYS:
                await self.reconciler.reconcile(key)
                touched |= {key.name for _ in self.world.cluster.writes()[before:]}
                before = len(self.world.cluster.writes())
            self.world.controllers.step()
        return touched


def two_resources() -> World:
    world = World()
    world.cluster.remove(KIND, "llama")
    for key, shard in zip(KEYS, "ab", strict=True):
        made = resource(replicas=1)
        made["metadata"] |= {"name": key.name, "labels": {"shard": shard}}
        world.cluster.create(made)
    return world


async def test_operators_with_other_labels_do_not_touch_each_others_resources() -> None:
    world = two_resources()
    first, second = Operator(world, "shard=a"), Operator(world, "shard!=a")
    assert await first.turns() == {"one"}
    assert await second.turns() == {"two"}
    assert await first.turns(1) == await second.turns(1) == set()
    assert (first.cache.resources(), second.cache.resources()) == ({KEYS[0]}, {KEYS[1]})


async def test_resource_that_gets_another_label_is_carried_on_by_the_other_operator() -> None:
    world = two_resources()
    first, second = Operator(world, "shard=a"), Operator(world, "shard=b")
    await first.turns()
    await second.turns()
    before = [(o["metadata"]["name"], o["spec"]["replicas"]) for o in world.cluster.of("Deployment")]

    def relabel(body: dict[str, Any]) -> None:
        body["metadata"]["labels"]["shard"] = "b"
        body["spec"]["replicas"] = 2

    world.cluster.edit(KIND, "one", relabel)
    assert await first.turns() == set()
    assert await second.turns() == {"one"}
    after = [(o["metadata"]["name"], o["spec"]["replicas"]) for o in world.cluster.of("Deployment")]
    assert [n for n, _ in after] == [n for n, _ in before]
    assert dict(after) != dict(before)


async def test_label_that_changes_while_a_pass_is_under_way_ends_it() -> None:
    world = two_resources()
    first = Operator(world, "shard=a")
    world.cluster.meanwhile = (
        ("get", KIND),
        lambda: world.cluster.edit(KIND, "one", lambda o: o["metadata"]["labels"].update(shard="b")),
    )
    assert await first.turns() == set()
    assert world.cluster.of("Deployment") == []


@given(st.dictionaries(st.sampled_from(["shard", "legacy", "team"]), st.sampled_from(["a", "b", "c", ""])))
def test_shards_that_divide_everything_leave_each_resource_to_exactly_one(labels: dict[str, str]) -> None:
    assert sum(Shard.selected_by(selector).has(labels) for selector in SHARDS) == 1


@pytest.mark.parametrize("labels", [{}, {"a": "b"}])
def test_no_selector_is_every_resource(labels: dict[str, str]) -> None:
    assert Shard.selected_by("").has(labels)

"""What one tenant writes costs that tenant only."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.world import KEY, World, resource

from breakeven.app import RECURSION_LIMIT
from breakeven.control.ports import Key

OTHER = Key(KEY.namespace, "deep")


@pytest.fixture(autouse=True)
def as_in_the_operator() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION_LIMIT)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("levels", [30, 700, 9_000])
async def test_resource_nested_too_deep_is_stalled_by_name_after_a_restart_and_the_others_are_served(
    levels: int,
) -> None:
    deep: Any = "end"
    for _ in range(levels):
        deep = {"a": deep}
    world = World(replicas=2)
    hostile = resource(podTemplate={"spec": deep})
    hostile["metadata"]["name"] = OTHER.name
    world.cluster.create(hostile)
    world.start()
    await world.settle()
    await world.reconciler.reconcile(OTHER)
    assert world.serving == 2
    status = world.cluster.objects["SpeculativeDeployment", OTHER.namespace, OTHER.name]["status"]
    (stalled,) = (c for c in status["conditions"] if c["type"] == "Stalled")
    assert stalled["status"] == "True"
    assert "podTemplate.spec" in stalled["message"]
    assert "nested deeper than" in stalled["message"]

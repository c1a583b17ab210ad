"""What one tenant writes costs that tenant only."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.hostile_specs import hostile_specs
from tests.support.world import KEY, World, resource

from breakeven.api.base import KIND
from breakeven.app import RECURSION_LIMIT
from breakeven.control.errors import ControlError
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


STATUSES: tuple[Any, ...] = (
    None,
    {"memory": "{"},
    {"memory": '{"attempts": -5}'},
    {"memory": '{"cooldownUntil": "9999-12-31T23:59:59-23:00"}'},
    {"memory": '{"stable":' * 20_000},
    {"memory": '{"state": "Speculating", "holdback": true, "attempts": 1000000000000000}'},
    {"conditions": [{"type": "Ready", "status": "True", "reason": "x", "lastTransitionTime": "0001-01-01T00:00:00Z"}]},
    {"replicas": 10**30, "variants": []},
)


async def test_among_many_hostile_resources_no_pass_is_a_bug_and_the_good_one_is_served() -> None:
    world = World(gpus=10_000, replicas=2)
    keys = []
    for number, spec in enumerate(hostile_specs(200)):
        body = resource()
        body["metadata"]["name"], body["spec"] = f"h{number}", spec
        made = world.cluster.create(body)
        if (status := STATUSES[number % len(STATUSES)]) is not None:
            world.cluster.edit(KIND, made["metadata"]["name"], lambda o, s=status: o.__setitem__("status", s))
        keys.append(Key(KEY.namespace, made["metadata"]["name"]))
    world.start()
    world.watch()
    outcomes: Counter[str] = Counter()
    for key in keys:
        for _ in range(2):
            try:
                await world.reconciler.reconcile(key)
            except ControlError as error:
                outcomes[type(error).__name__] += 1
            else:
                outcomes["done"] += 1
    assert outcomes["done"] > 100
    assert outcomes["Refused"] > 10
    await world.settle()
    served = world.cluster.objects[KIND, KEY.namespace, KEY.name]["status"]
    assert served["readyReplicas"] == 2

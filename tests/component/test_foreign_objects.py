"""Objects that carry our labels or our names and are not ours: left alone, not counted, and named."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.world import KEY, World

Manifest = dict[str, Any]


def copied(world: World, name: str, **changes: Any) -> Manifest:
    """`kubectl get deployment -o yaml`, another name, `kubectl apply`."""
    made = copy.deepcopy(world.cluster.of("Deployment")[0])
    made["metadata"]["name"] = name
    made["metadata"].update(changes)
    return world.cluster.create(made)


def without_owner(world: World) -> Manifest:
    return copied(world, "llama-copy", ownerReferences=[])


def with_our_owner_reference(world: World) -> Manifest:
    return copied(world, "llama-copy")


def of_another_controller(world: World) -> Manifest:
    owner = {"apiVersion": "x/v1", "kind": "Rollout", "name": "search", "uid": "x", "controller": True}
    return copied(world, "llama-copy", ownerReferences=[owner])


COPIES = [without_owner, with_our_owner_reference, of_another_controller]


@pytest.mark.parametrize("make", COPIES)
async def test_copy_of_a_deployment_is_left_alone_and_scales_nothing(make: Callable[[World], Manifest]) -> None:
    world = World()
    await world.settle()
    own = dict(world.replicas)
    make(world)
    world.cluster.calls.clear()
    await world.settle()
    assert world.replicas == {**own, "llama-copy": 4}
    assert [c for c in world.cluster.writes() if c.verb != "status"] == []
    assert world.body["status"]["replicas"] == 4
    found = world.condition("ForeignObjects")
    assert found["status"] == "True"
    assert "Deployment llama-copy" in found["message"]
    assert "breakeven.dev/resource" in found["message"]
    assert [r for r, _ in world.events.posted].count("LabelsOfThisResource") == 1
    assert world.condition("Ready")["status"] == "True"


@pytest.mark.parametrize("make", COPIES)
async def test_condition_goes_with_the_foreign_object(make: Callable[[World], Manifest]) -> None:
    world = World()
    await world.settle()
    make(world)
    await world.settle()
    world.cluster.remove("Deployment", "llama-copy")
    await world.settle()
    assert world.condition("ForeignObjects") == {}


async def test_empty_deployments_of_others_are_never_deleted() -> None:
    world = World()
    await world.settle()
    for number in range(4):
        made = copied(world, f"llama-{number}", ownerReferences=[], labels=_labels(variant=f"foreign{number}"))
        world.cluster.edit("Deployment", made["metadata"]["name"], lambda d: d["spec"].update(replicas=0))
    await world.settle()
    assert len(world.cluster.of("Deployment")) == 5


def _labels(*, variant: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "breakeven",
        "breakeven.dev/resource": KEY.name,
        "breakeven.dev/variant": variant,
    }


@pytest.mark.parametrize("kind", ["Service", "Pod"])
async def test_labelled_object_of_another_kind_is_named_and_not_counted(kind: str) -> None:
    world = World()
    await world.settle()
    variant = world.status.details.variants[0].name
    world.cluster.create(
        {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": "search", "namespace": KEY.namespace, "labels": _labels(variant=variant)},
            "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}]},
        }
    )
    world.watch()
    await world.once()
    assert f"{kind} search" in world.condition("ForeignObjects")["message"]
    assert (world.body["status"]["replicas"], world.body["status"]["readyReplicas"]) == (4, 4)
    assert [p.name for pods in world.metrics.queries[KEY].pods.values() for p in pods].count("search") == 0


async def test_deployment_of_somebody_else_with_our_name_is_left_as_it_is_and_named() -> None:
    world = World()
    await world.settle()
    name = world.cluster.of("Deployment")[0]["metadata"]["name"]
    foreign = copy.deepcopy(world.cluster.of("Deployment")[0])
    world.cluster.remove("Deployment", name)
    foreign["metadata"] |= {"ownerReferences": [{"kind": "Rollout", "name": "search", "uid": "x", "controller": True}]}
    foreign["spec"]["replicas"] = 1
    before = world.cluster.create(foreign)
    for _ in range(3):
        with pytest.raises(Exception, match=f"Deployment {name} is there already and belongs to Rollout search"):
            await world.once()
    assert world.cluster.of("Deployment") == [before]
    assert name in world.condition("Stalled")["message"]


async def test_orphans_of_a_deleted_resource_are_taken_in_again_with_their_replicas() -> None:
    world = World()
    await world.settle()
    name = world.cluster.of("Deployment")[0]["metadata"]["name"]
    world.cluster.edit("Deployment", name, lambda d: d["metadata"].pop("ownerReferences"))
    await world.settle()
    assert world.least_serving == 4
    assert world.cluster.of("Deployment")[0]["metadata"]["ownerReferences"][0]["uid"] == world.body["metadata"]["uid"]
    assert world.condition("ForeignObjects") == {}
    assert [r for r, _ in world.events.posted].count("LabelsOfThisResource") == 0

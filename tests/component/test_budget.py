"""The disruption budget of a resource, from being asked for to being taken back."""

from tests.support.world import World

KIND = "PodDisruptionBudget"


async def test_it_is_made_when_asked_for_follows_the_spec_and_goes_when_taken_back() -> None:
    world = World()
    await world.settle()
    assert world.cluster.of(KIND) == []
    world.edit_spec(disruptionBudget={"maxUnavailable": 2})
    await world.settle()
    (made,) = world.cluster.of(KIND)
    assert made["spec"]["maxUnavailable"] == 2
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner["uid"] == world.body["metadata"]["uid"]
    world.edit_spec(disruptionBudget={})
    await world.settle()
    assert [b["spec"]["maxUnavailable"] for b in world.cluster.of(KIND)] == [1]
    world.edit_spec(disruptionBudget=None)
    await world.settle()
    assert world.cluster.of(KIND) == []


async def test_a_budget_of_somebody_else_stays_as_it_is() -> None:
    world = World()
    await world.settle()
    theirs = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "theirs"}}}
    meta = {"name": "theirs", "namespace": world.body["metadata"]["namespace"]}
    world.cluster.create({"apiVersion": "policy/v1", "kind": KIND, "metadata": meta, "spec": theirs})
    world.edit_spec(disruptionBudget={})
    await world.settle()
    world.edit_spec(disruptionBudget=None)
    await world.settle()
    assert [b["spec"] for b in world.cluster.of(KIND)] == [theirs]

"""Replicas that hold two variants, from the resource to the orders that they are given."""

import json
from itertools import pairwise
from typing import Any

import pytest
from tests.support.warm_world import FakeReplica, WarmWorld

from breakeven.api.base import KIND
from breakeven.control.warm.state import LastSwitch


def slots(world: WarmWorld) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        next(m for m in world.cluster.of("ConfigMap") if m["metadata"]["name"].endswith("-slots"))["data"]["slots.json"]
    )
    return found


async def test_one_deployment_holds_both_variants_and_serves_the_plain_one_first() -> None:
    world = WarmWorld(replicas=3)
    await world.settle()
    assert list(world.replicas.values()) == [3]
    assert next(iter(world.replicas)).endswith("-warm")
    assert world.awake == [world.stable] * 3
    assert [v["speculates"] for v in slots(world)["variants"]] == [False, True]
    assert world.condition("WarmSwitching")["status"] == "True"
    assert world.status.ready == "3/3"


async def test_a_trial_and_its_promotion_move_no_pod() -> None:
    world = WarmWorld(replicas=3)
    await world.settle()
    before = {p["metadata"]["uid"] for p in world.cluster.of("Pod")}
    plain = world.stable
    world.command("retry/1")
    await world.minutes(4)
    woken = {name for r in world.fleet.replicas.values() for name in r.switched}
    assert len(woken) == 2
    world.command("promote/1")
    await world.settle()
    assert world.stable != plain
    assert world.awake == [world.stable] * 3
    assert {p["metadata"]["uid"] for p in world.cluster.of("Pod")} == before
    assert world.least_serving == 3


async def test_a_switch_waits_for_no_file_and_says_so_at_once() -> None:
    world = WarmWorld(replicas=1)
    await world.settle()
    plain, world.fleet.reads_late = world.stable, True
    world.command("retry/1")
    await world.minutes(1)
    world.command("promote/1")
    await world.settle()
    assert slots(world)["first"] == world.stable != plain
    assert world.awake == [world.stable]
    assert world.condition("WarmSwitching")["status"] == "True"


async def test_one_replica_is_tried_on_without_downtime() -> None:
    world = WarmWorld(replicas=1)
    await world.settle()
    world.command("retry/1")
    await world.minutes(4)
    assert len(set(next(iter(world.fleet.replicas.values())).switched)) == 2
    assert world.serving == 1


async def test_nothing_is_switched_without_the_lease() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    world.command("retry/1")
    world.leadership.leads = False
    await world.minutes(2)
    assert all(not r.switched for r in world.fleet.replicas.values())


async def test_a_paused_resource_is_looked_at_and_not_switched() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    world.command("retry/1")
    world.edit_spec(policy={"switching": {"mode": "Warm"}, "paused": True})
    await world.minutes(4)
    assert all(not r.switched for r in world.fleet.replicas.values())


async def test_a_replica_that_does_not_answer_serves_on_and_is_named() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    address = world.cluster.of("Pod")[0]["status"]["podIP"]
    world.fleet.silent.add(address)
    await world.minutes(2)
    said = world.condition("WarmSwitching")
    assert (said["status"], said["reason"]) == ("False", "ReplicaSilent")
    assert "8001" in said["message"]
    assert world.events.warnings.count("ReplicaSilent") == 1
    assert world.status.ready == "2/2"


async def test_a_variant_that_does_not_wake_is_said_and_tried_again_with_growing_pauses() -> None:
    world = WarmWorld(replicas=1)
    await world.settle()
    world.command("retry/1")
    world.fleet.stubborn.add(slots(world)["variants"][1]["variant"])
    await world.minutes(1)
    calls = world.fleet.called.count(world.cluster.of("Pod")[0]["status"]["podIP"])
    await world.minutes(10)
    assert world.fleet.called.count(world.cluster.of("Pod")[0]["status"]["podIP"]) - calls < 40
    assert world.awake == [world.stable]


async def with_a_dead_draft(world: WarmWorld, deaths: int) -> tuple[FakeReplica, str]:
    """One replica in which the engine with the draft has died so often, five minutes later, and that variant."""
    await world.settle()
    await world.minutes(2)
    replica = next(iter(world.fleet.replicas.values()))
    draft = next(name for name in replica.variants if name != replica.awake)
    replica.failed.add(draft)
    replica.died[draft] = deaths
    await world.minutes(5)
    return replica, draft


@pytest.mark.parametrize(("deaths", "comes_back"), [(1, True), (3, True), (4, False), (0, False)])
async def test_an_engine_that_died_is_loaded_again_and_one_that_keeps_dying_is_named(
    deaths: int, comes_back: bool
) -> None:
    world = WarmWorld(replicas=2)
    replica, draft = await with_a_dead_draft(world, deaths)
    assert (draft not in replica.failed) is comes_back
    said = world.condition("WarmSwitching")
    assert said["reason"] == ("VariantsResident" if comes_back else "VariantFailed")


async def test_the_last_replica_is_not_taken_away_to_load_an_engine_that_died() -> None:
    world = WarmWorld(replicas=1)
    replica, draft = await with_a_dead_draft(world, 1)
    said = world.condition("WarmSwitching")
    assert draft in replica.failed
    assert said["reason"] == "LoadingEngine"
    assert "died" in said["message"] and "the last serving replica" in said["message"]
    world.command("retry/1")
    replica.last = LastSwitch(id="x", to=draft, seconds=1, at=world.clock.now(), error="it ended with -9")
    await world.minutes(2)
    assert world.condition("WarmSwitching")["reason"] == "LoadingEngine"  # rather than that it was not switched


async def test_an_order_whose_answer_was_lost_is_not_carried_out_twice() -> None:
    world = WarmWorld(replicas=1)
    await world.settle()
    world.fleet.lost_answers = 1
    world.command("retry/1")
    await world.minutes(1)
    replica = next(iter(world.fleet.replicas.values()))
    assert len(replica.switched) <= 2
    assert all(one != other for one, other in pairwise(replica.switched))


async def test_without_a_key_nothing_is_made_and_the_field_is_named() -> None:
    world = WarmWorld(replicas=2)
    world.key.key = b""
    await world.settle()
    assert world.cluster.of("Deployment") == []
    assert "spec.policy.switching.mode" in world.condition("Stalled")["message"]
    world.key.key = b"sixteen bytes at least"
    await world.settle()
    assert world.status.ready == "2/2"


async def test_a_key_that_vanishes_touches_nothing_that_runs() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    world.key.key = b""
    await world.settle()
    assert list(world.replicas.values()) == [2]
    assert world.serving == 2


async def test_another_key_changes_the_slots_file_alone() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    pods = {p["metadata"]["uid"] for p in world.cluster.of("Pod")}
    before = slots(world)["tokenSha256"]
    world.key.key = b"another key, as secret as the first"
    world.edit_spec(replicas=2, policy={"switching": {"mode": "Warm", "drainTimeout": "10s"}})
    await world.settle()
    assert slots(world)["tokenSha256"] != before
    assert {p["metadata"]["uid"] for p in world.cluster.of("Pod")} == pods


async def test_mode_is_changed_on_a_living_resource_without_stopping_what_serves_last() -> None:
    world = WarmWorld(replicas=3, policy={})
    await world.settle()
    assert not next(iter(world.replicas)).endswith("-warm")
    world.edit_spec(policy={"switching": {"mode": "Warm"}})
    await world.settle()
    assert [name.endswith("-warm") for name in world.replicas] == [True]
    assert world.least_serving >= 2
    world.edit_spec(policy={})
    await world.settle()
    assert [name.endswith("-warm") for name in world.replicas] == [False]
    assert world.least_serving >= 2


async def test_a_pod_with_our_labels_that_is_not_ours_is_never_called() -> None:
    world = WarmWorld(replicas=1)
    await world.settle()
    ours = world.cluster.of("Pod")[0]
    foreign = {
        **ours,
        "metadata": {
            "name": "intruder",
            "namespace": "inference",
            "labels": ours["metadata"]["labels"],
            "ownerReferences": [{**ours["metadata"]["ownerReferences"][0], "kind": "StatefulSet"}],
        },
        "status": {**ours["status"], "podIP": "10.9.9.9"},
    }
    world.cluster.create(foreign)
    world.command("retry/1")
    await world.minutes(3)
    assert world.fleet.called
    assert "10.9.9.9" not in world.fleet.called


async def test_a_new_process_asks_first_and_goes_on_where_the_old_one_was() -> None:
    world = WarmWorld(replicas=2)
    await world.settle()
    world.command("retry/1")
    await world.minutes(2)
    world.command("promote/1")
    await world.settle()
    decisions = [(d.action, d.reason) for d in world.status.memory.decisions]
    switched = {uid: list(r.switched) for uid, r in world.fleet.replicas.items()}
    world.start()
    await world.settle()
    assert [(d.action, d.reason) for d in world.status.memory.decisions] == decisions
    assert {uid: r.switched for uid, r in world.fleet.replicas.items()} == switched


async def test_a_resource_that_cannot_be_warm_is_refused_by_name() -> None:
    world = WarmWorld(replicas=2, engine={"image": "vllm/vllm-openai:v0.12.0"})
    await world.settle()
    assert world.cluster.of("Deployment") == []
    said = world.condition("ConfigurationValid")
    assert said["status"] == "False"
    assert "policy.switching.mode" in said["message"]
    assert KIND in {k for k, _, _ in world.cluster.objects}

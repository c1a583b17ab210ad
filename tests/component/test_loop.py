"""The whole loop over an API server in memory."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.support.world import KEY, World, plain_decide

from breakeven.api.base import KIND
from breakeven.api.status import Memory, State
from breakeven.control.errors import Conflict, Retry
from breakeven.domain.counters.observation import Observation
from breakeven.domain.decision import Decision, Declared


def deployment(world: World, *, speculating: bool) -> str:
    variants = {v.name: v for v in (world.status.memory.stable, world.status.memory.canary) if v}
    return next(f"{KEY.name}-{n}" for n, v in variants.items() if v.speculates is speculating)


async def test_first_rollout_starts_every_replica_at_once() -> None:
    world = World()
    await world.once()
    assert list(world.replicas.values()) == [4]
    await world.settle()
    assert world.serving == 4
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Reconciling") == {}
    assert world.body["status"]["observedGeneration"] == 1
    assert world.cluster.of("Service")


async def test_steady_state_neither_reads_nor_writes() -> None:
    world = World()
    await world.settle()
    world.cluster.calls.clear()
    for _ in range(5):
        await world.turn()
    assert world.cluster.calls == []


async def test_canary_takes_a_replica_and_never_more_gpus_than_there_were() -> None:
    world = World(gpus=4)
    await world.settle()
    world.command("retry")
    await world.settle()
    assert sorted(world.replicas.values()) == [1, 3]
    assert world.replicas[deployment(world, speculating=True)] == 1
    assert world.controllers.peak_gpus == 4
    assert world.least_serving == 3


async def test_promotion_moves_one_replica_at_a_time() -> None:
    world = World(gpus=4)
    await world.settle()
    world.command("retry/1")
    await world.settle()
    world.command("promote/1")
    await world.settle()
    assert world.replicas == {deployment(world, speculating=True): 4}
    assert world.controllers.peak_gpus == 4
    assert world.least_serving == 3
    assert world.status.state is State.SPECULATING


async def test_canary_that_crashes_is_taken_back_and_followed_by_no_more() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.once()
    world.controllers.broken.add(deployment(world, speculating=True))
    await world.settle()
    assert list(world.replicas.values()) == [4]
    assert world.serving == 4
    assert ("Abort", "EngineFailing") in world.recorder.decisions
    assert world.condition("Ready")["status"] == "True"


async def test_canary_is_smoke_tested_at_its_own_address_before_it_counts() -> None:
    world = World()
    world.smoke_test.answer = "at temperature 0.8: HTTP 500"
    await world.settle()
    assert world.smoke_test.requests == []
    world.command("retry/1")
    await world.settle()
    assert len(world.smoke_test.requests) == 1
    assert ("Abort", "Aborted") in world.recorder.decisions
    assert list(world.replicas.values()) == [4]


async def test_last_serving_replica_is_not_stopped_and_the_condition_says_what_is_needed() -> None:
    world = World(gpus=1, replicas=1)

    def switch(declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
        """With one replica the trial takes the place of the stable variant."""
        made = plain_decide(declared, memory, observation, now)
        if made.memory.canary is None:
            return made
        stable, canary = made.placements
        return replace(made, placements=(replace(stable, replicas=0), replace(canary, replicas=1)))

    world.decide = switch
    world.start()
    await world.settle()
    serving = dict(world.replicas)
    world.command("retry/1")
    await world.settle()
    assert world.replicas == serving
    assert world.least_serving == 1
    found = world.condition("CapacityAvailable")
    assert (found["status"], found["reason"]) == ("False", "LastReplica")
    assert "4 GPUs (H100 or H200)" in found["message"]
    assert "surge" in found["message"]
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("SpeculationActive")["status"] == "False"
    world.edit_spec(policy={"switching": {"allowDowntime": True}})
    await world.settle()
    assert list(world.replicas) == [deployment(world, speculating=True)]


async def test_new_process_in_the_middle_of_a_canary_repeats_and_forgets_nothing() -> None:
    world = World(gpus=4)
    await world.settle()
    world.command("retry/1")
    for _ in range(2):
        await world.turn()
    before = world.status
    world.start()
    await world.settle()
    assert world.status.details.decisions == before.details.decisions
    assert world.status.memory.canary == before.memory.canary
    assert world.recorder.decisions == [("StartTrial", "Retry")]
    assert sorted(world.replicas.values()) == [1, 3]
    assert world.controllers.peak_gpus == 4


@pytest.mark.parametrize("verb", ["status", "apply"])
async def test_process_that_dies_between_two_writes_is_carried_on(verb: str) -> None:
    world = World(gpus=4)
    await world.settle()
    world.command("retry/1")
    world.cluster.fail_next(verb, KIND if verb == "status" else "Deployment", Retry("connection reset"))
    await world.turn()
    world.start()
    await world.settle()
    assert world.recorder.decisions == [("StartTrial", "Retry")]
    assert [d.action for d in world.status.details.decisions] == ["StartTrial"]
    assert sorted(world.replicas.values()) == [1, 3]


async def test_outage_of_prometheus_holds_and_toggles_nothing() -> None:
    world = World()
    await world.settle()
    world.metrics.outage("PrometheusUnreachable")
    replicas = dict(world.replicas)
    await world.settle()
    assert world.replicas == replicas
    found = world.condition("MetricsAvailable")
    assert (found["status"], found["reason"]) == ("False", "PrometheusUnreachable")
    assert world.status.hold == "NoData: connection refused"
    assert world.condition("Ready")["status"] == "True"
    world.metrics.back()
    await world.settle()
    assert world.condition("MetricsAvailable")["status"] == "True"
    assert world.status.hold == ""


async def test_edited_deployment_and_service_are_repaired() -> None:
    world = World()
    await world.settle()
    name = next(iter(world.replicas))
    world.cluster.edit("Deployment", name, lambda d: d["spec"].update(replicas=1))
    world.cluster.edit("Service", world.cluster.of("Service")[0]["metadata"]["name"], _hijack)
    await world.settle()
    assert world.replicas == {name: 4}
    assert world.cluster.of("Service")[0]["spec"]["selector"]["breakeven.dev/resource"] == KEY.name


def _hijack(service: dict[str, Any]) -> None:
    service["spec"]["selector"]["breakeven.dev/resource"] = "somebody-else"


async def test_deleted_deployment_comes_back() -> None:
    world = World()
    await world.settle()
    world.cluster.remove("Deployment", next(iter(world.replicas)))
    await world.settle()
    assert world.serving == 4


async def test_user_scales_directly() -> None:
    world = World()
    await world.settle()
    world.edit_spec(replicas=7)
    await world.once()
    assert list(world.replicas.values()) == [7]
    await world.settle()
    world.edit_spec(replicas=2)
    await world.once()
    assert list(world.replicas.values()) == [2]
    await world.settle()
    world.edit_spec(replicas=0)
    await world.settle()
    assert world.replicas == {}
    assert world.condition("Ready")["reason"] == "ScaledToZero"


async def test_deleted_resource_is_forgotten_and_leaves_nothing() -> None:
    world = World()
    await world.settle()
    world.cluster.remove(KIND, KEY.name)
    world.controllers.settle()
    await world.once()
    assert world.recorder.forgotten == [KEY]
    assert world.metrics.queries == {}
    assert world.cluster.of("Deployment") == world.cluster.of("Pod") == world.cluster.of("Service") == []


async def test_configuration_that_cannot_be_rendered_makes_no_pod_and_names_the_field() -> None:
    world = World(engine={"image": "vllm/vllm-openai@sha256:" + "0" * 64})
    await world.settle()
    assert world.cluster.of("Deployment") == []
    found = world.condition("Stalled")
    assert found["status"] == "True"
    assert "spec.engine" in found["message"]
    assert "write the vLLM version of the image" in found["message"]
    assert world.condition("Ready")["status"] == "False"


async def test_bad_edit_leaves_what_runs_running() -> None:
    world = World()
    await world.settle()
    replicas = dict(world.replicas)
    world.edit_spec(engine={"image": "vllm/vllm-openai:v0.11.0", "extraArgs": ["--speculative-config", "{}"]})
    await world.settle()
    assert world.replicas == replicas
    assert world.serving == 4
    assert world.condition("Stalled")["status"] == "True"
    world.edit_spec(engine={"image": "vllm/vllm-openai:v0.11.0"})
    await world.settle()
    assert world.condition("Stalled") == {}


async def test_spec_that_cannot_be_read_ends_in_a_condition_that_names_the_field() -> None:
    world = World(replicas="four")
    await world.settle()
    assert world.condition("ConfigurationValid")["status"] == "False"
    assert "spec.replicas" in world.condition("ConfigurationValid")["message"]


async def test_process_that_does_not_lead_writes_nothing() -> None:
    world = World()
    world.leadership.leads = False
    await world.once()
    assert world.cluster.writes() == []


async def test_lease_lost_between_reading_and_writing_stops_the_write() -> None:
    world = World()
    world.leadership.good_for = 1
    with pytest.raises(Conflict):
        await world.once()
    assert world.cluster.writes() == []


async def test_paused_changes_no_replica() -> None:
    world = World()
    await world.settle()
    replicas = dict(world.replicas)
    world.edit_spec(policy={"paused": True})
    world.command("retry/1")
    await world.settle()
    assert world.replicas == replicas
    assert world.condition("Paused")["status"] == "True"
    assert world.condition("Reconciling") == {}


async def test_each_decision_is_one_event_with_the_words_of_the_condition() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.settle()
    posted = [m for r, m in world.events.posted if r == "StartTrial"]
    assert posted == [world.condition("SpeculationActive")["message"]]


async def test_command_is_consumed_once() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.settle()
    world.command("abort/1")
    await world.settle()
    world.edit_spec(replicas=5)
    await world.settle()
    assert [a for a, _ in world.recorder.decisions] == ["StartTrial", "Abort"]
    assert world.status.memory.command == "abort/1"


async def test_a_node_short_of_gpus_is_reported_in_the_schedulers_words() -> None:
    world = World(gpus=3)
    await world.settle()
    assert world.serving == 3
    found = world.condition("CapacityAvailable")
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in found["message"]
    assert world.condition("Ready")["status"] == "False"


async def test_old_variants_are_deleted_but_the_last_verified_one_is_kept() -> None:
    world = World()
    await world.settle()
    world.command("retry/1")
    await world.settle()
    world.command("promote/1")
    await world.settle()
    good = world.status.memory.last_good
    assert good is not None
    for version in ("v0.11.1", "v0.11.2", "v0.12.0"):
        world.edit_spec(engine={"image": f"vllm/vllm-openai:{version}"})
        await world.settle()
    names = {d["metadata"]["name"] for d in world.cluster.of("Deployment")}
    assert f"{KEY.name}-{good.variant.name}" in names
    assert len(names) == 3


async def test_speculation_that_cannot_be_switched_off_is_reported_as_running() -> None:
    world = World(gpus=1, replicas=1, policy={"mode": "AlwaysOn"})
    await world.settle()
    running = dict(world.replicas)
    world.edit_spec(policy={"mode": "AlwaysOff"}, target={"model": "meta-llama/Llama-3.1-8B-Instruct"})
    await world.settle()
    assert world.replicas == running
    found = world.condition("SpeculationActive")
    assert found["status"] == "True"
    assert found["reason"] == "SwitchBlocked"
    assert found["message"].startswith("Decided but not carried out")


async def test_what_serves_behind_a_blocked_switch_is_unknown_after_an_upgrade_that_never_reported_it() -> None:
    world = World(gpus=1, replicas=1, policy={"mode": "AlwaysOn"})
    await world.settle()

    def older_release(resource: dict[str, Any]) -> None:
        details = json.loads(resource["status"].pop("details"))
        resource["status"] |= {"variants": details["variants"]}
        for variant in details["variants"]:
            del variant["speculates"]

    world.cluster.edit(KIND, KEY.name, older_release)
    world.edit_spec(policy={"mode": "AlwaysOff"}, target={"model": "meta-llama/Llama-3.1-8B-Instruct"})
    await world.settle()
    assert world.condition("SpeculationActive")["status"] == "Unknown"

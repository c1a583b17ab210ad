"""The pod template in the team's own Deployment: rendered from, followed, never written, and not always there."""

import json
from functools import partial
from typing import Any

import pytest
from tests.support.fake_cluster import FakeCluster
from tests.support.world import KEY, World

from breakeven.api.base import KIND
from breakeven.control.errors import Refused
from breakeven.control.fitness import fitness
from breakeven.control.parsed_resource import read
from breakeven.control.workloads import Workloads
from breakeven.settings import POD_TEMPLATE_DENY

NAME = "team"


def theirs(image: str = "vllm/vllm-openai:v0.11.0", **container: Any) -> dict[str, Any]:
    engine: dict[str, Any] = {
        "name": "vllm",
        "image": image,
        "command": ["vllm", "serve", "meta-llama/Llama-3.1-70B-Instruct"],
    }
    engine |= {"args": ["-tp=4", "--max-num-seqs=64"], "resources": {"limits": {"nvidia.com/gpu": 4}}}
    template = {"metadata": {"labels": {"app": "llama"}}, "spec": {"containers": [engine | container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": KEY.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "llama"}}, "template": template},
    }


class Referring(World):
    """A resource that refers to a Deployment."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster.edit(KIND, KEY.name, self._refer)

    @staticmethod
    def _refer(resource: dict[str, Any]) -> None:
        for part in ("engine", "target", "hardware"):
            del resource["spec"][part]
        resource["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}

    @property
    def ours(self) -> list[dict[str, Any]]:
        """Deployments that were made for it."""
        return [d for d in self.cluster.of("Deployment") if d["metadata"]["name"] != NAME]

    def edit_theirs(self, change: Any) -> None:
        """The team changes its Deployment; the watch shows it."""
        self.cluster.edit("Deployment", NAME, change)
        self.show()

    def show(self, *, gone: bool = False) -> None:
        obj = next((d for d in self.cluster_copy("Deployment") if d["metadata"]["name"] == NAME), theirs())
        self.cache.workloads.seen(obj, gone=gone)


def arguments(deployment: dict[str, Any]) -> list[str]:
    found: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


async def test_variants_are_rendered_from_the_teams_deployment_which_is_never_written() -> None:
    world = Referring()
    world.cluster.create(theirs())
    await world.settle()
    (made,) = world.ours
    assert "--max-num-seqs=64" in arguments(made)
    assert "--tensor-parallel-size=4" in arguments(made)
    assert made["spec"]["template"]["metadata"]["labels"]["app"] == "llama"
    assert (world.serving, world.condition("Stalled")) == (4, {})
    written = {call.name for call in world.cluster.calls if call.verb in ("apply", "delete")}
    assert NAME not in written


async def test_a_change_of_it_is_followed_as_a_change_of_spec_and_scaling_it_is_not() -> None:
    world = Referring()
    world.cluster.create(theirs())
    await world.settle()
    (before,) = world.ours
    world.edit_theirs(lambda d: d["spec"].update(replicas=3))
    await world.settle()
    assert [d["metadata"]["name"] for d in world.ours] == [before["metadata"]["name"]]

    def other_model(deployment: dict[str, Any]) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "vllm/vllm-openai:v0.13.0"

    world.edit_theirs(other_model)
    await world.settle()
    serving = [d for d in world.ours if d["spec"]["replicas"]]
    assert [d["spec"]["template"]["spec"]["containers"][0]["image"] for d in serving] == ["vllm/vllm-openai:v0.13.0"]
    assert world.least_serving >= 3
    memory = json.loads(world.body["status"]["memory"])
    assert world.body["metadata"]["generation"] == memory["generation"] == 2  # the resource is what it was
    assert {c["observedGeneration"] for c in world.body["status"]["conditions"]} == {2}


async def test_one_that_is_not_there_is_a_condition_and_touches_nothing() -> None:
    world = Referring()
    await world.once()
    assert "there is no Deployment team in this namespace" in world.condition("Stalled")["message"]
    assert world.ours == []
    world.cluster.create(theirs())
    world.show()
    await world.settle()
    assert (world.serving, world.condition("Stalled")) == (4, {})
    world.cluster.remove("Deployment", NAME)
    world.show(gone=True)
    await world.settle()
    assert "there is no Deployment team" in world.condition("Stalled")["message"]
    assert world.serving == 4


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"command": ["ollama", "serve"]}, "none of its containers (vllm) runs `vllm serve`"),
        ({"env": [{"name": "HF_TOKEN", "value": "hf_not_for_git"}]}, "its HF_TOKEN is written down in the Deployment"),
    ],
)
async def test_what_cannot_be_rendered_from_it_is_named(container: dict[str, Any], said: str) -> None:
    world = Referring()
    world.cluster.create(theirs(**container))
    await world.once()
    message = world.condition("Stalled")["message"]
    assert said in message
    assert message.startswith("spec.workloadRef: Deployment team: ")
    assert "not_for_git" not in str(world.body["status"])
    assert world.ours == []


class Forbidding(FakeCluster):
    """Refuses every reading."""

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
        raise Refused("get Deployment: 403 forbidden")


async def test_one_that_may_not_be_read_says_so() -> None:
    workloads = Workloads()
    await workloads.follow(KEY, NAME, Forbidding(now=World().clock.now, gpus=0))
    expected = f"spec.workloadRef: Deployment {NAME} cannot be read: get Deployment: 403 forbidden"
    assert workloads.find(KEY) == (None, expected)


async def test_engine_and_target_beside_it_are_refused() -> None:
    world = Referring()
    world.cluster.create(theirs())
    world.edit_spec(target={"model": "m"})
    await world.once()
    assert "leave target out beside it" in world.condition("Stalled")["message"]


async def test_what_a_broken_watch_missed_is_found_by_the_next_listing() -> None:
    world = Referring()
    world.cluster.create(theirs())
    await world.settle()
    assert await world.cache.workloads.refresh(world.cluster) == set()
    world.cluster.edit("Deployment", NAME, lambda d: d["spec"]["template"]["metadata"].update(annotations={"a": "b"}))
    assert await world.cache.workloads.refresh(world.cluster) == {KEY}
    world.cluster.remove("Deployment", NAME)
    assert await world.cache.workloads.refresh(world.cluster) == {KEY}


def test_what_a_resource_may_not_set_it_may_not_borrow_from_a_deployment() -> None:
    world = Referring()
    deployment = theirs()
    deployment["spec"]["template"]["spec"]["hostNetwork"] = True
    parsed = read(world.body, partial(fitness, denied=POD_TEMPLATE_DENY), None, workload=deployment)
    assert any("hostNetwork: the operator does not allow" in refusal for refusal in parsed.fitness.refusals)

"""GPUs of a pod: how many, of which kind, asked for in which way."""

from typing import Any

import pytest

from breakeven.api.spec import HardwareSpec
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.domain.decision import Placement
from breakeven.render import Owner, check, desired
from breakeven.render.check import refusals

CLAIMED = {"spec": {"containers": [{"name": "engine", "resources": {"claims": [{"name": "mine"}]}}]}}
MIG = "nvidia.com/mig-3g.40gb"


def variant(*extra: str, template: dict[str, Any] | None = None, **hardware: Any) -> Variant:
    body: dict[str, Any] = {
        "engine": {"image": "vllm/vllm-openai:v0.33.0", "extraArgs": list(extra)},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        "hardware": hardware,
        "podTemplate": template,
    }
    return Variant.model_validate(body)


def pod(made: Variant) -> dict[str, Any]:
    owner = Owner(name="llama", namespace="inference", uid="0000-1111")
    rendering = desired(owner, [Placement(variant=made, role=Role.STABLE, replicas=1)])
    assert rendering.refusals == ()
    spec: dict[str, Any] = rendering.deployments[made.name]["spec"]["template"]["spec"]
    return spec


def resources(made: Variant) -> dict[str, Any]:
    found: dict[str, Any] = pod(made)["containers"][0]["resources"]
    return found


def refused(made: Variant) -> str:
    return "; ".join(f"{r.field}: {r.message}" for r in refusals(made))


@pytest.mark.parametrize(
    ("extra", "hardware", "words"),
    [
        (["--data-parallel-size=2"], {"gpusPerReplica": 2}, "4 GPUs for a pod with 2"),
        (["-dp", "4"], {"gpusPerReplica": 2}, "8 GPUs for a pod with 2"),
        (["--pipeline-parallel-size", "2"], {"gpusPerReplica": 4}, "8 GPUs for a pod with 4"),
        (["--pipeline_parallel_size=2", "-dp=2"], {"gpusPerReplica": 8, "tensorParallelSize": 4}, "16 GPUs"),
        ([], {"gpusPerReplica": 4, "tensorParallelSize": 2}, "2 GPUs for a pod with 4"),
    ],
)
def test_gpus_that_do_not_add_up_are_refused(extra: list[str], hardware: dict[str, Any], words: str) -> None:
    found = refused(variant(*extra, **hardware))
    assert words in found and "hardware.tensorParallelSize" in found


def test_copies_of_a_model_inside_one_replica_are_rendered() -> None:
    made = variant("--data-parallel-size=2", gpusPerReplica=4, tensorParallelSize=2)
    assert resources(made)["limits"] == {"nvidia.com/gpu": "4"}
    assert "--tensor-parallel-size=2" in pod(made)["containers"][0]["args"]


@pytest.mark.parametrize(
    ("extra", "hardware"),
    [
        (["--nnodes=2"], {"gpusPerReplica": 8}),
        (["--data-parallel-address=10.0.0.1"], {"gpusPerReplica": 8}),
        ([], {"gpusPerReplica": 16}),
        ([], {"gpusPerReplica": 8, "accelerators": ["GB200"]}),
    ],
)
def test_more_than_one_machine_is_refused_with_what_to_do(extra: list[str], hardware: dict[str, Any]) -> None:
    found = refused(variant(*extra, **hardware))
    assert "one pod" in found and "quantize" in found


def test_a_machine_with_more_gpus_can_be_declared() -> None:
    facts = [{"name": "H200", "perNode": 16}]
    assert refused(variant(gpusPerReplica=16, accelerators=["H200"], gpuFacts=facts)) == ""


@pytest.mark.parametrize(
    ("names", "products"),
    [
        (["L40S"], ["NVIDIA-L40S"]),
        (["RTX PRO 6000"], "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"),
        (["A100"], "NVIDIA-A100-SXM4-40GB"),
        (["A100"], "NVIDIA-A100-SXM4-80GB"),
        (["b200"], ["NVIDIA-B200"]),
        (["H20"], ["NVIDIA-H20"]),
    ],
)
def test_any_gpu_of_the_catalog_is_found_by_its_node_label(names: list[str], products: list[str] | str) -> None:
    affinity = pod(variant(accelerators=names))["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (expression,) = term["matchExpressions"]
    assert expression["key"] == "nvidia.com/gpu.product"
    assert expression["values"] == products or products in expression["values"]


def test_gpus_of_amd_are_asked_for_by_their_own_resource_label_and_taint() -> None:
    made = pod(variant(accelerators=["MI300X"]))
    (term,) = made["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert made["containers"][0]["resources"]["limits"] == {"amd.com/gpu": "1"}
    assert term["matchExpressions"][0]["key"] == "amd.com/gpu.product-name"
    assert made["tolerations"] == [{"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "one vendor" in refused(variant(accelerators=["H100", "MI300X"]))


def test_a_gpu_that_nobody_knows_needs_nodes() -> None:
    assert "hardware.nodeSelector" in refused(variant(accelerators=["Foo-9000"]))
    assert refused(variant(accelerators=["Foo-9000"], nodeSelector={"gpu": "foo"})) == ""
    assert refused(variant(accelerators=["Foo-9000"], gpuFacts=[{"name": "Foo-9000", "products": ["FOO"]}])) == ""


def test_parts_of_gpus_take_the_place_of_whole_ones() -> None:
    assert resources(variant(resource=MIG)) == {"limits": {MIG: "1"}, "requests": {MIG: "1"}}
    assert "NCCL" in refused(variant(resource=MIG, gpusPerReplica=2))


def test_a_claim_takes_the_place_of_gpus() -> None:
    made = pod(variant(resourceClaimTemplate="one-gpu"))
    assert made["resourceClaims"] == [{"name": "gpus", "resourceClaimTemplateName": "one-gpu"}]
    assert made["containers"][0]["resources"] == {"claims": [{"name": "gpus"}]}


@pytest.mark.parametrize(
    "asked",
    [
        {"claims": [{"name": "mine"}]},
        {"limits": {MIG: 1}},
        {"limits": {"amd.com/gpu": "1"}, "requests": {"cpu": "4"}},
    ],
)
def test_what_a_pod_template_asks_for_takes_the_place_of_gpus_too(asked: dict[str, Any]) -> None:
    template = {"spec": {"containers": [{"name": "engine", "resources": asked}]}}
    assert resources(variant(template=template)) == asked


def test_a_pod_template_that_asks_for_other_things_adds_to_the_gpus() -> None:
    template = {"spec": {"containers": [{"name": "engine", "resources": {"requests": {"cpu": "4"}}}]}}
    found = resources(variant(template=template))
    assert found == {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1", "cpu": "4"}}


def test_gpus_in_two_ways_are_refused() -> None:
    for hardware in ({"resourceClaimTemplate": "one-gpu"}, {"resource": MIG}):
        assert "podTemplate brings GPUs too" in refused(variant(template=CLAIMED, **hardware))
    with pytest.raises(ValueError, match="either resource or resourceClaimTemplate"):
        HardwareSpec.model_validate({"resource": MIG, "resourceClaimTemplate": "one-gpu"})


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ({"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}}, "chooses NVIDIA-A100-SXM4-80GB"),
        ({"nodeSelector": {"pool": "gpu"}}, "planned for H100 and H200"),
        ({"gpuFacts": [{"name": "L40S", "memoryGiB": "45"}]}, "these facts are not used"),
    ],
)
def test_names_that_do_not_go_together_are_said(hardware: dict[str, Any], words: str) -> None:
    assert words in "; ".join(f.message for f in check(variant(**hardware)))


def test_nodes_of_the_named_gpu_are_no_reason_to_warn() -> None:
    found = variant(accelerators=["A100"], nodeSelector={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"})
    assert check(found) == check(variant(accelerators=["A100"]))
    assert check(variant(accelerators=["L40S"], nodeSelector={"pool": "l40s"})) == check(variant(accelerators=["L40S"]))

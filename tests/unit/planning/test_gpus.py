"""GPU models: each planned by its own figures, and what is not known said to be unknown."""

from typing import Any

import pytest

from breakeven.api.spec import HardwareSpec
from breakeven.api.variant import Variant
from breakeven.planning.confidence import Kind, Verdict
from breakeven.planning.gpus import accelerators
from breakeven.planning.placement import Start
from breakeven.planning.plan import Plan, plan

EAGLE3 = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3}


def planned(template: dict[str, Any] | None = None, extra: tuple[str, ...] = (), **hardware: Any) -> Plan:
    body: dict[str, Any] = {
        "engine": {"image": "vllm/vllm-openai:v0.33.0", "extraArgs": list(extra)},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct", "maxModelLen": 2048},
        "draft": EAGLE3,
        "hardware": hardware,
        "podTemplate": template,
    }
    return plan(Variant.model_validate(body))


def memory(**hardware: Any) -> dict[str, float | None]:
    return {gpu.name: gpu.memory_gib for gpu in accelerators(HardwareSpec.model_validate(hardware))}


@pytest.mark.parametrize(
    ("name", "gib"),
    [("L40S", 44), ("B200", 178), ("GB200", 184), ("H20", 95), ("RTX PRO 6000", 95), ("MI300X", 192), ("h100", 79)],
)
def test_each_gpu_has_its_own_memory(name: str, gib: float) -> None:
    (found,) = memory(accelerators=[name]).values()
    assert found == pytest.approx(gib, abs=1)


def test_a_family_is_planned_for_each_of_its_members() -> None:
    assert memory(accelerators=["A100"]) == {"A100-40GB": 39.4, "A100-80GB": 79.1}


def test_another_gpu_is_planned_from_its_data_sheet_and_called_unmeasured() -> None:
    made = planned(accelerators=["L40S"])
    placement = made.placements[0]
    assert placement.outlook is not None and placement.baseline is not None
    assert "data sheet of L40S" in placement.outlook.source
    first = placement.outlook.predictions[0]
    assert first.plain_ms == pytest.approx(6.45 * 3.35e12 / 0.864e12, rel=0.15)
    assert first.interval.kind is Kind.OTHER and first.interval.verdict is not Verdict.PAYS
    assert placement.baseline.kv_tokens < 0.5 * planned(accelerators=["H100"]).placements[0].baseline.kv_tokens  # type: ignore[union-attr]


def test_an_unknown_gpu_is_unknown_until_its_facts_are_declared() -> None:
    bare = planned(accelerators=["Foo-9000"], nodeSelector={"gpu": "foo"})
    assert bare.starts is Start.UNKNOWN and bare.placements[0].outlook is None
    assert any("hardware.gpuFacts[Foo-9000].memoryGiB" in missing for missing in bare.unknowns)
    facts = {"name": "Foo-9000", "memoryGiB": "60", "bandwidthGBps": "2000", "tflops": "400"}
    told = planned(accelerators=["Foo-9000"], nodeSelector={"gpu": "foo"}, gpuFacts=[facts])
    assert told.starts is Start.YES and told.placements[0].outlook is not None and told.unknowns == ()


def test_declared_facts_win_over_the_catalog() -> None:
    assert memory(accelerators=["H100"], gpuFacts=[{"name": "H100", "memoryGiB": "93.1"}]) == {"H100": 93.1}


@pytest.mark.parametrize(
    ("profile", "gpu", "gib"),
    [("1g.10gb", "H100", 9.3), ("3g.40gb", "H100", 37.3), ("7g.80gb", "H100", 79.1), ("1g.18gb", "H200", 16.8)],
)
def test_a_mig_profile_has_its_share_of_memory(profile: str, gpu: str, gib: float) -> None:
    found = memory(accelerators=[gpu], resource=f"nvidia.com/mig-{profile}")
    assert found == {f"{gpu}/mig-{profile}": pytest.approx(gib, abs=0.1)}


def test_a_mig_profile_in_the_pod_template_is_planned_too() -> None:
    resources = {"limits": {"nvidia.com/mig-3g.40gb": 1}}
    made = planned({"spec": {"containers": [{"name": "engine", "resources": resources}]}}, accelerators=["H100"])
    assert made.placements[0].gpu == "H100/mig-3g.40gb"
    assert made.placements[0].memory_gib == pytest.approx(37.3, abs=0.1)


def test_data_parallel_copies_share_the_requests_and_not_the_cache() -> None:
    one = planned(accelerators=["H200"]).placements[0]
    two = planned(
        extra=("--data-parallel-size=2",), accelerators=["H200"], gpusPerReplica=2, tensorParallelSize=1
    ).placements[0]
    assert one.variant is not None and two.variant is not None
    assert two.variant.kv_tokens == pytest.approx(2 * one.variant.kv_tokens, rel=0.001)
    assert two.variant.requests == pytest.approx(2 * one.variant.requests, abs=2)


def test_fewer_requests_at_once_leave_more_cache_where_they_are_verified_on_runner_v1() -> None:
    body: dict[str, Any] = {
        "engine": {"image": "vllm/vllm-openai:v0.26.0"},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        "draft": {"method": "NGram", "numSpeculativeTokens": 4},
        "hardware": {"accelerators": ["H100"]},
    }
    room = []
    for extra in ([], ["--max-num-seqs=256"]):
        found = plan(Variant.model_validate(body | {"engine": body["engine"] | {"extraArgs": extra}})).placements[0]
        assert found.variant is not None
        room.append(found.variant.shares[0].overhead_gib)
    assert room[0] - room[1] == pytest.approx(2.7, abs=0.1)  # reported at start-up: 2.7 GiB


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ({"resourceClaimTemplate": "one-gpu"}, "the claim one-gpu"),
        ({"resource": "nvidia.com/gpu.shared"}, "gpu.shared"),
    ],
)
def test_what_a_claim_or_a_shared_gpu_brings_is_said_to_be_unknown(hardware: dict[str, Any], words: str) -> None:
    made = planned(accelerators=["H100"], **hardware)
    assert any(words in missing and "planned as whole GPUs" in missing for missing in made.unknowns)
    assert planned(accelerators=["H100"], resource="nvidia.com/mig-3g.40gb").unknowns == ()

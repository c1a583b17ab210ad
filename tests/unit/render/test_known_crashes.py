"""Checkpoints and combinations that crash, or that draft although nobody asked: by release and name."""

from typing import Any

import pytest

from breakeven.api.variant import Variant
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.check import check

EAGLE3 = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"}
MTP = {"method": "MTP", "model": "google/gemma-4-31B-it-assistant"}
LLAMA = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
HYBRID = {"model": "Qwen/Qwen3.5-35B-A3B"}
GEMMA = {"model": "google/gemma-4-31B-it"}
ON_V2 = {"env": [{"name": "VLLM_USE_V2_MODEL_RUNNER", "value": "1"}]}


def found(
    release: str, target: dict[str, Any], draft: dict[str, Any] | None, engine: dict[str, Any] | None = None
) -> dict[str, EngineRemark]:
    body = {
        "engine": {"image": "vllm/vllm-openai:latest", "version": release} | (engine or {}),
        "target": target,
        "hardware": {"gpusPerReplica": 8},
    } | ({"draft": draft} if draft else {})
    return {f.rule: f for f in check(Variant.model_validate(body))}


@pytest.mark.parametrize(
    "name",
    ["RedHatAI/Qwen3-8B-speculator.eagle3", "/models/gpt-oss-20b-speculator.dflash", "acme/llama_speculator.mtp/"],
)
@pytest.mark.parametrize("draft", [None, {"method": "NGram"}])
def test_a_speculators_checkpoint_is_refused_as_a_target_because_it_drafts_by_itself(
    name: str, draft: dict[str, Any] | None
) -> None:
    refusal = found("0.12.0", {"model": name}, draft)["SpeculatorsTarget"]

    assert isinstance(refusal, Refusal)
    assert (refusal.field, "the verifier as target.model" in refusal.message) == ("target.model", True)


def test_a_name_that_only_sounds_like_a_speculators_checkpoint_is_a_caution() -> None:
    assert isinstance(found("0.12.0", {"model": "/models/speculator-qwen"}, None)["SpeculatorsTarget"], Caution)
    assert "SpeculatorsTarget" not in found("0.12.0", {"model": "speculators/Qwen3-8B"}, None)


@pytest.mark.parametrize(
    ("release", "length", "rule"),
    [
        ("0.24.0", 131_072, "EagleContext"),
        ("0.24.0", None, "EagleContext"),
        ("0.26.0", 2049, "EagleContext"),
        ("0.27.1", 131_072, "EagleContextTrained"),
        ("0.33.0", None, "EagleContextTrained"),
    ],
)
def test_a_head_with_fewer_positions_than_are_served_is_said_by_release(
    release: str, length: int | None, rule: str
) -> None:
    target = LLAMA | ({"maxModelLen": length} if length else {})
    caution = found(release, target, EAGLE3)[rule]

    assert caution.field == "target.maxModelLen"
    assert "2048 positions" in caution.message
    assert ("0.27.1 and newer" in caution.message) == (rule == "EagleContext")


@pytest.mark.parametrize("name", ["lmsys/sglang-EAGLE3-LLaMA3.3-Instruct-70B", "/heads/EAGLE-LLaMA3-Instruct-8B"])
def test_other_heads_of_the_same_authors_are_known_too(name: str) -> None:
    draft = {"method": "Eagle3" if "EAGLE3" in name else "Eagle", "model": name}

    assert "EagleContext" in found("0.24.0", LLAMA, draft)


def test_a_head_is_silent_where_its_positions_are_enough_or_declared_so() -> None:
    assert "EagleContext" not in found("0.24.0", LLAMA | {"maxModelLen": 2048}, EAGLE3)
    longer = EAGLE3 | {"facts": {"maxPositionEmbeddings": 131_072}}
    assert "EagleContext" not in found("0.24.0", LLAMA | {"maxModelLen": 131_072}, longer)
    declared = {"method": "Eagle3", "model": "acme/head", "facts": {"maxPositionEmbeddings": 4096}}
    assert "4096 positions" in found("0.24.0", LLAMA | {"maxModelLen": 8192}, declared)["EagleContext"].message


@pytest.mark.parametrize("argument", ["--decode-context-parallel-size=4", "--decode_context_parallel_size=4"])
def test_decode_context_parallelism_with_a_draft_is_warned_about(argument: str) -> None:
    engine = {"extraArgs": [argument]}

    assert "crashes at the first request" in found("0.20.0", LLAMA, EAGLE3, engine)["DecodeContextParallel"].message
    assert "DecodeContextParallel" in found("0.33.0", LLAMA, {"method": "NGram"}, {"extraArgs": ["-dcp", "2"]})
    assert "DecodeContextParallel" not in found("0.20.0", LLAMA, EAGLE3)
    assert "DecodeContextParallel" not in found("0.20.0", LLAMA, None, engine)


@pytest.mark.parametrize(
    "name",
    [
        "Qwen/Qwen3.5-35B-A3B",
        "Qwen/Qwen3.6-27B",
        "Qwen/Qwen3-Next-80B-A3B-Instruct",
        "Qwen/Qwen3-Coder-Next",
        "nvidia/Nemotron-H-8B-Base-8K",
        "ibm-granite/granite-4.0-h-small",
    ],
)
def test_dflash_on_a_hybrid_target_is_warned_about_up_to_the_release_that_mends_it(name: str) -> None:
    draft = {"method": "DFlash", "model": "z-lab/some-DFlash"}

    assert "0.26.0 and newer" in found("0.20.1", {"model": name}, draft)["DraftOnHybrid"].message
    assert "DraftOnHybrid" not in found("0.26.0", {"model": name}, draft)
    assert "DraftOnHybrid" not in found("0.20.1", {"model": "Qwen/Qwen3-8B"}, draft)


def test_a_dense_draft_model_on_a_hybrid_target_is_warned_about_and_mtp_is_not() -> None:
    assert "DraftOnHybrid" in found("0.22.0", HYBRID, {"method": "DraftModel", "model": "/models/draft"})
    assert "DraftOnHybrid" not in found("0.22.0", HYBRID, {"method": "MTP"})


def test_mtp_of_gemma_4_is_warned_about_by_release_and_runner() -> None:
    assert "VLLM_USE_V2_MODEL_RUNNER to 1" in found("0.25.1", GEMMA, MTP)["Gemma4Mtp"].message
    assert "Gemma4Mtp" not in found("0.27.1", GEMMA, MTP)
    assert "Gemma4Mtp" not in found("0.25.1", GEMMA, MTP, ON_V2)
    assert "Gemma4Mtp" not in found("0.25.1", {"model": "deepseek-ai/DeepSeek-V3"}, {"method": "MTP"})


@pytest.mark.parametrize("dtype", ["fp8", "fp8_e4m3"])
def test_mtp_of_gemma_4_with_an_fp8_cache_is_warned_about_unless_the_backend_is_named(dtype: str) -> None:
    fp8 = GEMMA | {"kvCacheDtype": dtype}

    assert "TRITON_ATTN" in found("0.33.0", fp8, MTP)["Gemma4MtpFp8"].message
    assert "Gemma4MtpFp8" not in found("0.33.0", GEMMA, MTP)
    named = MTP | {"extraKeys": {"attention_backend": "TRITON_ATTN"}}
    assert "Gemma4MtpFp8" not in found("0.33.0", fp8, named)

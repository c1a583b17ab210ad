"""Plans beside the same figures worked out here: caches of every kind, every split, described and unknown models.

KV bytes per token and GPU = layers · 2 · KV heads · head size · bytes / min(TP, KV heads); latent caches are not split.
"""

from typing import Any

import pytest
from tests.support.configs import LLAMA_8B

from breakeven.api.variant import Variant
from breakeven.planning.pairing import Severity
from breakeven.planning.placement import Start
from breakeven.planning.plan import Plan, plan
from breakeven.planning.question import Question

DENSE = {
    "paramsBillions": "8",
    "layers": 32,
    "hiddenSize": 4096,
    "attentionHeads": 32,
    "kvHeads": 8,
    "headDim": 128,
    "vocabSize": 128256,
}
NGRAM = {"method": "NGram"}


def made(
    model: str,
    draft: dict[str, Any] | None = NGRAM,
    *,
    gpus: int = 1,
    release: str = "0.33.0",
    config: dict[str, Any] | None = None,
    draft_config: dict[str, Any] | None = None,
    **target: Any,
) -> Plan:
    body = {
        "engine": {"image": f"vllm/vllm-openai:v{release}"},
        "target": {"model": model, "maxModelLen": 8192} | target,
        "draft": draft,
        "hardware": {"gpusPerReplica": gpus, "accelerators": ["H200"]},
    }
    return plan(Variant.model_validate(body), Question(target_config=config, draft_config=draft_config))


def kv_bytes(found: Plan) -> float:
    baseline = found.placements[0].baseline
    assert baseline is not None
    return baseline.shares[0].kv_bytes_per_token


def said(found: Plan, severity: Severity) -> str:
    return "; ".join(f"{r.field}: {r.message}" for r in found.remarks if r.severity is severity)


@pytest.mark.parametrize(("gpus", "split"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 8), (32, 8)])
def test_the_cache_is_split_over_gpus_up_to_the_number_of_kv_heads(gpus: int, split: int) -> None:
    found = made("meta-llama/Llama-3.1-70B-Instruct", gpus=gpus, quantization="FP8")

    assert kv_bytes(found) == 80 * 2 * 8 * 128 * 2 / split


@pytest.mark.parametrize("gpus", [3, 5, 6, 7])
def test_a_split_that_heads_do_not_allow_is_refused(gpus: int) -> None:
    found = made("meta-llama/Llama-3.1-70B-Instruct", gpus=gpus, quantization="FP8")

    assert found.outcome is Start.NO
    assert "64 attention heads" in said(found, Severity.REFUSAL)


@pytest.mark.parametrize(("dtype", "size"), [("auto", 2), ("fp8", 1), ("fp8_e5m2", 1), ("bfloat16", 2)])
def test_the_number_format_of_the_cache_counts(dtype: str, size: int) -> None:
    assert kv_bytes(made("meta-llama/Llama-3.1-8B-Instruct", kvCacheDtype=dtype)) == 32 * 2 * 8 * 128 * size


@pytest.mark.parametrize("gpus", [1, 8])
def test_a_latent_cache_is_whole_on_every_gpu(gpus: int) -> None:
    assert kv_bytes(made("deepseek-ai/DeepSeek-V3", gpus=gpus, quantization="Prequantized")) == 61 * (512 + 64) * 2


def test_windowed_layers_stop_growing() -> None:
    found = made("openai/gpt-oss-120b", maxModelLen=8192)

    assert kv_bytes(found) == 2 * 8 * 64 * 2 * (18 + 18 * 128 / 8192)


def test_a_sparse_target_loads_every_parameter_and_reads_the_active_ones() -> None:
    found = made("Qwen/Qwen3-30B-A3B", {"method": "DraftModel", "model": "Qwen/Qwen3-4B"})
    baseline = found.placements[0].baseline

    assert baseline is not None
    assert baseline.shares[0].weights_gib == pytest.approx(30.5e9 * 2 / 2**30, rel=0.01)
    assert "active parameters" in said(found, Severity.WARNING)


@pytest.mark.parametrize(
    ("quantization", "bits", "gib"),
    [
        ("None", None, 8e9 * 2 / 2**30),
        ("FP8", None, (8e9 - 2 * 128256 * 4096 + 2 * 128256 * 4096 * 2) / 2**30),
        ("Prequantized", 8, (8e9 - 2 * 128256 * 4096 + 2 * 128256 * 4096 * 2) / 2**30),
        ("Prequantized", None, None),
        ("GPTQ", None, None),
    ],
)
def test_a_described_model_is_planned_and_what_it_does_not_tell_stays_unknown(
    quantization: str, bits: int | None, gib: float | None
) -> None:
    facts = DENSE | ({} if bits is None else {"weightBits": bits})
    found = made("acme/secret", quantization=quantization, facts=facts)
    baseline = found.placements[0].baseline

    if gib is None:
        assert baseline is None and found.starts is Start.UNKNOWN
        assert any("weights of acme/secret" in missing for missing in found.unknowns)
    else:
        assert baseline is not None and found.starts is Start.YES and found.unknowns == ()
        assert baseline.shares[0].weights_gib == pytest.approx(gib)
        assert kv_bytes(found) == 32 * 2 * 8 * 128 * 2


def test_described_caches_may_be_latent_or_have_windows() -> None:
    latent = made("acme/secret", facts=DENSE | {"kvLatentWidth": 576}, gpus=2)
    windowed = made("acme/secret", facts=DENSE | {"slidingWindow": 1024, "fullAttentionLayers": 8})
    untold = made("acme/secret", facts=DENSE | {"slidingWindow": 1024})

    assert kv_bytes(latent) == 32 * 576 * 2
    assert kv_bytes(windowed) == 2 * 8 * 128 * 2 * (8 + 24 * 1024 / 8192)
    assert untold.placements[0].baseline is None


def test_a_config_of_a_quantized_checkpoint_tells_its_width() -> None:
    config = LLAMA_8B | {"quantization_config": {"quant_method": "awq", "bits": 4}}
    found = made("/models/mine", quantization="Prequantized", config=config)
    baseline = found.placements[0].baseline

    linear, embeddings = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336), 2 * 128256 * 4096
    assert baseline is not None
    assert baseline.shares[0].weights_gib == pytest.approx((linear * 0.52 + embeddings * 2) / 2**30)


@pytest.mark.parametrize(
    ("target", "draft", "says"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.2-1B-Instruct", "same family"),
        ("Qwen/Qwen3-32B", "Qwen/Qwen2.5-0.5B-Instruct", "of other families: expect less"),
        ("acme/secret", "acme/small", "families are unknown"),
    ],
)
def test_what_is_assumed_of_acceptance_says_what_it_is_worth(target: str, draft: str, says: str) -> None:
    found = made(target, {"method": "DraftModel", "model": draft})

    assert found.acceptance is not None and found.acceptance.source.endswith(says)


@pytest.mark.parametrize(("release", "refused"), [("0.33.0", True), ("0.9.2", False)])
def test_a_draft_with_a_shorter_context_is_refused_on_v1_and_said_on_v0(release: str, refused: bool) -> None:
    facts = DENSE | {"maxPositionEmbeddings": 4096}
    found = made(
        "acme/secret", {"method": "DraftModel", "model": "acme/small", "facts": facts}, facts=DENSE, release=release
    )
    severity = Severity.REFUSAL if refused else Severity.WARNING

    assert "takes 4096 tokens, fewer than the 8192" in said(found, severity)


def test_other_token_ids_are_refused_where_the_resource_says_so() -> None:
    draft = {"method": "DraftModel", "model": "acme/small", "facts": DENSE | {"tokenizerGroup": "b"}}
    found = made("acme/secret", draft, facts=DENSE | {"tokenizerGroup": "a"})

    assert "draft.model: token ids differ (a, b)" in said(found, Severity.REFUSAL)


@pytest.mark.parametrize(("release", "refused"), [("0.15.1", True), ("0.16.0", False)])
def test_a_draft_model_for_a_multimodal_target_is_refused_where_the_release_does(release: str, refused: bool) -> None:
    config = {"model_type": "llava", "vision_config": {"hidden_size": 1}, "text_config": {"vocab_size": 32000}}
    found = made("/models/sees", {"method": "DraftModel", "model": "/models/draft"}, config=config, release=release)

    assert ("multimodal" in said(found, Severity.REFUSAL)) == refused


@pytest.mark.parametrize(("k", "refused"), [(2, False), (3, True), (4, False)])
def test_a_prediction_length_that_the_layers_do_not_divide_is_refused(k: int, refused: bool) -> None:
    found = made("/models/mtp", {"method": "MTP", "numSpeculativeTokens": k}, config={"num_nextn_predict_layers": 2})

    assert ("write a multiple of 2" in said(found, Severity.REFUSAL)) == refused


def test_rules_of_thumb_about_a_draft_model_say_when_there_is_none() -> None:
    values = {rule.rule: rule.value for rule in made("meta-llama/Llama-3.1-8B-Instruct").rules}

    assert values["draft is 1:8 to 1:12 of the target"] == "no draft model"
    assert values["draft takes at most 15 % of VRAM"].startswith("0.0%")

"""The plan: refuses what cannot start, warns about what hurts, is silent otherwise, and never guesses."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from breakeven.api.conditions import CONDITIONS, ConditionType, Reason
from breakeven.api.spec import DraftMethod, Quantization
from breakeven.api.variant import Variant
from breakeven.planning.confidence import Kind
from breakeven.planning.document import plan_document
from breakeven.planning.findings import plan_findings, plan_refuses, plan_status
from breakeven.planning.measured import ProfileError, supplied
from breakeven.planning.pairing import Severity
from breakeven.planning.placement import Start
from breakeven.planning.plan import Plan, plan
from breakeven.planning.question import Question

LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"
LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"


def variant(
    model: str = LLAMA_70B,
    draft: dict[str, Any] | None = None,
    *,
    gpus: int = 2,
    accelerators: tuple[str, ...] = ("H200",),
    image: str = "vllm/vllm-openai:v0.26.0",
    extra: Sequence[str] = (),
    **target: Any,
) -> Variant:
    fields = {"quantization": "FP8", "maxModelLen": 8192} | target
    return Variant.model_validate(
        {
            "engine": {"image": image, "extraArgs": list(extra)},
            "target": {"model": model, **fields},
            "draft": draft,
            "hardware": {"gpusPerReplica": gpus, "accelerators": list(accelerators)},
        }
    )


DRAFT_8B = {"method": "DraftModel", "model": LLAMA_8B, "numSpeculativeTokens": 3}
EAGLE3 = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.3-Instruct-70B", "numSpeculativeTokens": 3}


def refusals(made: Plan) -> list[str]:
    return [r.message for r in made.remarks if r.severity is Severity.REFUSAL]


def warnings(made: Plan) -> list[str]:
    return [r.message for r in made.remarks if r.severity is Severity.WARNING]


def test_measured_pair_gives_the_measured_inflation() -> None:
    made = plan(variant(draft=DRAFT_8B, gpus=1), Question(context=550))
    seen = made.placements[0].outlook
    assert seen is not None and "measured" in seen.source and "carried" not in seen.source
    by_batch = {p.batch: p for p in seen.predictions}
    assert by_batch[1].inflation == pytest.approx(1.85, abs=0.01)
    assert by_batch[64].inflation == pytest.approx(2.74, abs=0.01)
    assert by_batch[256].break_even > 1
    assert 32 < (seen.crossover or 0) < 64


def test_another_gpu_scales_the_measured_inflation_and_says_so() -> None:
    made = plan(variant(model=LLAMA_8B, draft={"method": "NGram"}, gpus=1, quantization="None", accelerators=("H100",)))
    seen = made.placements[0].outlook
    assert seen is not None and "scaled to H100" in seen.source


def test_more_than_one_gpu_is_modelled_and_says_so() -> None:
    seen = plan(variant(draft=DRAFT_8B)).placements[0].outlook
    assert seen is not None and seen.source.startswith("modelled")


def test_what_cannot_start_is_refused_before_any_pod() -> None:
    made = plan(variant(draft=DRAFT_8B, gpus=2, accelerators=("H100",), quantization="None"))
    assert made.starts is Start.NO and plan_refuses(made)
    finding = plan_findings(made)[0]
    assert finding.type == ConditionType.MEMORY_BUDGET and finding.status is False
    assert finding.reason == Reason.EXCEEDED and "does not start on H100" in finding.message


def test_a_pair_that_only_fits_one_gpu_model_names_the_other() -> None:
    made = plan(variant(draft=DRAFT_8B, gpus=1, accelerators=("H100", "H200")))
    assert any("leave H100 out of hardware.accelerators" in message for message in refusals(made))


def test_different_vocabularies_are_refused() -> None:
    made = plan(variant("Qwen/Qwen2.5-72B-Instruct", {"model": "Qwen/Qwen2.5-0.5B-Instruct"}, gpus=2, maxModelLen=4096))
    assert any("vocabularies differ" in message for message in refusals(made))


def test_unequal_vocabularies_are_a_warning_where_the_engine_is_told_to_map_them() -> None:
    draft = {"method": "DraftModel", "model": "Qwen/Qwen3-0.6B", "extraKeys": {"use_heterogeneous_vocab": True}}
    made = plan(variant(draft=draft))

    assert not any("vocabularies differ" in message for message in refusals(made))
    assert any(r.field == "draft.extraKeys" and r.severity is Severity.WARNING for r in made.remarks)


def test_a_kv_cache_whose_element_has_no_known_size_is_said() -> None:
    made = plan(variant(image="vllm/vllm-openai:v0.33.0", kvCacheDtype="turboquant_k8v4"))

    assert any("size of a KV cache of turboquant_k8v4" in unknown for unknown in made.unknowns)


def test_heads_that_gpus_do_not_divide_are_refused() -> None:
    made = plan(variant("Qwen/Qwen2.5-7B-Instruct", gpus=8, maxModelLen=4096, quantization="None"))
    assert any("28 attention heads" in message for message in refusals(made))


def test_a_draft_is_compared_by_active_parameters() -> None:
    made = plan(variant("Qwen/Qwen3-30B-A3B", {"model": "Qwen/Qwen3-4B"}, gpus=1, quantization="None"))
    assert any("1.20 of what a target token reads" in message for message in warnings(made))


def test_a_draft_that_takes_much_cache_is_warned_about_with_the_figure() -> None:
    as_measured = variant(draft=DRAFT_8B, gpus=1, extra=["--max-num-seqs=256"])
    assert any("48% of the KV tokens" in message for message in warnings(plan(as_measured)))
    assert any("52% of the KV tokens" in message for message in warnings(plan(variant(draft=DRAFT_8B, gpus=1))))


def test_prediction_layers_a_target_lacks_are_refused() -> None:
    assert any("no multi-token-prediction" in m for m in refusals(plan(variant(draft={"method": "MTP"}))))


def test_silence_about_what_is_fine() -> None:
    made = plan(variant(LLAMA_8B, gpus=1, quantization="None"))
    assert made.remarks == () and made.unknowns == ()
    assert [(f.type, f.status) for f in plan_findings(made)] == [(ConditionType.MEMORY_BUDGET, True)]


def test_warm_traffic_gets_advice_and_a_lower_assumption() -> None:
    cold, warm = plan(variant(draft=EAGLE3)), plan(variant(draft=EAGLE3), Question(temperature=0.8))
    assert cold.acceptance is not None and warm.acceptance is not None
    assert warm.acceptance.alpha < cold.acceptance.alpha
    assert any("temperature 0.8" in message for message in warnings(warm))
    assert not any("temperature" in message for message in warnings(cold))


def test_unknown_models_stay_unknown() -> None:
    made = plan(variant("acme/secret", {"model": "acme/small"}))
    assert made.starts is Start.UNKNOWN and made.switch is None
    assert made.placements[0].variant is None and made.placements[0].outlook is None
    assert any("acme/secret" in missing for missing in made.unknowns)
    finding = plan_findings(made)[0]
    assert finding.status is None and finding.reason == Reason.FACTS_UNKNOWN
    assert not plan_refuses(made)
    status = plan_status(made)
    assert status.kv_tokens is None and status.speedups == [] and status.crossover_batch is None


def test_utilisation_default_follows_the_engine_version() -> None:
    old = plan(variant(LLAMA_8B, image="vllm/vllm-openai:v0.19.1", gpus=1)).placements[0].variant
    new = plan(variant(LLAMA_8B, image="vllm/vllm-openai:v0.20.0", gpus=1)).placements[0].variant
    assert old is not None and new is not None
    assert (old.utilization, new.utilization) == (0.9, 0.92)


def test_a_private_tag_is_planned_as_for_the_newest_engine_and_says_so() -> None:
    made = plan(variant(LLAMA_8B, image="example.com/vllm:stable", gpus=1))
    assert any("engine version" in missing for missing in made.unknowns)


def test_supplied_measurements_win() -> None:
    profile = supplied([{"batch": b, "k": 3, "plain_ms": 10, "speculating_ms": 30} for b in (1, 512)], source="mine")
    seen = plan(variant(draft=DRAFT_8B), Question(profile=profile, alpha=0.7)).placements[0].outlook
    assert seen is not None and seen.source == "mine"
    assert all(p.inflation == pytest.approx(3.0) and p.plain_ms == 10 for p in seen.predictions)
    assert seen.crossover == 1


@pytest.mark.parametrize("rows", [[], [{"batch": 1}], [{"batch": 1, "k": 3, "plain_ms": 0, "speculating_ms": 1}]])
def test_a_profile_that_cannot_be_read_names_what_is_wrong(rows: list[dict[str, object]]) -> None:
    with pytest.raises(ProfileError, match=r"rows|must be"):
        supplied(rows, source="mine")


def test_a_measured_loading_time_replaces_the_estimate() -> None:
    made = plan(variant(draft=DRAFT_8B), Question(replicas=4, loading_minutes=5.0))
    assert made.switch is not None
    assert made.switch.replica_minutes == 20.0 and made.switch.measured


MODELS = [LLAMA_70B, LLAMA_8B, "Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-V3", "google/gemma-3-27b-it", "acme/secret"]


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    model=st.sampled_from(MODELS),
    drafted=st.sampled_from([None, *MODELS]),
    method=st.sampled_from(list(DraftMethod)),
    quantization=st.sampled_from(list(Quantization)),
    draft_quantization=st.sampled_from(list(Quantization)),
    gpus=st.integers(1, 64),
    k=st.integers(1, 128),
    image=st.sampled_from(["vllm/vllm-openai:v0.6.3", "vllm/vllm-openai:v0.11.0", "x:v0.33.0", "x", "x:v0.1.0"]),
    cache=st.sampled_from(["auto", "fp8"]),
    length=st.none() | st.integers(16, 100_000_000),
    temperature=st.floats(0.0, 2.0),
    alpha=st.none() | st.floats(0.0, 1.0),
)
def test_no_resource_makes_planning_fail(
    model: str,
    drafted: str | None,
    method: DraftMethod,
    quantization: Quantization,
    draft_quantization: Quantization,
    gpus: int,
    k: int,
    image: str,
    cache: str,
    length: int | None,
    temperature: float,
    alpha: float | None,
) -> None:
    draft = {
        "method": method.value,
        "model": drafted,
        "quantization": draft_quantization.value,
        "numSpeculativeTokens": k,
    }
    try:
        declared = variant(
            model,
            draft,
            gpus=gpus,
            accelerators=("H100", "H200"),
            image=image,
            quantization=quantization.value,
            kvCacheDtype=cache,
            maxModelLen=length,
        )
    except ValidationError:
        reject()  # admission refuses it: planning never sees it
    made = plan(declared, Question(temperature=temperature, alpha=alpha, batches=(1, 64)))
    assert plan_document(made)["starts"] == (Start.NO if plan_refuses(made) else made.starts).value
    status = plan_status(made)
    if model == "acme/secret":
        assert made.starts is Start.UNKNOWN and status.kv_tokens is None
    for finding in plan_findings(made):
        documented = CONDITIONS[ConditionType(finding.type)]
        assert Reason(finding.reason) in documented.reasons


def test_the_crossover_agrees_with_the_predictions_it_stands_beside() -> None:
    head = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3}
    asked = Question(context=550)
    seen = plan(variant(LLAMA_8B, head, gpus=1, quantization="None"), asked).placements[0].outlook
    assert seen is not None and seen.crossover is not None
    assert all((p.speedup < 1.0) == (p.batch >= seen.crossover) for p in seen.predictions)


@pytest.mark.parametrize(
    ("kind", "ratio"), [("fp8", 2.0), ("int8_per_token_head", 2.0), ("int4_per_token_head", 4.0), ("nvfp4", 3.56)]
)
def test_narrow_cache_formats_hold_more_tokens(kind: str, ratio: float) -> None:
    wide, narrow = (plan(variant(LLAMA_8B, gpus=1, kvCacheDtype=k)).placements[0].variant for k in ("auto", kind))
    assert wide is not None and narrow is not None
    assert narrow.kv_tokens / wide.kv_tokens == pytest.approx(ratio, rel=0.01)


def test_a_cache_format_of_unknown_width_is_unknown_and_not_taken_for_sixteen_bits() -> None:
    made = plan(variant(LLAMA_8B, gpus=1, draft=DRAFT_8B, kvCacheDtype="turboquant_3bit_nc"))
    assert made.starts is Start.UNKNOWN and made.placements[0].outlook is None
    assert any("turboquant_3bit_nc" in missing for missing in made.unknowns)


def test_a_draft_that_drafts_a_block_at_once_takes_one_pass() -> None:
    both = [EAGLE3, EAGLE3 | {"extraKeys": {"parallel_drafting": True}}]
    one_by_one, at_once = (plan(variant(draft=draft)).placements[0].outlook for draft in both)
    assert one_by_one is not None and at_once is not None
    assert at_once.predictions[0].inflation < one_by_one.predictions[0].inflation
    assert at_once.predictions[0].interval.kind is Kind.OTHER

"""Resources that people wrote: what a plan has to notice in each."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.api.variant import Variant
from breakeven.planning.pairing import Severity
from breakeven.planning.placement import Start
from breakeven.planning.plan import Plan, plan

FIELD = Path(__file__).parents[2] / "data" / "field-plan"


def planned(name: str, **changes: dict[str, Any]) -> Plan:
    spec = yaml.safe_load((FIELD / f"{name}.yaml").read_text(encoding="utf-8"))["spec"]
    for part, fields in changes.items():
        spec[part] = {**spec.get(part, {}), **fields}
    parts = {key: spec[key] for key in ("engine", "target", "draft", "hardware") if key in spec}
    return plan(Variant.model_validate(parts))


def said(made: Plan, severity: Severity) -> str:
    return "; ".join(f"{r.field}: {r.message}" for r in made.remarks if r.severity is severity)


def refused(made: Plan) -> str:
    return said(made, Severity.REFUSAL)


def warned(made: Plan) -> str:
    return said(made, Severity.WARNING)


def test_a_head_on_a_quantized_copy_of_its_own_target_is_no_reason_to_warn() -> None:
    made = planned("c03-qwen3-8b-fp8-eagle3")
    assert "trained for" not in warned(made) + refused(made)


def test_a_head_on_another_model_of_the_same_width_is() -> None:
    other = {"model": "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", "quantization": "None"}
    assert "is trained for Qwen/Qwen3-8B" in warned(planned("c03-qwen3-8b-fp8-eagle3", target=other))


@pytest.mark.parametrize("name", ["RedHatAI/Qwen3-8B-speculator.eagle3", "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"])
def test_a_known_draft_checkpoint_as_target_is_refused_with_the_model_to_name(name: str) -> None:
    found = refused(planned("c04-speculator-as-target", target={"model": name}))
    assert "target.model" in found and f"draft.model to {name}" in found


def test_an_unknown_draft_checkpoint_as_target_is_warned_about() -> None:
    made = planned("c04-speculator-as-target", target={"model": "acme/Foo-12B-speculator.eagle3"})
    assert "drafts by itself" in warned(made)


@pytest.mark.parametrize("name", ["c20-r1-distill", "e04-coder-vocab"])
def test_vocabularies_of_152064_and_151936_are_refused(name: str) -> None:
    assert "152064" in refused(planned(name)) and "151936" in refused(planned(name))


def test_distilled_models_have_no_prediction_layers() -> None:
    assert "a distilled copy has none" in refused(planned("c21-mtp-on-distill"))
    unknown = planned("c21-mtp-on-distill", target={"model": "acme/R1-Distill-Foo-30B"})
    assert "num_nextn_predict_layers" in warned(unknown)


@pytest.mark.parametrize(
    "model",
    [
        "meta-llama/Meta-Llama-3.1-8B-Instruct",
        "meta-llama/Meta-Llama-3.1-70B-Instruct",
        "deepseek-ai/DeepSeek-R1",
        "deepseek-ai/DeepSeek-R1-0528",
        "deepseek-ai/DeepSeek-V3-0324",
        "deepseek-ai/DeepSeek-V3.1",
        "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        "Qwen/Qwen2.5-Coder-32B-Instruct",
    ],
)
def test_names_that_people_use_are_known(model: str) -> None:
    made = planned("e11-meta-alias", target={"model": model})
    assert made.target.vocab_size is not None and made.target.layers is not None


def test_an_alias_is_the_same_model_to_its_head() -> None:
    assert "is trained for" not in warned(planned("e11-meta-alias"))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("v0.24.0", "device-side assert"),
        ("v0.12.0", "device-side assert"),
        ("v0.33.0", "beyond them expect less acceptance"),
    ],
)
def test_a_head_with_a_short_context_is_warned_about_by_release(image: str, words: str) -> None:
    made = planned("d10-eagle3-longctx", engine={"image": f"vllm/vllm-openai:{image}"})
    assert words in warned(made) and "2048" in warned(made)
    short = planned("d10-eagle3-longctx", target={"maxModelLen": 2048})
    assert "positions" not in warned(short)


def test_a_v0_draft_that_the_engine_leaves_no_room_for_does_not_start() -> None:
    made = planned("c25-util99")
    assert made.starts is Start.NO and "lower target.gpuMemoryUtilization by 0.19" in refused(made)
    lower = planned("c25-util99", target={"gpuMemoryUtilization": "0.75"})
    assert lower.starts is Start.YES and refused(lower) == ""


def test_a_v0_head_brings_its_own_vocabulary() -> None:
    made = planned("e07-eagle-v0-095")
    assert made.starts is Start.NO and "target.gpuMemoryUtilization" in refused(made)
    assert planned("e07-eagle-v0-095", target={"gpuMemoryUtilization": "0.9"}).starts is Start.YES


def test_an_a100_is_planned_as_both_of_its_sizes() -> None:
    made = planned("c29-a100")
    assert [(p.gpu, p.starts) for p in made.placements] == [("A100-40GB", Start.YES), ("A100-80GB", Start.YES)]

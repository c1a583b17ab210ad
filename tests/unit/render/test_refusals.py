"""What cannot start, or would silently do nothing, is refused before a pod exists."""

from typing import Any

import pytest

from breakeven.api.spec import KVCacheDtype
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, Refusal, load
from breakeven.render.arguments import engine_env, serve_arguments
from breakeven.render.check import check, refusals
from breakeven.render.request import read


def variant(release: str, draft: dict[str, Any] | None = None, **more: Any) -> Variant:
    body: dict[str, Any] = {
        "engine": {"image": f"vllm/vllm-openai:v{release}", **more.pop("engine", {})},
        "target": {"model": "meta-llama/Llama-3.1-8B", **more.pop("target", {})},
    }
    return Variant.model_validate(body | ({"draft": draft} if draft else {}))


DRAFT = {"method": "DraftModel", "model": "/models/draft"}


@pytest.mark.parametrize(
    ("release", "draft", "field", "says"),
    [
        ("0.12.0", DRAFT, "draft.method", "0.15.1 and newer"),
        ("0.33.0", {"method": "Medusa", "model": "/m"}, "draft.method", "0.6.0 to 0.32.0"),
        ("0.33.0", DRAFT | {"model": "org/EAGLE3-draft"}, "draft.model", "neutral path"),
        ("0.33.0", {"method": "Eagle3", "model": "org/dspark-head"}, "draft.model", "overwrites Eagle3"),
        ("0.7.3", DRAFT | {"revision": "abc"}, "draft.revision", "0.8.3 and newer"),
        ("0.33.0", DRAFT | {"quantization": "INT8"}, "draft.quantization", "Prequantized"),
        ("0.28.0", DRAFT | {"quantization": "INT4"}, "draft.quantization", "0.6.0 to 0.27.1"),
        ("0.23.0", DRAFT | {"disableAboveBatchSize": 8}, "draft.disableAboveBatchSize", "0.24.0 and newer"),
        ("0.9.2", {"method": "NGram", "disableAboveBatchSize": 8}, "draft.disableAboveBatchSize", "0.24.0 and newer"),
    ],
)
def test_refused_by_field_with_what_to_do(release: str, draft: dict[str, Any], field: str, says: str) -> None:
    found = refusals(variant(release, draft))

    assert field in {r.field for r in found}
    assert any(says in r.message for r in found)


@pytest.mark.parametrize(
    ("release", "method", "acceptance", "says"),
    [
        ("0.10.0", "NGram", "Typical", "0.6.0 to 0.9.2 can, with NGram 0.6.0 to 0.8.5.post1"),
        ("0.9.2", "NGram", "Typical", "does nothing"),
        ("0.32.0", "NGram", "Fly", "0.33.0"),
        ("0.20.0", "Eagle3", "Probabilistic", "0.22.0 and newer can;"),
        ("0.20.0", "NGram", "Probabilistic", "0.22.0 and newer can, none of them with NGram"),
        ("0.33.0", "NGram", "Probabilistic", "no draft probabilities"),
        ("0.24.0", "NGram", "Block", "0.25.0 and newer can, with NGram 0.32.0 and newer"),
        ("0.30.0", "NGram", "Block", "0.32.0 and newer"),
        ("0.33.0", "Suffix", "Block", "none of them with Suffix"),
    ],
)
def test_an_acceptance_method_that_would_do_nothing_is_refused(
    release: str, method: str, acceptance: str, says: str
) -> None:
    accepting = {"method": acceptance, "allowLossy": True}
    model = {"model": "/models/head"} if method == "Eagle3" else {}
    found = refusals(variant(release, {"method": method, "acceptance": accepting} | model))

    assert [r.field for r in found] == ["draft.acceptance.method"]
    assert says in found[0].message


def test_lossy_acceptance_needs_consent_even_where_the_schema_was_not_asked() -> None:
    asked = variant("0.33.0", DRAFT | {"acceptance": {"method": "Fly", "allowLossy": True}})
    assert asked.draft is not None
    denied = asked.draft.acceptance.model_copy(update={"allow_lossy": False})
    made = asked.with_draft(asked.draft.model_copy(update={"acceptance": denied}))

    assert refusals(asked) == ()
    assert [r.field for r in refusals(made)] == ["draft.acceptance.allowLossy"]


@pytest.mark.parametrize(("target", "draft"), [("BitsAndBytes", "None"), ("None", "INT4")])
def test_bitsandbytes_on_one_side_only_is_refused(target: str, draft: str) -> None:
    made = variant("0.20.0", DRAFT | {"quantization": draft}, target={"quantization": target})

    assert [r.field for r in refusals(made)] == ["draft.quantization"]


def test_a_kv_cache_format_of_a_later_release_is_refused() -> None:
    (refusal,) = refusals(variant("0.10.0", target={"kvCacheDtype": "float16"}))

    assert refusal.field == "target.kvCacheDtype"
    assert "0.18.0 and newer" in refusal.message


def test_an_eagle3_head_for_a_family_the_release_does_not_take_is_refused() -> None:
    head = {"method": "Eagle3", "model": "/models/head"}
    qwen = {"model": "Qwen/Qwen3-8B"}

    assert [r.rule for r in refusals(variant("0.9.2", head, target=qwen))] == ["EagleFamilies"]
    assert refusals(variant("0.10.2", head, target=qwen)) == ()
    assert "EagleFamilies" in {f.rule for f in check(variant("0.9.2", head, target={"model": "/models/target"}))}
    assert refusals(variant("0.9.2", head, target={"model": "/models/target"})) == ()


def test_forcing_an_engine_that_lacks_the_method_is_refused() -> None:
    forced = {"env": [{"name": "VLLM_USE_V1", "value": "1"}]}

    assert [r.field for r in refusals(variant("0.9.2", DRAFT, engine=forced))] == ["engine.env"]
    assert refusals(variant("0.9.2", {"method": "NGram"}, engine=forced)) == ()


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "A=B", "value": "1"},
        {"name": "VLLM_USE_V1", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
    ],
)
def test_a_variable_that_pods_cannot_have_or_rendering_cannot_read_is_refused(variable: dict[str, Any]) -> None:
    (refusal,) = refusals(variant("0.9.2", engine={"env": [variable]}))

    assert refusal.field.startswith("engine.env")
    assert variable["name"] in refusal.message or "in quotes" in refusal.message


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("target", "servedName", "a\0b"),
        ("target", "revision", "a\0b"),
        ("engine", "extraArgs", ["--seed=1\0"]),
        ("engine", "env", [{"name": "A", "value": "\0"}]),
    ],
)
def test_text_with_a_null_character_is_refused(part: str, field: str, value: object) -> None:
    body: dict[str, Any] = {part: {field: value}}

    assert [r.field for r in refusals(variant("0.33.0", **body))] == [f"{part}.{field}"]


def test_dollar_signs_reach_the_engine_as_written_except_in_extra_arguments() -> None:
    engine = {"extraArgs": ["--api-key=$(KEY)"]}
    request = read(variant("0.33.0", engine=engine, target={"servedName": "a$(b)$c"}))

    assert not isinstance(request, Refusal)
    assert "--served-model-name=a$$(b)$$c" in serve_arguments(request)
    assert "--api-key=$(KEY)" in serve_arguments(request)


def test_a_key_that_smoke_tests_do_not_send_is_said() -> None:
    secret = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}

    assert [f.field for f in check(variant("0.33.0", engine={"env": [secret]}))] == ["engine.env"]


def test_an_unreadable_version_is_the_only_refusal() -> None:
    made = Variant.model_validate({"engine": {"image": "vllm/vllm-openai:latest"}, "target": {"model": "m"}})

    assert [(r.field, r.reason) for r in refusals(made)] == [("engine.version", Reason.NOT_IN_TAG)]


def test_refusals_come_before_cautions() -> None:
    found = check(variant("0.12.5", DRAFT))

    assert [isinstance(f, Refusal) for f in found] == [True] + [False] * (len(found) - 1)
    assert isinstance(found[1], Caution)
    assert "0.12.0" in found[1].message


@pytest.mark.parametrize(
    ("release", "draft", "env"),
    [
        ("0.33.0", DRAFT | {"disableAboveBatchSize": 8}, {"VLLM_USE_V2_MODEL_RUNNER": "0"}),
        ("0.30.0", DRAFT | {"disableAboveBatchSize": 8}, {}),
        ("0.33.0", DRAFT, {}),
    ],
)
def test_the_runner_that_honours_the_schedule_is_chosen(
    release: str, draft: dict[str, Any], env: dict[str, str]
) -> None:
    request = read(variant(release, draft))

    assert not isinstance(request, Refusal)
    assert engine_env(request) == env


@pytest.mark.parametrize(
    ("release", "side", "method", "words"),
    [
        ("0.33.0", "target", "modelopt", ""),
        ("0.33.0", "target", "awq_marlin", ""),
        ("0.33.0", "draft", "modelopt_fp4", ""),
        ("0.6.0", "target", "modelopt", "0.6.3.post1 and newer can"),
        ("0.8.5", "draft", "modelopt_fp4", "0.9.0 and newer can"),
        ("0.33.0", "target", "marlin", "0.6.0 to 0.10.1.1 can"),
        ("0.33.0", "target", "model_opt", "did you mean modelopt?"),
        ("0.33.0", "target", "zzz", "it has auto_awq"),
    ],
)
def test_a_quantization_method_in_vllms_words_is_written_where_the_release_has_it(
    release: str, side: str, method: str, words: str
) -> None:
    named = {"quantization": "Prequantized", "quantizationMethod": method}
    draft = {"method": "DraftModel", "model": "/models/draft"} | (named if side == "draft" else {})
    asked = variant(release, draft, **({"target": named} if side == "target" else {}))
    found = [r for r in refusals(asked) if r.field == f"{side}.quantizationMethod"]

    assert [words in r.message for r in found] == ([True] if words else [])
    if not words:
        request = read(asked)
        assert not isinstance(request, Refusal)
        spelt = f"--quantization={method}" if side == "target" else f'"quantization":"{method}"'
        assert spelt in " ".join(serve_arguments(request))


def test_a_method_that_shares_the_targets_weights_takes_no_format_of_its_own() -> None:
    draft = {"method": "MTP", "model": "/models/mtp", "quantization": "Prequantized", "quantizationMethod": "modelopt"}

    assert "draft.quantizationMethod" in {r.field for r in refusals(variant("0.33.0", draft))}


def test_a_quantization_method_needs_the_format_beside_it() -> None:
    with pytest.raises(ValueError, match="write the weight format beside quantizationMethod"):
        variant("0.33.0", None, target={"quantizationMethod": "modelopt"})


@pytest.mark.parametrize(
    ("release", "dtype", "words"),
    [
        ("0.33.0", "fp8_ds_mla", ""),
        ("0.20.0", "nvfp4", ""),
        ("0.11.0", "fp8_ds_mla", "0.11.1 and newer can"),
        ("0.19.1", "nvfp4", "0.20.0 and newer can"),
    ],
)
def test_every_format_of_the_kv_cache_is_taken_where_the_release_has_it(release: str, dtype: str, words: str) -> None:
    found = [r for r in refusals(variant(release, None, target={"kvCacheDtype": dtype})) if "kvCache" in r.field]

    assert [words in r.message for r in found] == ([True] if words else [])


def test_the_api_names_every_kv_format_of_the_table() -> None:
    assert {str(dtype) for dtype in KVCacheDtype} == load().every_name("kv_cache_dtypes")

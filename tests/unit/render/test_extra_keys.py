"""Keys of the draft without a field of their own: written as they are, and only where the release knows them."""

import json
from typing import Any

import pytest

from breakeven.api.spec import DraftSpec
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal, load
from breakeven.render.arguments import serve_arguments
from breakeven.render.check import refusals
from breakeven.render.request import read

DRAFT = {"method": "DraftModel", "model": "/models/draft"}
MTP = {"method": "MTP", "numSpeculativeTokens": 1}
SUFFIX = {"method": "Suffix"}


def variant(release: str, draft: dict[str, Any], keys: dict[str, Any], **engine: Any) -> Variant:
    body = {
        "engine": {"image": "vllm/vllm-openai:latest", "version": release} | engine,
        "target": {"model": "deepseek-ai/DeepSeek-V3"},
        "draft": draft | {"extraKeys": keys},
    }
    return Variant.model_validate(body)


def said(release: str, draft: dict[str, Any], keys: dict[str, Any]) -> list[Refusal]:
    return [r for r in refusals(variant(release, draft, keys)) if r.field == "draft.extraKeys"]


EXPRESSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("0.26.0", MTP, {"moe_backend": "triton"}),
    ("0.33.0", DRAFT, {"enforce_eager": True, "max_model_len": 4096}),
    ("0.33.0", DRAFT, {"parallel_drafting": True, "use_heterogeneous_vocab": True}),
    ("0.33.0", {"method": "Eagle3", "model": "/models/head"}, {"disable_padded_drafter_batch": True}),
    ("0.33.0", {"method": "DFlash", "model": "/models/head"}, {"attention_backend": "FLASH_ATTN"}),
    ("0.33.0", DRAFT, {"kv_cache_dtype": "fp8"}),
    ("0.33.0", SUFFIX, {"suffix_decoding_max_tree_depth": 32, "suffix_decoding_min_token_prob": 0.2}),
    ("0.28.0", {"method": "DSpark", "model": "/models/head"}, {"enable_adaptive_verification": True}),
    ("0.33.0", {"method": "Eagle3", "model": "/models/head"}, {"enable_adaptive_verification": True}),
]


@pytest.mark.parametrize(("release", "draft", "keys"), EXPRESSED)
def test_a_key_that_the_release_knows_is_written_as_it_is(
    release: str, draft: dict[str, Any], keys: dict[str, Any]
) -> None:
    assert said(release, draft, keys) == []
    request = read(variant(release, draft, keys))
    assert not isinstance(request, Refusal)
    written = next(a for a in serve_arguments(request) if a.startswith("--speculative-config="))
    config = json.loads(written.partition("=")[2])
    assert {name: config[name] for name in keys} == keys


@pytest.mark.parametrize(
    ("release", "keys", "words"),
    [
        ("0.18.1", {"moe_backend": "triton"}, "0.19.0 and newer can"),
        ("0.10.2", {"enforce_eager": True}, "0.11.0 and newer can"),
        ("0.15.1", {"parallel_drafting": True}, "0.16.0 and newer can"),
        ("0.24.0", {"use_heterogeneous_vocab": True}, "0.25.0 and newer can"),
        ("0.25.1", {"kv_cache_dtype": "fp8"}, "0.26.0 and newer can"),
        ("0.7.3", {"max_model_len": 4096}, "0.8.3 and newer can"),
        ("0.19.0", {"attention_backend": "FLASH_ATTN"}, "0.21.0 and newer can"),
    ],
)
def test_a_key_that_the_release_does_not_know_is_refused_with_those_that_do(
    release: str, keys: dict[str, Any], words: str
) -> None:
    (refusal,) = said(release, DRAFT, keys)

    assert refusal.reason is Reason.UNSUPPORTED_BY_ENGINE
    assert words in refusal.message


@pytest.mark.parametrize(
    ("draft", "keys", "words"),
    [
        (DRAFT, {"method": "ngram"}, "set draft.method"),
        (DRAFT, {"num_speculative_tokens": 3}, "set draft.numSpeculativeTokens"),
        (DRAFT, {"draft_tensor_parallel_size": 2}, "follows hardware.gpusPerReplica"),
        (DRAFT, {"rejection_sample_method": "block"}, "set draft.acceptance.method"),
        (DRAFT, {"synthetic_acceptance_length": 3}, "nothing verified"),
        (DRAFT, {"moeBackend": "triton"}, "did you mean moe_backend?"),
        (DRAFT, {"enforce-eager": True}, "did you mean enforce_eager?"),
        (DRAFT, {"zzz": 1}, "known are attention_backend"),
        (DRAFT, {"enforce_eager": "yes"}, "write true or false"),
        (DRAFT, {"max_model_len": 0}, "write a whole number"),
        (DRAFT, {"max_model_len": True}, "write a whole number"),
        (DRAFT, {"moe_backend": 3}, "write a text"),
        (DRAFT, {"kv_cache_dtype": "fp7"}, "has no KV cache of fp7"),
        (SUFFIX, {"suffix_decoding_min_token_prob": 1.5}, "a number from 0 to 1"),
        (DRAFT, {"suffix_decoding_max_tree_depth": 8}, "does nothing with DraftModel, only with Suffix"),
        (SUFFIX, {"moe_backend": "triton"}, "does nothing with Suffix"),
        (MTP, {"use_heterogeneous_vocab": True}, "only with DraftModel"),
        (DRAFT, {"fly_window_size": 4}, "does nothing with Rejection acceptance"),
    ],
)
def test_a_key_that_is_misspelt_decided_elsewhere_or_without_effect_is_refused(
    draft: dict[str, Any], keys: dict[str, Any], words: str
) -> None:
    (refusal,) = said("0.33.0", draft, keys)

    assert words in refusal.message


def test_adaptive_verification_is_dsparks_alone_before_0_32() -> None:
    keys = {"enable_adaptive_verification": True}

    assert "only with DSpark" in said("0.28.0", DRAFT, keys)[0].message
    assert said("0.32.0", DRAFT, keys) == []


def test_every_key_of_the_table_has_a_field_or_is_taken_here_or_is_refused_by_name() -> None:
    from breakeven.render.extrakeys import OWN_FIELDS

    table = load()

    assert set(table.draft_keys) | set(OWN_FIELDS) >= table.every_name("speculative_config_keys")
    assert not set(table.draft_keys) & set(OWN_FIELDS)


def test_a_dotted_argument_is_answered_with_the_key_to_write() -> None:
    wrong = variant("0.26.0", MTP, {}, extraArgs=["--speculative-config.moe_backend=triton"])

    assert any("extraKeys: {moe_backend: triton}" in r.message for r in refusals(wrong))


def test_a_variant_has_one_name_whether_a_number_is_stored_as_1_or_1_0() -> None:
    whole, point = (variant("0.33.0", SUFFIX, {"suffix_decoding_max_spec_factor": n}) for n in (1, 1.0))

    assert whole.name == point.name


def test_a_key_takes_no_list_and_no_object() -> None:
    with pytest.raises(ValueError, match="moe_backend: write a text, a number, true or false"):
        DraftSpec.model_validate(DRAFT | {"extraKeys": {"moe_backend": ["triton"]}})


def test_n_grams_may_be_longer_than_128_tokens() -> None:
    draft = {"method": "NGram", "promptLookupMax": 500, "promptLookupMin": 10}
    request = read(variant("0.8.4", draft, {}, env=[{"name": "VLLM_USE_V1", "value": "1"}]))

    assert not isinstance(request, Refusal)
    assert '"prompt_lookup_max":500' in serve_arguments(request)[-1]

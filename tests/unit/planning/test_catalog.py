"""Names resolve only where certain; a config.json says what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.configs import LLAMA_8B

from breakeven.api.spec import ModelFacts
from breakeven.planning import catalog
from breakeven.planning.architecture import Attention
from breakeven.planning.facts import facts_for, from_config


@pytest.mark.parametrize(
    ("name", "size", "bits"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", 70.554, 16.0),
        ("META-LLAMA/llama-3.1-70b-instruct", 70.554, 16.0),
        ("meta-llama/Llama-3.1-70B", 70.554, 16.0),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", 8.03, 8.0),
        ("neuralmagic/Meta-Llama-3.1-70B-Instruct-quantized.w4a16", 70.554, 4.0),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", 7.616, 4.0),
        ("Qwen/Qwen3-32B-FP8", 32.762, 8.0),
    ],
)
def test_known_names_resolve(name: str, size: float, bits: float) -> None:
    found = catalog.resolve(name)
    assert found is not None
    assert found.params == pytest.approx(size * 1e9)
    assert found.weight_bits == bits


@pytest.mark.parametrize(
    "name",
    ["somebody/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-9B", "Qwen/Qwen3-32B-GGUF", "/models/target", "", "-fp8"],
)
def test_everything_else_is_unknown(name: str) -> None:
    assert catalog.resolve(name) is None
    found = facts_for(name)
    assert found.params is None and found.layers is None and found.vocab_size is None


def test_base_checkpoints_do_not_borrow_facts_that_differ() -> None:
    found = catalog.resolve("Qwen/Qwen2.5-7B")
    assert found is not None and found.max_position is None and found.layers == 28
    mixtral = catalog.resolve("mistralai/Mixtral-8x22B-v0.1")
    assert mixtral is None or mixtral.vocab_size is None


def test_declared_facts_win_and_the_rest_stays_unknown() -> None:
    found = facts_for("acme/secret-12b", declared=ModelFacts.model_validate({"paramsBillions": "12", "layers": 40}))
    assert found.params == 12e9 and found.layers == 40
    assert found.vocab_size is None and found.kv_heads is None
    assert found.origin == "resource"


def test_a_config_counts_the_parameters_it_describes() -> None:
    found = from_config("/models/x", LLAMA_8B)
    assert found.params == pytest.approx(8.03e9, rel=0.001)
    assert found.attention is Attention.FULL and found.head_dim == 128 and found.weight_bits == 16.0


def test_a_latent_config_is_recognised() -> None:
    config = LLAMA_8B | {"model_type": "deepseek_v3", "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    found = from_config("/models/x", config)
    assert found.attention is Attention.LATENT and found.latent_width == 576
    assert found.params is None


def test_a_quantized_config_of_unstated_width_is_unknown() -> None:
    assert from_config("x", LLAMA_8B | {"quantization_config": {"quant_method": "new"}}).weight_bits is None
    assert from_config("x", LLAMA_8B | {"quantization_config": {"quant_method": "awq", "bits": 4}}).weight_bits == 4.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    config=st.dictionaries(
        st.sampled_from([*LLAMA_8B, "head_dim", "sliding_window", "layer_types", "quantization_config", "text_config"]),
        json_values,
    )
)
def test_no_config_makes_reading_it_fail(config: dict[str, object]) -> None:
    found = from_config("x", config)
    assert found.params is None or found.params > 0

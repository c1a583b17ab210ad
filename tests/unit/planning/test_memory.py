"""KV capacity: published table, start-up reports, and what must always hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.api.spec import Quantization
from breakeven.planning import catalog
from breakeven.planning.article_table import article_table
from breakeven.planning.memory import ModelMemory, cache_of, capacity, lost_share
from breakeven.planning.startup import start_ups
from breakeven.planning.weights import GIB, weight_bytes

PUBLISHED = {
    ("H100", "BF16", "BF16"): (21_389, 0, 0),
    ("H100", "BF16", "INT4"): (21_389, 2_792, 0),
    ("H100", "INT8", "BF16"): (230_285, 129_480, 73_477),
    ("H100", "INT8", "INT8"): (230_285, 144_694, 97_143),
    ("H100", "INT4", "INT4"): (330_653, 223_695, 164_273),
    ("H200", "BF16", "BF16"): (386_765, 241_251, 160_411),
    ("H200", "INT8", "INT4"): (595_661, 412_986, 311_500),
    ("H200", "INT4", "BF16"): (696_029, 462_154, 332_224),
}


@pytest.mark.parametrize("combination", PUBLISHED)
def test_two_gpu_table_is_reproduced(combination: tuple[str, str, str]) -> None:
    row = next(r for r in article_table() if (r.gpu, r.target, r.draft) == combination)
    alone, paired, one_gpu = PUBLISHED[combination]
    assert row.alone.kv_tokens == pytest.approx(alone, rel=0.003)
    assert row.paired.kv_tokens == pytest.approx(paired, rel=0.005)
    assert row.one_gpu_draft.kv_tokens == pytest.approx(one_gpu, rel=0.005)


@pytest.mark.parametrize(("model", "int8", "int4"), [("llama-3.1-70b", 72.7, 39.8), ("llama-3.1-8b", 9.1, 5.7)])
def test_quantized_checkpoints_keep_embeddings_and_head_wide(model: str, int8: float, int4: float) -> None:
    facts = catalog.models()[model]
    for quantization, gigabytes in ((Quantization.INT8, int8), (Quantization.INT4, int4)):
        weights = weight_bytes(facts, quantization)
        assert weights is not None
        assert weights / 1e9 == pytest.approx(gigabytes, abs=0.06)


@pytest.mark.parametrize("row", start_ups(), ids=lambda row: row.engine)
def test_planned_capacity_is_within_one_percent_of_every_start_up_report(row: object) -> None:
    assert abs(row.error) < 0.01  # type: ignore[attr-defined]  # parametrized rows are StartUp values


def test_latent_cache_is_not_split_over_gpus() -> None:
    facts = catalog.models()["deepseek-v3"]
    memory = cache_of(facts, 0.0, bytes_per_element=2.0)
    assert memory is not None
    assert memory.cache_bytes(1, 1) == memory.cache_bytes(1, 8) == 70_272


def test_kv_heads_are_replicated_when_there_are_more_gpus() -> None:
    facts = catalog.models()["qwen3-235b-a22b"]
    memory = cache_of(facts, 0.0, bytes_per_element=2.0)
    assert memory is not None
    assert memory.cache_bytes(1, 4) == memory.cache_bytes(1, 8) == 192_512 / 4


def test_window_layers_stop_growing() -> None:
    facts = catalog.models()["gemma-3-27b"]
    memory = cache_of(facts, 0.0, bytes_per_element=2.0)
    assert memory is not None
    per_layer = 507_904 / 62
    assert memory.cache_bytes(1000, 1) == pytest.approx(1000 * 507_904)
    assert memory.cache_bytes(32_768, 1) == pytest.approx(per_layer * (10 * 32_768 + 52 * 1024))


def test_half_width_cache_doubles_the_tokens() -> None:
    facts = catalog.models()["llama-3.1-8b"]
    weights = weight_bytes(facts, Quantization.NONE)
    assert weights is not None
    tokens = []
    for element in (2.0, 1.0):
        memory = cache_of(facts, weights, bytes_per_element=element)
        assert memory is not None
        found = capacity("x", 79.1, memory, utilization=0.9, overhead=2.0, sequence=4096)
        tokens.append(found.kv_tokens)
    assert tokens[1] == pytest.approx(2 * tokens[0], abs=2)


def _draft(gib: float, layers: int) -> ModelMemory:
    return ModelMemory(weight_bytes=gib * GIB, cache_layers=layers, full_layers=layers, window=None, heads=8, width=512)


@settings(max_examples=60)
@given(
    gib=st.floats(0.0, 60.0),
    more=st.floats(0.1, 60.0),
    layers=st.integers(1, 80),
    gpus=st.sampled_from([1, 2, 4, 8]),
    spread=st.booleans(),
)
def test_a_heavier_draft_never_leaves_more_tokens(
    gib: float, more: float, layers: int, gpus: int, spread: bool
) -> None:
    target = cache_of(catalog.models()["llama-3.1-8b"], 16e9, bytes_per_element=2.0)
    assert target is not None
    found = [
        capacity(
            "x",
            139.8,
            target,
            draft=draft,
            gpus=gpus,
            draft_gpus=gpus if spread else 1,
            utilization=0.92,
            overhead=3.8,
            sequence=4096,
        )
        for draft in (None, _draft(gib, layers), _draft(gib + more, layers))
    ]
    assert found[0].kv_tokens >= found[1].kv_tokens >= found[2].kv_tokens >= 0
    assert found[1].kv_tokens == 0 or (lost_share(found[0], found[1]) or 0) >= 0

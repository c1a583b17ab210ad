"""The metrics page against pages recorded from a real vLLM 0.32.0."""

from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from breakeven.lab.engine.acceptance import DEFAULTS
from breakeven.lab.engine.buckets import buckets
from breakeven.lab.engine.core import EngineCore, Request, Setup, Speculation
from breakeven.lab.engine.page import NOTICE, Labels, cache_config, page_of, text_of
from breakeven.lab.engine.step_times import BASELINE, step_times

DATA = Path(__file__).parent / "data"
RECORDED = {None: "recorded-0.32.0-nospec-t0.prom", 4: "recorded-0.32.0-draft_model-medium-fixed-t0.4.prom"}

Shape = dict[str, tuple[str, dict[str, frozenset[tuple[str, ...]]], frozenset[str]]]
"""Family → (type, sample name → sets of label names, bucket bounds)."""


def page(k: int | None) -> str:
    times = step_times("8B", "draft_model" if k else BASELINE, k or 0, "async")
    setup = Setup(
        times=times,
        kv_tokens=times.memory.kv_tokens,
        prefill_tokens_per_s=times.memory.prefill_tokens_per_s,
        speculation=Speculation("draft_model", k, DEFAULTS["draft_model"]) if k else None,
        bounds=buckets(1024, {}),
    )
    core = EngineCore(setup)
    core.submit(Request(7, 160))
    core.advance(10.0)
    labels = Labels(model_name="tiny", created=1.0, cache_config=cache_config(core, 0.92))
    return text_of(page_of(core, labels)).decode()


def shape(text: str) -> Shape:
    found: Shape = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("vllm:"):
            continue
        names: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        bounds = set()
        for sample in family.samples:
            names[sample.name].add(tuple(sorted(sample.labels)))
            if "le" in sample.labels:
                bounds.add(sample.labels["le"])
        labelled = {name: frozenset(sets) for name, sets in names.items()}
        found[family.name] = (family.type, labelled, frozenset(bounds))
    return found


@pytest.mark.parametrize("k", [None, 4])
def test_every_family_has_the_recorded_names_labels_and_buckets(k: int | None) -> None:
    real = shape((DATA / RECORDED[k]).read_text())
    assert shape(page(k)) == real


@pytest.mark.parametrize("k", [None, 4])
def test_label_values_are_the_recorded_ones(k: int | None) -> None:
    def values(text: str) -> set[tuple[str, str, str]]:
        return {
            (sample.name, label, value)
            for family in text_string_to_metric_families(text)
            if family.name.startswith("vllm:") and family.name != "vllm:cache_config_info"
            for sample in family.samples
            for label, value in sample.labels.items()
        }

    assert values(page(k)) == values((DATA / RECORDED[k]).read_text())


def test_speculation_families_are_absent_without_it() -> None:
    assert "spec_decode" not in page(None)


def test_speculation_families_stand_at_zero_before_the_first_request() -> None:
    times = step_times("8B", "draft_model", 2, "async")
    core = EngineCore(
        Setup(
            times=times, kv_tokens=1600, prefill_tokens_per_s=1e4, speculation=Speculation("d", 2, DEFAULTS["eagle3"])
        )
    )
    text = text_of(page_of(core, Labels("m", 1.0, {}))).decode()
    for position in ("0", "1"):
        line = 'vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="%s"} 0.0'
        assert line % position in text


def test_page_says_that_it_is_simulated_in_a_comment() -> None:
    assert page(None).startswith(NOTICE)
    assert "simulated engine" in NOTICE.lower()


def test_created_gauges_have_their_own_type_line() -> None:
    assert "# TYPE vllm:generation_tokens_created gauge" in page(None)
    assert "# TYPE vllm:inter_token_latency_seconds_created gauge" in page(None)


def test_custom_buckets_replace_those_of_their_family_only() -> None:
    bounds = buckets(1024, {"inter_token_latency": [0.002, 0.004]})
    assert bounds["inter_token_latency"] == (0.002, 0.004)
    assert bounds["request_latency"] == buckets(1024, {})["request_latency"]
    with pytest.raises(ValueError, match="strictly increasing"):
        buckets(1024, {"request_tokens": [2, 1]})

"""From series to scrapes, and from scrapes to increases."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.assembly import SCALARS
from breakeven.domain.counters.observation import Totals
from breakeven.domain.counters.scrapes import increase, restarted, scrape_of, total
from breakeven.domain.counters.vllm_metrics import Series, best_prefix, engine_named, merge, prefix_of, series_of


def assembled(*pairs: tuple[str, dict[str, str], float]) -> Totals:
    values: dict[Series, float] = {}
    for suffix, labels, value in pairs:
        series = series_of(suffix, labels)
        assert series is not None, suffix
        merge(values, series, value)
    return scrape_of(0.0, values).totals


def test_what_is_absent_stays_unknown_and_is_not_zero() -> None:
    totals = assembled(("generation_tokens_total", {}, 5))
    assert totals == Totals(generation_tokens=5)


@pytest.mark.parametrize("suffix", ["generation_tokens_total", "generation_tokens"])
def test_counters_are_known_with_and_without_total(suffix: str) -> None:
    assert assembled((suffix, {}, 5)).generation_tokens == 5


def test_ranks_are_added_up_and_cache_use_is_their_maximum() -> None:
    values: dict[Series, float] = {}
    for use in (0.2, 0.9, 0.4):
        merge(values, Series("kv_cache_usage_perc"), use)
        merge(values, Series("generation_tokens"), 10)
        merge(values, Series("num_requests_running"), 2)
    scrape = scrape_of(0.0, values)
    assert (scrape.gauges.kv_usage, scrape.gauges.running) == (0.9, 6)
    assert scrape.totals.generation_tokens == 30


def test_releases_that_export_both_names_of_the_step_time_are_not_counted_twice() -> None:
    both = assembled(
        ("inter_token_latency_seconds_count", {}, 10),
        ("inter_token_latency_seconds_sum", {}, 1.0),
        ("time_per_output_token_seconds_count", {}, 10),
        ("time_per_output_token_seconds_sum", {}, 1.0),
    )
    assert (both.steps, both.step_seconds) == (10, 1.0)
    old = assembled(("time_per_output_token_seconds_count", {}, 7), ("time_per_output_token_seconds_sum", {}, 0.5))
    assert (old.steps, old.step_seconds) == (7, 0.5)


def test_the_v0_engines_speculation_counters_are_not_used() -> None:
    totals = assembled(
        ("spec_decode_num_accepted_tokens_total", {}, 100),
        ("spec_decode_num_draft_tokens_total", {}, 200),
        ("spec_decode_num_emitted_tokens_total", {}, 150),
    )
    assert (totals.accepted, totals.drafted) == (None, None)


def test_old_name_of_the_cache_use_is_known() -> None:
    assert scrape_of(0.0, {Series("gpu_cache_usage_perc"): 0.5}).gauges.kv_usage == 0.5


def test_aborted_and_failed_requests_are_told_from_finished_ones() -> None:
    reasons = {"stop": 5, "length": 3, "repetition": 1, "abort": 2, "error": 4}
    totals = assembled(*(("request_success_total", {"finished_reason": r}, n) for r, n in reasons.items()))
    assert (totals.finished, totals.failed) == (9, 6)


def test_positions_are_ordered_by_number_and_a_gap_makes_them_unknown() -> None:
    name = "spec_decode_num_accepted_tokens_per_pos_total"
    eleven = [(name, {"position": str(i)}, float(100 - i)) for i in reversed(range(11))]
    assert assembled(*eleven).accepted_at == tuple(float(100 - i) for i in range(11))
    assert assembled(*eleven[:5]).accepted_at == ()


@pytest.mark.parametrize("bad", [nan, inf, -1.0])
def test_a_value_that_is_no_number_makes_the_whole_sum_unknown(bad: float) -> None:
    name = "generation_tokens_total"
    assert assembled((name, {}, 5), (name, {}, bad)).generation_tokens is None
    assert assembled((name, {}, bad), (name, {}, 5)).generation_tokens is None


def test_a_histogram_without_its_last_bucket_is_unknown() -> None:
    name = "time_to_first_token_seconds_bucket"
    assert assembled((name, {"le": "0.1"}, 1)).ttft_buckets == ()
    whole = assembled((name, {"le": "+Inf"}, 2), (name, {"le": "0.1"}, 1))
    assert whole.ttft_buckets == ((0.1, 1.0), (inf, 2.0))


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("vllm:generation_tokens_total", "vllm:"),
        ("kserve_vllm:generation_tokens_total", "kserve_vllm:"),
        ("vllm_generation_tokens_total", "vllm_"),
        ("vllm:generation_tokens", "vllm:"),
        ("vllm:request_generation_tokens", None),
        ("vllm:prompt_tokens_total", None),
        ("generation_tokens_total", None),
        ("sglang:generation_tokens_total", None),
        ("lmdeploy:generation_tokens_total", None),
        ("trtllm_generation_tokens_total", None),
    ],
)
def test_the_prefix_is_told_by_the_count_of_emitted_tokens(name: str, prefix: str | None) -> None:
    assert prefix_of(name) == prefix


def test_every_exported_name_is_read_back() -> None:
    for buckets in (False, True):
        for suffix in vllm_metrics.exported(buckets=buckets):
            assert series_of(suffix, {"le": "1", "position": "0", "finished_reason": "stop"}) is not None


def test_an_increase_is_the_difference_and_unknown_where_either_side_is() -> None:
    earlier = Totals(generation_tokens=10, steps=4, accepted_at=(3, 2), ttft_buckets=((1.0, 1), (inf, 2)))
    later = Totals(generation_tokens=25, drafts=9, accepted_at=(5, 2), ttft_buckets=((1.0, 4), (inf, 6)))
    assert increase(earlier, later) == Totals(
        generation_tokens=15, accepted_at=(2, 0), ttft_buckets=((1.0, 3), (inf, 4))
    )


def test_after_a_restart_the_increase_is_what_was_counted_since() -> None:
    earlier = Totals(generation_tokens=1000, first_tokens=10, steps=500)
    later = Totals(generation_tokens=1100, first_tokens=4, steps=550)
    assert restarted(earlier, later)
    assert increase(earlier, later) == later


def test_other_bucket_bounds_and_other_positions_are_unknown_not_wrong() -> None:
    earlier = Totals(steps=1, accepted_at=(1, 1), tpot_buckets=((1.0, 1), (inf, 1)))
    later = Totals(steps=2, accepted_at=(2, 2, 2), tpot_buckets=((2.0, 1), (inf, 1)))
    assert increase(earlier, later) == Totals(steps=1)
    assert total([earlier, later]) == Totals(steps=3)


def test_what_one_replica_does_not_know_the_sum_does_not_know() -> None:
    assert total([Totals(steps=1, drafts=2), Totals(steps=3)]) == Totals(steps=4)
    assert total([]) == Totals()


counts = st.one_of(st.none(), st.integers(0, 1000).map(float))
everything = st.builds(
    Totals,
    **dict.fromkeys(SCALARS, counts),
    accepted_at=st.lists(st.integers(0, 50).map(float), max_size=4).map(tuple),
    ttft_buckets=st.lists(st.integers(0, 50).map(float), min_size=3, max_size=3).map(
        lambda v: tuple(zip((0.1, 0.5, inf), sorted(v), strict=True))
    ),
)


@settings(max_examples=150)
@given(everything, everything)
def test_an_increase_is_never_negative(earlier: Totals, later: Totals) -> None:
    result = increase(earlier, later)
    for name in SCALARS:
        value = getattr(result, name)
        assert value is None or value >= 0
    assert all(v >= 0 for v in result.accepted_at)
    assert all(v >= 0 for _, v in result.ttft_buckets)


@settings(max_examples=100)
@given(st.lists(everything, min_size=1, max_size=4))
def test_a_sum_does_not_depend_on_the_order(parts: list[Totals]) -> None:
    assert total(parts) == total(list(reversed(parts)))


@pytest.mark.parametrize("first", ["generation_tokens_total", "generation_tokens"])
def test_a_counter_under_two_names_is_counted_once_whichever_comes_first(first: str) -> None:
    """Ray exports every counter as a gauge too (ray PR 43795)."""
    names = sorted(["generation_tokens_total", "generation_tokens"], key=lambda n: n != first)
    ranks = [({"engine": rank}, tokens) for rank, tokens in (("0", 5.0), ("1", 7.0))]
    by_name = assembled(*((name, labels, tokens) for name in names for labels, tokens in ranks))
    by_rank = assembled(*((name, labels, tokens) for labels, tokens in ranks for name in names))
    assert (by_name.generation_tokens, by_rank.generation_tokens) == (12, 12)


def test_counters_by_label_under_two_names_are_counted_once_too() -> None:
    twice = [
        (f"{name}{end}", {label: value}, count)
        for end in ("", "_total")
        for name, label, value, count in (
            ("request_success", "finished_reason", "stop", 5.0),
            ("request_success", "finished_reason", "abort", 2.0),
            ("spec_decode_num_accepted_tokens_per_pos", "position", "0", 9.0),
            ("spec_decode_num_accepted_tokens_per_pos", "position", "1", 4.0),
        )
    ]
    for pages in (twice, twice[:4]):
        totals = assembled(*pages)
        assert (totals.finished, totals.failed, totals.accepted_at) == (5, 2, (9.0, 4.0))


def test_the_most_complete_prefix_is_taken_and_not_the_first_of_the_alphabet() -> None:
    rule = "agg:vllm:generation_tokens_total"
    page = [f"vllm:{n}" for n in ("generation_tokens_total", "prompt_tokens_total", "num_requests_running")]
    assert best_prefix([rule, *page]) == "vllm:"
    assert best_prefix([rule]) == "agg:vllm:"
    assert best_prefix([rule, "vllm:generation_tokens_total"]) == "vllm:"
    assert best_prefix(["node_load1"]) is None


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("sglang:num_running_reqs", "SGLang"),
        ("trtllm_request_success_total", "TensorRT-LLM"),
        ("nv_trt_llm_request_metrics", "TensorRT-LLM"),
        ("tgi_request_count", "Text Generation Inference"),
        ("llamacpp:tokens_predicted_total", "llama.cpp"),
        ("ray_vllm_generation_tokens_total", None),
        ("kserve_vllm:generation_tokens_total", None),
        ("node_load1", None),
    ],
)
def test_other_engines_are_known_by_the_first_word_of_their_names(name: str, engine: str | None) -> None:
    assert engine_named(name) == engine


V0 = Totals(
    generation_tokens=510,
    first_tokens=10,
    steps=500,
    step_seconds=10.0,
    v0_emitted=1000,
    request_tokens=1010,
    request_count=10,
    request_decode_seconds=10.0,
)
"""A V0 engine that speculates: one token a step in its counter, the true lengths in its histograms."""


def test_tokens_of_a_v0_engine_that_speculates_are_those_of_its_finished_requests() -> None:
    assert (V0.emitted_tokens, V0.decode_tokens, V0.decode_seconds, V0.decode_steps) == (1010, 1000, 10.0, 500)
    assert replace(V0, request_decode_seconds=5.0).decode_steps == 250


def test_a_v0_engine_exports_its_drafts_from_the_first_one_on_and_is_known_as_one_from_then() -> None:
    plain = Totals(generation_tokens=10, first_tokens=1, request_tokens=10, request_count=1, request_decode_seconds=0.1)
    assert increase(plain, V0).drafts_on_v0
    assert total([V0, plain]).decode_tokens == 1000 + 9
    assert not total([plain, plain]).drafts_on_v0


def test_a_family_that_one_rank_lacks_is_unknown_and_not_half_a_sum() -> None:
    one = [
        ("generation_tokens_total", {}, 10.0),
        ("inter_token_latency_seconds_count", {}, 8.0),
        ("request_success_total", {"finished_reason": "stop"}, 2.0),
    ]
    other = [
        *one,
        ("inter_token_latency_seconds_sum", {}, 0.4),
        ("request_success_total", {"finished_reason": "abort"}, 1.0),
    ]
    for ranks in ((one, other), (other, one)):
        totals = assembled(*ranks[0], *ranks[1])
        assert (totals.generation_tokens, totals.steps, totals.step_seconds) == (20, 16, None)
        assert (totals.finished, totals.failed) == (4, 1)
    assert assembled(*other).step_seconds == 0.4


@pytest.mark.parametrize(
    "names", [("generation_tokens_total", "generation_tokens"), ("generation_tokens", "generation_tokens_total")]
)
def test_ranks_are_counted_alike_for_a_counter_under_two_names(names: tuple[str, str]) -> None:
    values = [(name, {}, 3.0) for name in names for _ in range(3)]
    totals = assembled(*values, *[("prompt_tokens_total", {}, 1.0)] * 3)
    assert (totals.generation_tokens, totals.prompt_tokens) == (9, 3)

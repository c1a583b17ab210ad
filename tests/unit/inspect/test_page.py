"""Which server a page is of, when it holds more than one, or none of vLLM's."""

from pathlib import Path

import pytest

from breakeven.domain.counters.observation import Totals
from breakeven.inspect.page import Choice, Page, parse
from breakeven.inspect.text import PageError

FIELD = Path(__file__).parents[2] / "data" / "field"
V0 = """\
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{model_name="m"} 100.0
vllm:time_per_output_token_seconds_count{model_name="m"} 90.0
vllm:time_per_output_token_seconds_sum{model_name="m"} 1.8
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:spec_decode_draft_acceptance_rate{model_name="m"} 0.7
vllm:spec_decode_num_accepted_tokens_total{model_name="m"} 5000.0
vllm:spec_decode_num_draft_tokens_total{model_name="m"} 9000.0
vllm:spec_decode_num_emitted_tokens_total{model_name="m"} 7000.0
"""


def page(text: str, **choice: object) -> Page:
    return parse(text, at=0, choice=Choice(**{"labels": {}, **choice}))  # type: ignore[arg-type]


def totals(text: str, **choice: object) -> Totals:
    return page(text, **choice).scrape.totals


def saved(name: str) -> str:
    return (FIELD / f"{name}.prom").read_text()


def test_a_page_of_the_v0_engine_has_step_times_and_no_acceptance() -> None:
    found = parse(V0, at=7.0)
    assert (found.scrape.at, found.scrape.totals.steps, found.scrape.totals.step_seconds) == (7.0, 90, 1.8)
    assert (found.scrape.totals.accepted, found.scrape.totals.drafted) == (None, None)
    assert found.scrape.gauges.kv_usage == 0.25
    assert (found.speculates, found.model) == (True, "m")


def test_a_prefix_of_a_platform_is_found_or_can_be_set() -> None:
    text = V0.replace("vllm:", "kserve_vllm:")
    assert totals(text).generation_tokens == 100
    assert totals(text, prefix="kserve_vllm:").generation_tokens == 100
    with pytest.raises(PageError, match=r"with prefix vllm:; its names begin with kserve_vllm:"):
        page(text, prefix="vllm:")


def test_names_without_a_prefix_are_found_and_a_wrong_prefix_is_answered_with_the_right_one() -> None:
    assert totals(saved("nim0")).generation_tokens == 1000
    assert totals(saved("nim0"), prefix="").steps == 990
    with pytest.raises(PageError, match="its names have no prefix: write --prefix ''"):
        page(saved("nim0"), prefix="vllm:")


def test_a_prefix_that_no_vllm_is_known_by_is_taken_only_when_it_is_named() -> None:
    text = V0.replace("vllm:", "acme_llm:")
    with pytest.raises(PageError, match=r"not known to be a vLLM's.*--prefix acme_llm:"):
        page(text)
    assert totals(text, prefix="acme_llm:").generation_tokens == 100


def test_the_page_itself_is_read_and_not_the_sum_that_a_recording_rule_keeps_beside_it() -> None:
    found = totals("agg:vllm:generation_tokens_total 99999\n" + V0)
    assert (found.generation_tokens, found.steps) == (100, 90)


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        (saved("sg0"), "SGLang"),
        (saved("lmd0"), "LMDeploy"),
        (
            'trtllm_request_success_total{model_name="m"} 5\ntrtllm_time_per_output_token_seconds_sum 4\n',
            "TensorRT-LLM",
        ),
        ('nv_trt_llm_request_metrics{request_type="active"} 1\n', "TensorRT-LLM"),
        ("tgi_request_count 5\ntgi_request_generated_tokens_sum 100\n", "Text Generation Inference"),
        ("llamacpp:tokens_predicted_total 100\nllamacpp:n_decode_total 90\n", "llama.cpp"),
    ],
)
def test_the_page_of_another_engine_is_refused_by_its_name(text: str, engine: str) -> None:
    with pytest.raises(PageError, match=f"the metric page of {engine},"):
        page(text)


def test_another_engine_is_refused_even_when_its_prefix_is_given() -> None:
    with pytest.raises(PageError, match="SGLang"):
        page(saved("sg0"), prefix="sglang:")


@pytest.mark.parametrize("text", ["node_load1 1\n", "vllm:request_generation_tokens_sum 5\n"])
def test_pages_without_an_engine_are_refused(text: str) -> None:
    with pytest.raises(PageError, match="not a vLLM's metric page"):
        page(text)


def test_a_counter_under_two_names_is_counted_once() -> None:
    assert totals(saved("raydbl1")).generation_tokens == 11_000


def test_ranks_of_one_server_are_added_up() -> None:
    two = 'vllm:generation_tokens_total{engine="0"} 5\nvllm:generation_tokens_total{engine="1"} 7\n'
    assert totals(two).generation_tokens == 12
    assert page(two).ranks == {"0", "1"}


def test_a_family_that_one_rank_lacks_is_left_out_for_all_with_a_remark() -> None:
    found = page(saved("rank0"))
    assert (found.scrape.totals.generation_tokens, found.scrape.totals.step_seconds) == (1000, None)
    assert found.remarks == ("rank 1 has no inter_token_latency_seconds_sum: it is left out for all ranks",)


def test_a_family_that_no_rank_is_named_for_is_left_out_where_there_are_several() -> None:
    two = 'vllm:generation_tokens_total{engine="0"} 5\nvllm:generation_tokens_total{engine="1"} 7\n'
    found = page(two + "vllm:num_preemptions_total 3\n")
    assert (found.scrape.totals.preemptions, found.remarks) == (
        None,
        ("rank 0, 1 has no num_preemptions: it is left out for all ranks",),
    )


def test_several_models_are_never_added_up_and_one_can_be_chosen() -> None:
    with pytest.raises(PageError, match=r"2 models, m1, m2, .*--model m1"):
        page(saved("ray2m0"))
    with pytest.raises(PageError, match="no model m3; it has m1, m2"):
        page(saved("ray2m0"), model="m3")
    assert totals(saved("ray2m1"), model="m1").steps != totals(saved("ray2m1"), model="m2").steps


def test_several_pods_of_one_model_are_never_added_up_and_one_can_be_chosen() -> None:
    text = "".join(
        f'vllm:generation_tokens_total{{model_name="m",job="vllm",pod="{pod}"}} {n}\n'
        f'vllm:time_to_first_token_seconds_count{{model_name="m",job="vllm",pod="{pod}"}} {n}\n'
        for pod, n in (("a", 5), ("b", 7))
    )
    with pytest.raises(PageError, match=r"several servers, pod a, b, .*--label pod=b"):
        page(text)
    chosen = totals(text, labels={"pod": "b"})
    assert (chosen.generation_tokens, chosen.first_tokens) == (7, 7)
    with pytest.raises(PageError, match="no server with pod=c"):
        page(text, labels={"pod": "c"})


def test_series_of_a_pod_that_has_no_count_of_tokens_are_not_added_to_another_pods() -> None:
    text = 'vllm:generation_tokens_total{pod="a"} 5\n' + "".join(
        f'vllm:time_to_first_token_seconds_count{{pod="{pod}"}} 3\n' for pod in "ab"
    )
    assert totals(text).first_tokens == 3


def test_a_file_that_holds_a_page_twice_is_refused() -> None:
    with pytest.raises(PageError, match="the file holds two pages"):
        page(V0 + V0)


def test_a_page_reduced_to_its_draft_counters_has_acceptance_and_says_that_it_is_cut() -> None:
    cut = "\n".join(line for line in saved("a0").splitlines() if "spec_decode" in line)
    found = page(cut)
    assert (found.scrape.totals.drafted, found.scrape.totals.accepted) == (1500, 490)
    assert found.scrape.totals.generation_tokens is None
    assert "it was cut" in found.remarks[0]


def test_a_page_reduced_to_other_counters_is_refused_as_cut() -> None:
    cut = "\n".join(line for line in saved("a0").splitlines() if "first_token" in line)
    with pytest.raises(PageError, match="it was cut, for example by grep, or --disable-log-stats"):
        page(cut)

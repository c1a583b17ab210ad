"""A page of an engine as a scrape, and what is refused."""

from pathlib import Path

import pytest

from breakeven.adapters.pod_pages.page import Unreadable, read_page

DATA = Path(__file__).parents[3] / "data"
RANKS = """# HELP x y
vllm:generation_tokens_total{engine="0",model_name="m"} 10
vllm:generation_tokens_total{engine="1",model_name="m"} 5
vllm:num_requests_running{engine="0",model_name="m"} 2
vllm:num_requests_running{engine="1",model_name="m"} 1
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 3
vllm:time_to_first_token_seconds_bucket{engine="1",le="+Inf",model_name="m"} 1
python_info{version="3.12"} 1
"""


def test_a_recorded_page_gives_what_prometheus_would_give() -> None:
    text = (DATA / "h200-vllm-0.26.0.prom").read_text(encoding="utf-8")
    scrape = read_page(text, at=1.0, prefix=None, buckets=True)
    assert scrape.at == 1.0
    assert scrape.totals.drafted
    assert scrape.totals.accepted
    assert scrape.totals.accepted < scrape.totals.drafted


def test_ranks_are_added_up_and_histograms_come_on_demand() -> None:
    plain = read_page(RANKS, at=0.0, prefix=None, buckets=False)
    assert (plain.totals.generation_tokens, plain.gauges.running) == (15.0, 3.0)
    assert plain.totals.ttft_buckets == ()
    assert read_page(RANKS, at=0.0, prefix="vllm:", buckets=True).totals.ttft_buckets != ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no counters of a vLLM"),
        ("<html>", "no counters of a vLLM"),
        ("sglang:generation_tokens_total 1\n", "no counters of a vLLM"),
        ("vllm:generation_tokens_total{a= 1\n", "no metric"),
        ("vllm:generation_tokens_total much\n", "no metric"),
    ],
)
def test_what_is_no_page_of_a_vllm_says_why(text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_page(text, at=0.0, prefix=None, buckets=False)


def test_a_prefix_that_is_not_there_is_named() -> None:
    with pytest.raises(Unreadable, match="it has no kserve_vllm:generation_tokens_total"):
        read_page(RANKS, at=0.0, prefix="kserve_vllm:", buckets=False)

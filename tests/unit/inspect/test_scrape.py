"""Pages of all releases, and what is no page."""

from pathlib import Path

import pytest

from breakeven.inspect.scrape import PageError, page_url, parse, read_page

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


def test_a_page_of_the_v0_engine_has_step_times_and_no_acceptance() -> None:
    scrape = parse(V0, at=7.0)
    assert (scrape.at, scrape.totals.steps, scrape.totals.step_seconds) == (7.0, 90, 1.8)
    assert (scrape.totals.accepted, scrape.totals.drafted) == (None, None)
    assert scrape.gauges.kv_usage == 0.25


def test_a_prefix_of_a_platform_is_found_or_can_be_set() -> None:
    text = V0.replace("vllm:", "kserve_vllm:")
    assert parse(text, at=0).totals.generation_tokens == 100
    assert parse(text, at=0, prefix="kserve_vllm:").totals.generation_tokens == 100
    with pytest.raises(PageError, match="with prefix vllm:"):
        parse(text, at=0, prefix="vllm:")


def test_ranks_of_one_server_are_added_up() -> None:
    page = 'vllm:generation_tokens_total{engine="0"} 5\nvllm:generation_tokens_total{engine="1"} 7\n'
    assert parse(page, at=0).totals.generation_tokens == 12


@pytest.mark.parametrize("text", ["", "node_load1 1\n", "vllm:request_generation_tokens_sum 5\n"])
def test_pages_of_others_are_refused(text: str) -> None:
    with pytest.raises(PageError, match="not a vLLM's metric page"):
        parse(text, at=0)


def test_text_that_is_no_page_and_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="not a metric page"):
        parse("{not metrics", at=0)
    with pytest.raises(PageError, match="No such file"):
        read_page(tmp_path / "absent.prom", at=0)
    (tmp_path / "binary.prom").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PageError, match="binary"):
        read_page(tmp_path / "binary.prom", at=0)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("10.0.0.7:8000", "http://10.0.0.7:8000/metrics"),
        ("https://engine.example/", "https://engine.example/metrics"),
        ("http://engine/custom/metrics", "http://engine/custom/metrics"),
    ],
)
def test_an_address_is_completed(address: str, url: str) -> None:
    assert page_url(address) == url


@pytest.mark.parametrize("address", ["ftp://engine", "http://", "file:///etc/passwd"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(PageError, match="is not an address"):
        page_url(address)

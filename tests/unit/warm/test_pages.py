"""Two metrics pages as one."""

from prometheus_client.parser import text_string_to_metric_families

from breakeven.warm.pages import merged

PLAIN = """\
# HELP vllm:generation_tokens_total Tokens.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="a, {b}"} 12.0
# HELP vllm:ttft_seconds Time.
# TYPE vllm:ttft_seconds histogram
vllm:ttft_seconds_bucket{le="0.1"} 3
vllm:ttft_seconds_bucket{le="+Inf"} 4
vllm:ttft_seconds_count 4
vllm:ttft_seconds_sum 1.5
# TYPE python_info gauge
python_info{} 1
"""
DRAFT = PLAIN.replace("12.0", "30.0") + "# TYPE vllm:drafts_total counter\nvllm:drafts_total 7\n"


def test_every_sample_of_both_pages_is_there_and_names_its_variant() -> None:
    families = list(text_string_to_metric_families(merged({"p": PLAIN, "d": DRAFT})))
    samples = {
        (sample.name, sample.labels["breakeven_variant"], sample.labels.get("le")): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["vllm:generation_tokens_total", "p", None] == 12
    assert samples["vllm:generation_tokens_total", "d", None] == 30
    assert samples["vllm:ttft_seconds_bucket", "d", "0.1"] == 3
    assert samples["vllm:drafts_total", "d", None] == 7
    assert len(samples) == 13


def test_a_family_stands_once_and_together_as_the_text_format_wants_it() -> None:
    page = merged({"p": PLAIN, "d": DRAFT})
    assert page.count("# TYPE vllm:ttft_seconds histogram") == 1
    lines = [line.partition("{")[0] for line in page.splitlines() if "generation_tokens" in line]
    assert lines == [
        "# HELP vllm:generation_tokens_total Tokens.",
        "# TYPE vllm:generation_tokens_total counter",
        "vllm:generation_tokens_total",
        "vllm:generation_tokens_total",
    ]


def test_what_is_no_metrics_page_is_left_out() -> None:
    assert merged({"p": "<html>\n404 not found{\n", "d": ""}) == ""


def test_other_labels_stay_as_they_were_written() -> None:
    line = 'x{a="q\\"}{,",b="2"} 1 1700000000000'
    assert merged({"p": line}) == 'x{breakeven_variant="p",a="q\\"}{,",b="2"} 1 1700000000000\n'

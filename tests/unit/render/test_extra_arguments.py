"""`engine.extraArgs`: what adds is passed on, what takes over is refused by name."""

import pytest

from breakeven.api.variant import Variant
from breakeven.engines import Refusal
from breakeven.render.arguments import serve_arguments
from breakeven.render.check import check, refusals
from breakeven.render.request import read


def variant(*extra: str, release: str = "0.33.0", **more: object) -> Variant:
    engine = {"image": f"vllm/vllm-openai:v{release}", "extraArgs": list(extra)}
    staged = {"gpusPerReplica": 2, "tensorParallelSize": 1} if any("pipeline" in item for item in extra) else {}
    body = {"engine": engine, "target": {"model": "meta-llama/Llama-3.1-8B"}, "hardware": staged}
    return Variant.model_validate({**body, **more})


NGRAM = {"draft": {"method": "NGram"}}
DRAFT = {"draft": {"method": "DraftModel", "model": "/models/draft"}}


@pytest.mark.parametrize(
    ("item", "named", "instead"),
    [
        ("--model=x", "--model", "target.model"),
        ("-tp=4", "--tensor-parallel-size", "hardware.gpusPerReplica"),
        ("--tensor_parallel_size=4", "--tensor-parallel-size", "hardware.gpusPerReplica"),
        ("--tensor-par=4", "--tensor-parallel-size", "hardware.gpusPerReplica"),
        ("-q", "--quantization", "target.quantization"),
        ("-qawq", "--quantization", "target.quantization"),
        ("-sc={}", "--speculative-config", "spec.draft"),
        ("-sc.method=ngram", "--speculative-config", "spec.draft"),
        ("-h", "--help", "remove it"),
        ("--speculative-config.method=ngram", "--speculative-config", "spec.draft"),
        ("--spec-method=ngram", "--spec-method", "spec.draft"),
        ("--num-speculative-tokens=3", "--num-speculative-tokens", "draft.numSpeculativeTokens"),
        ("--max-model-len=100", "--max-model-len", "target.maxModelLen"),
        ("--gpu-memory-util=0.5", "--gpu-memory-utilization", "target.gpuMemoryUtilization"),
        ("--port=9000", "--port", "engine.port"),
        ("--shutdown-timeout=1", "--shutdown-timeout", "engine.shutdownTimeout"),
        ("--custom-histogram-buckets={}", "--custom-histogram-buckets", "every variant"),
        ("--disable-log-stats", "--disable-log-stats", "metrics"),
    ],
)
def test_a_managed_flag_is_refused_by_name_in_every_spelling(item: str, named: str, instead: str) -> None:
    (refusal,) = refusals(variant(item))

    assert refusal.field == "engine.extraArgs"
    assert named in refusal.message
    assert instead in refusal.message


@pytest.mark.parametrize(
    "items",
    [
        ("--max-num-seqs=64",),
        ("--max-num-seqs", "64"),
        ("--enable-prefix-caching",),
        ("--no-enable-prefix-caching",),
        ("--kv-cache-dtype-skip-layers=1",),
        ("--chat-template", "/templates/a.jinja", "--trust-remote-code"),
        ("--rope-scaling", '{"factor":2.0}'),
        ("--some-number", "-1"),
    ],
)
def test_other_flags_are_passed_on_as_they_are(items: tuple[str, ...]) -> None:
    made = variant(*items, **NGRAM)
    request = read(made)

    assert not isinstance(request, Refusal)
    assert refusals(made) == ()
    assert serve_arguments(request)[-len(items) :] == list(items)


@pytest.mark.parametrize("items", [("meta-llama/other",), ("--seed=1", "loose"), ("--seed 1",)])
def test_items_that_belong_to_no_flag_are_refused(items: tuple[str, ...]) -> None:
    assert [r.field for r in refusals(variant(*items))] == ["engine.extraArgs"]


@pytest.mark.parametrize(
    ("release", "item", "range_"),
    [
        ("0.18.0", "--swap-space=4", "0.6.0 to 0.17.1"),
        ("0.17.0", "--disable-log-requests", "0.6.0 to 0.16.0"),
        ("0.24.0", "--enable-per-request-metrics", "0.25.0 and newer"),
    ],
)
def test_a_flag_the_release_lacks_is_refused_with_the_releases_that_have_it(
    release: str, item: str, range_: str
) -> None:
    (refusal,) = refusals(variant(item, release=release))

    assert range_ in refusal.message


@pytest.mark.parametrize(
    ("release", "items", "draft", "rule"),
    [
        ("0.28.0", ("--pipeline-parallel-size=2",), NGRAM, "PipelineParallel"),
        ("0.33.0", ("--logits-processors", "a.B"), NGRAM, "LogitsProcessors"),
        ("0.6.0", ("--enable-chunked-prefill",), NGRAM, "ChunkedPrefill"),
        ("0.8.5", ("--num-scheduler-steps=8",), NGRAM, "MultiStep"),
        ("0.9.2", ("--enable-lora",), DRAFT, "LoraV0"),
        ("0.8.5", ("--enable-lora",), NGRAM, "LoraV0"),
        ("0.9.2", ("--guided-decoding-backend=xgrammar",), NGRAM, "StructuredOutputV0"),
        ("0.33.0", ("--watermark-config={}",), DRAFT, "Watermark"),
        ("0.30.0", ("--async-scheduling",), NGRAM, "AsyncSchedulingNGram"),
        ("0.15.1", ("--async-scheduling",), DRAFT, "AsyncSchedulingDraftModel"),
        ("0.20.0", ("--max-num-batched-tokens=256", "--max-num-seqs=256"), DRAFT, "BatchedTokensTooFew"),
        ("0.20.0", ("--max-num-batched-tokens=1024",), DRAFT, "BatchedTokensTooFew"),
        ("0.33.0", ("--per-request-spec-decode-metrics=summary",), {}, "PerRequestMetrics"),
    ],
)
def test_what_does_not_go_with_speculation_is_refused(
    release: str, items: tuple[str, ...], draft: dict[str, object], rule: str
) -> None:
    assert rule in {r.rule for r in refusals(variant(*items, release=release, **draft))}


@pytest.mark.parametrize(
    ("release", "items", "rule"),
    [
        ("0.33.0", ("--pipeline-parallel-size=2",), "PipelineParallelYoung"),
        ("0.33.0", ("--enable-lora",), "Lora"),
        ("0.33.0", ("--enforce-eager",), "EnforceEager"),
    ],
)
def test_what_hurts_speculation_is_said_and_not_refused(release: str, items: tuple[str, ...], rule: str) -> None:
    made = variant(*items, release=release, **NGRAM)

    assert refusals(made) == ()
    assert rule in {f.rule for f in check(made)}


def test_the_same_flags_are_fine_without_speculation() -> None:
    assert refusals(variant("--pipeline-parallel-size=2", "--enable-lora", release="0.28.0")) == ()


def test_the_load_format_is_refused_only_where_it_is_rendered() -> None:
    target = {"target": {"model": "m", "quantization": "BitsAndBytes"}}
    engine = {"image": "vllm/vllm-openai:v0.7.3", "extraArgs": ["--load-format=dummy"]}
    made = Variant.model_validate({"engine": engine, **target})

    assert ["--load-format" in r.message for r in refusals(made)] == [True]
    assert refusals(variant("--load-format=dummy", release="0.7.3")) == ()

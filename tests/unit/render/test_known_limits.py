"""Every combination that is known to fail or to hurt, row by row: refused, warned about, or silent for a stated reason.

The rows are those of the refuse and warn list the capability table was made from (numbers 1 to 28). What planning
judges (vocabularies, contexts, memory, large batches, multimodal targets) is in tests/unit/planning.
"""

from typing import Any

import pytest

from breakeven.api.variant import Variant
from breakeven.engines import Caution, Refusal, load
from breakeven.render.arguments import serve_arguments
from breakeven.render.check import check
from breakeven.render.request import read

DRAFT = {"method": "DraftModel", "model": "/models/draft"}
NGRAM = {"method": "NGram"}
HEAD = {"method": "Eagle3", "model": "/models/head"}
MTP = {"method": "MTP", "numSpeculativeTokens": 2}
BY_SIZE = {"disableAboveBatchSize": 8}
TYPICAL = {"acceptance": {"method": "Typical", "allowLossy": True}}
BLOCK = {"acceptance": {"method": "Block"}}

REFUSED: list[tuple[int, str, dict[str, Any] | None, dict[str, Any], str]] = [
    (1, "0.12.0", DRAFT, {}, "DraftModelMissing"),
    (2, "0.10.0", NGRAM | TYPICAL, {}, "TypicalMissing"),
    (2, "0.9.2", NGRAM | TYPICAL, {}, "TypicalOnV1"),
    (3, "0.9.1", NGRAM | BY_SIZE, {}, "DisableByBatchSizeOnV1"),
    (3, "0.16.0", DRAFT | BY_SIZE, {}, "DisableByBatchSizeNoEffect"),
    (3, "0.23.0", DRAFT | BY_SIZE, {}, "DisableByBatchSizeRejected"),
    (4, "0.7.3", DRAFT, {"extraArgs": ["--pipeline-parallel-size=2"]}, "PipelineParallel"),
    (4, "0.29.0", HEAD, {"extraArgs": ["-pp", "2"]}, "PipelineParallel"),
    (11, "0.11.1", HEAD, {"extraArgs": ["--logits-processors=a.B"]}, "LogitsProcessors"),
    (13, "0.9.2", HEAD, {"extraArgs": ["--guided-decoding-backend=xgrammar"]}, "StructuredOutputV0"),
    (14, "0.9.2", DRAFT, {"extraArgs": ["--enable-lora"]}, "LoraV0"),
    (17, "0.6.3.post1", NGRAM, {"extraArgs": ["--enable-chunked-prefill"]}, "ChunkedPrefill"),
    (18, "0.8.5", NGRAM, {"extraArgs": ["--num-scheduler-steps=4"]}, "MultiStep"),
    (19, "0.33.0", HEAD, {"extraArgs": ["--enable-dbo"]}, "UnsupportedMode"),
    (19, "0.33.0", HEAD, {"extraArgs": ["--ubatch-size=2"]}, "UnsupportedMode"),
    (19, "0.33.0", HEAD, {"extraArgs": ["--enable-prompt-embeds"]}, "UnsupportedMode"),
    (19, "0.33.0", HEAD, {"extraArgs": ["--runner=pooling"]}, "UnsupportedMode"),
    (19, "0.33.0", HEAD, {"extraArgs": ["--watermark-config={}"]}, "Watermark"),
    (20, "0.26.0", HEAD | BY_SIZE, {"extraArgs": ["--data-parallel-size=2"]}, "ScheduleDataParallel"),
    (20, "0.33.0", {"method": "Suffix"} | BY_SIZE, {}, "ScheduleMethod"),
    (24, "0.28.0", DRAFT | {"quantization": "BitsAndBytes"}, {}, "BitsAndBytesGone"),
    (25, "0.33.0", DRAFT | {"model": "org/Eagle3-like"}, {}, "NeutralDraftPath"),
    (27, "0.29.0", None, {"extraArgs": ["--per-request-spec-decode-metrics=summary"]}, "PerRequestMetrics"),
]
WARNED: list[tuple[int, str, dict[str, Any], dict[str, Any], str]] = [
    (4, "0.30.0", HEAD, {"extraArgs": ["--pipeline-parallel-size=2"]}, "PipelineParallelYoung"),
    (9, "0.9.2", DRAFT, {}, "MemoryV0"),
    (10, "0.14.1", HEAD, {}, "RequestParameters"),
    (12, "0.8.0", NGRAM, {"env": [{"name": "VLLM_USE_V1", "value": "1"}]}, "PenaltiesNotSpeculated"),
    (12, "0.13.0", NGRAM, {}, "PenaltiesNotSpeculated"),
    (13, "0.8.5", NGRAM, {}, "StructuredOutputBroken"),
    (13, "0.33.0", HEAD, {}, "StructuredOutput"),
    (14, "0.33.0", HEAD, {"extraArgs": ["--enable-lora"]}, "Lora"),
    (15, "0.33.0", HEAD, {"extraArgs": ["--enforce-eager"]}, "EnforceEager"),
    (19, "0.33.0", HEAD, {}, "BeamSearch"),
    (20, "0.25.0", HEAD | BY_SIZE, {}, "ScheduleDrafterRunsOn"),
    (21, "0.33.0", MTP, {}, "MtpLength"),
    (22, "0.19.0", HEAD, {}, "MtpEagleCrashes"),
    (22, "0.26.0", MTP, {}, "MtpEagleCrashes"),
    (26, "0.33.0", NGRAM, {}, "NGramTraffic"),
    (28, "0.32.0", NGRAM, {"image": "vllm/vllm-openai-cpu:v0.32.0"}, "CpuWheelSampling"),
]
ELSEWHERE = {
    5: "the draft's size is never the user's to write: see test_a_draft_model_on_v1_runs_at_the_targets_size",
    6: "planning: vocabularies of different size are refused",
    7: "planning: other token ids are refused",
    8: "planning: a draft whose context is shorter than maxModelLen is refused on V1",
    16: "planning: predicted slower above a batch",
    23: "planning: a multimodal target with a draft model on 0.15.1 is refused",
}
"""Rows that these checks are silent about, and who speaks."""


def variant(release: str, draft: dict[str, Any] | None, engine: dict[str, Any]) -> Variant:
    body: dict[str, Any] = {
        "engine": {"image": "vllm/vllm-openai:latest", "version": release} | engine,
        "target": {"model": "meta-llama/Llama-3.1-8B"},
        "hardware": {"gpusPerReplica": 4, "tensorParallelSize": 2 if "pipeline" in str(engine) else 4},
    }
    return Variant.model_validate(body | ({"draft": draft} if draft else {}))


@pytest.mark.parametrize(("row", "release", "draft", "engine", "rule"), REFUSED)
def test_what_cannot_start_is_refused(
    row: int, release: str, draft: dict[str, Any] | None, engine: dict[str, Any], rule: str
) -> None:
    assert rule in {f.rule for f in check(variant(release, draft, engine)) if isinstance(f, Refusal)}, row


@pytest.mark.parametrize(("row", "release", "draft", "engine", "rule"), WARNED)
def test_what_will_hurt_is_said(
    row: int, release: str, draft: dict[str, Any], engine: dict[str, Any], rule: str
) -> None:
    found = check(variant(release, draft, engine))

    assert [f for f in found if isinstance(f, Refusal)] == [], row
    assert rule in {f.rule for f in found if isinstance(f, Caution)}, row
    assert check(variant(release, None, {k: v for k, v in engine.items() if k != "env"})) == ()


def test_no_row_is_forgotten() -> None:
    spoken = {row for row, *_ in (*REFUSED, *WARNED)}

    assert spoken | set(ELSEWHERE) == set(range(1, 29))


def test_no_rule_of_the_table_is_forgotten() -> None:
    shown = {rule for *_, rule in (*REFUSED, *WARNED)}
    own = {  # each has a test of its own in test_refusals.py and test_extra_arguments.py
        "DraftTensorParallel",
        "BatchedTokensTooFew",
        "AsyncScheduling",
        "AsyncSchedulingDraftModel",
        "AsyncSchedulingNotEagle",
        "AsyncSchedulingNGram",
        "BlockOnRunnerV1",
        "EagleFamilies",
        # in test_known_crashes.py
        "SpeculatorsTarget",
        "EagleContext",
        "EagleContextTrained",
        "DecodeContextParallel",
        "DraftOnHybrid",
        "Gemma4Mtp",
        "Gemma4MtpFp8",
    }
    judged = {str(e["id"]) for e in load().incompatibilities if e["judged_by"] != "plan"}

    assert shown | own == judged


@pytest.mark.parametrize("release", [r for r in load().releases if load().releases.index(r) >= 25])
def test_a_draft_model_on_v1_runs_at_the_targets_size(release: str) -> None:
    request = read(variant(release, DRAFT, {}))

    assert not isinstance(request, Refusal)
    assert '"draft_tensor_parallel_size":4' in serve_arguments(request)[-1]


@pytest.mark.parametrize("release", ["0.9.0", "0.9.1", "0.9.2"])
@pytest.mark.parametrize("method", ["Eagle", "Medusa", "DraftModel", "MLPSpeculator"])
def test_what_is_made_to_draft_on_v0_runs_on_one_gpu(release: str, method: str) -> None:
    forced = {"env": [{"name": "VLLM_USE_V1", "value": "0"}]}
    request = read(variant(release, {"method": method, "model": "/models/draft"}, forced))

    assert not isinstance(request, Refusal)
    assert '"draft_tensor_parallel_size":1' in serve_arguments(request)[-1]


@pytest.mark.parametrize(
    ("release", "value", "draft"),
    [
        ("0.9.2", "0", HEAD),
        ("0.9.2", "1", DRAFT),
        ("0.8.5", "1", {"method": "Medusa", "model": "/models/head"}),
        ("0.8.5", "1", MTP),
        ("0.8.2", "1", {"method": "Eagle", "model": "/models/head"}),
        ("0.9.2", "1", DRAFT | TYPICAL),
        ("0.9.2", "1", DRAFT | BY_SIZE),
    ],
)
def test_an_engine_that_lacks_the_method_cannot_be_asked_for(release: str, value: str, draft: dict[str, Any]) -> None:
    found = check(variant(release, draft, {"env": [{"name": "VLLM_USE_V1", "value": value}]}))

    assert {f.field for f in found if isinstance(f, Refusal)} == {"engine.env"}
    assert all("remove VLLM_USE_V1" in f.message for f in found if isinstance(f, Refusal))


def test_typical_acceptance_works_where_v0_is_asked_for() -> None:
    forced = {"env": [{"name": "VLLM_USE_V1", "value": "0"}]}
    made = variant("0.9.2", {"method": "Eagle", "model": "/models/head"} | TYPICAL | BY_SIZE, forced)
    request = read(made)

    assert not isinstance(request, Refusal)
    assert [f for f in check(made) if isinstance(f, Refusal)] == []
    assert '"acceptance_method":"typical_acceptance_sampler"' in serve_arguments(request)[-1]
    assert '"disable_by_batch_size":8' in serve_arguments(request)[-1]


@pytest.mark.parametrize(
    ("release", "draft", "argument", "says"),
    [
        ("0.10.0", NGRAM, "--async-scheduling", "0.32.0 and newer can"),
        ("0.10.0", HEAD, "--async-scheduling", "0.11.0 and newer can"),
        ("0.12.0", {"method": "Suffix"}, "--async-scheduling", "0.15.1 and newer can"),
        ("0.9.2", NGRAM, "--num-scheduler-steps=8", "no release can"),
        ("0.33.0", HEAD, "--logits-processors=a.B", "0.10.1.1 to 0.11.0 can"),
        ("0.9.2", NGRAM, "--no-async-scheduling", "0.10.0 and newer can"),
        ("0.20.0", DRAFT, "--max-num-batched-tokens=8", "0.33.0 can"),
    ],
)
def test_releases_named_have_the_flag_and_the_method(
    release: str, draft: dict[str, Any], argument: str, says: str
) -> None:
    (refusal,) = [f for f in check(variant(release, draft, {"extraArgs": [argument]})) if isinstance(f, Refusal)]

    assert says in refusal.message

"""Questions asked of one engine version."""

from decimal import Decimal

import pytest

from breakeven.api.spec import DraftMethod
from breakeven.engines import Engine, load

TABLE = load()


def engine(version: str) -> Engine:
    found = TABLE.engine(version)
    assert isinstance(found, Engine)
    return found


@pytest.mark.parametrize(
    ("method", "can", "cannot"),
    [
        (DraftMethod.DRAFT_MODEL, ["0.6.0", "0.9.2", "0.15.1", "0.33.0"], ["0.10.0", "0.14.1"]),
        (DraftMethod.NGRAM, ["0.6.0", "0.8.2", "0.10.0", "0.33.0"], []),
        (DraftMethod.NGRAM_GPU, ["0.18.0", "0.33.0"], ["0.6.0", "0.17.1"]),
        (DraftMethod.EAGLE3, ["0.9.1", "0.33.0"], ["0.6.0", "0.8.5", "0.9.0"]),
        (DraftMethod.MTP, ["0.7.3", "0.8.5", "0.33.0"], ["0.6.0", "0.7.0"]),
        (DraftMethod.MEDUSA, ["0.6.0", "0.32.0"], ["0.33.0"]),
        (DraftMethod.MLP_SPECULATOR, ["0.6.0", "0.9.2"], ["0.10.0", "0.32.0", "0.33.0"]),
        (DraftMethod.SUFFIX, ["0.11.1", "0.33.0"], ["0.11.0"]),
        (DraftMethod.DFLASH, ["0.20.0"], ["0.19.1"]),
        (DraftMethod.DSPARK, ["0.25.0"], ["0.24.0"]),
    ],
)
def test_a_method_exists_in_some_releases_only(method: DraftMethod, can: list[str], cannot: list[str]) -> None:
    assert [r for r in can if not engine(r).supports(method)] == []
    assert [r for r in cannot if engine(r).supports(method)] == []


@pytest.mark.parametrize(
    ("release", "target", "literal"),
    [
        ("0.8.5", "deepseek-ai/DeepSeek-V3", None),
        ("0.9.2", "deepseek-ai/DeepSeek-V3", "deepseek_mtp"),
        ("0.10.2", "Qwen/Qwen3-Next-80B-A3B", "qwen3_next_mtp"),
        ("0.10.2", "baidu/ERNIE-4.5", "ernie_mtp"),
        ("0.11.0", "deepseek-ai/DeepSeek-V3", "mtp"),
    ],
)
def test_the_name_of_mtp_depends_on_release_and_target(release: str, target: str, literal: str | None) -> None:
    assert engine(release).method_literal(DraftMethod.MTP, target) == literal


@pytest.mark.parametrize(
    ("release", "method", "size"),
    [
        ("0.6.0", DraftMethod.DRAFT_MODEL, 1),
        ("0.9.2", DraftMethod.DRAFT_MODEL, 1),
        ("0.15.1", DraftMethod.DRAFT_MODEL, 4),
        ("0.33.0", DraftMethod.DRAFT_MODEL, 4),
        ("0.8.5", DraftMethod.EAGLE, 1),
        ("0.9.2", DraftMethod.EAGLE3, None),
        ("0.33.0", DraftMethod.EAGLE3, None),
        ("0.6.0", DraftMethod.NGRAM, None),
    ],
)
def test_draft_tensor_parallelism_follows_the_engine(release: str, method: DraftMethod, size: int | None) -> None:
    assert engine(release).draft_tensor_parallel_size(method, 4) == size


@pytest.mark.parametrize(
    ("release", "method", "forced", "generation"),
    [
        ("0.7.3", None, "", "v0"),
        ("0.8.5", None, "", "v1"),
        ("0.8.5", DraftMethod.NGRAM, "", "v0"),
        ("0.8.5", DraftMethod.NGRAM, "1", "v1"),
        ("0.9.2", DraftMethod.NGRAM, "", "v1"),
        ("0.9.2", DraftMethod.DRAFT_MODEL, "", "v0"),
        ("0.9.2", None, "0", "v0"),
        ("0.10.0", DraftMethod.NGRAM, "0", "v1"),
    ],
)
def test_what_runs_on_which_engine(release: str, method: DraftMethod | None, forced: str, generation: str) -> None:
    assert engine(release).generation(method, forced=forced) == generation


def test_the_default_share_of_memory_changed_in_0_20() -> None:
    assert engine("0.19.1").gpu_memory_utilization == Decimal("0.9")
    assert engine("0.20.0").gpu_memory_utilization == Decimal("0.92")


def test_flags_come_and_go() -> None:
    assert "--speculative-model" in engine("0.8.2").cli_flags
    assert "--speculative-model" in engine("0.8.3").removed_flags
    assert not engine("0.17.1").drains
    assert engine("0.18.0").drains
    assert not engine("0.31.0").custom_buckets
    assert engine("0.32.0").custom_buckets


def test_metric_names_follow_engine_and_release() -> None:
    assert engine("0.33.0").metric_names()["kv_usage"] == "vllm:kv_cache_usage_perc"
    assert engine("0.9.2").metric_names(DraftMethod.DRAFT_MODEL)["acceptance_gauge"] == (
        "vllm:spec_decode_draft_acceptance_rate"
    )
    assert "acceptance_gauge" not in engine("0.9.2").metric_names(DraftMethod.NGRAM)


def test_releases_are_spoken_as_ranges() -> None:
    newest = TABLE.newest

    assert newest.versions(lambda e: e.supports(DraftMethod.DRAFT_MODEL)) == "0.6.0 to 0.9.2 and 0.15.1 and newer"
    assert newest.versions(lambda e: e.release == "0.7.0") == "0.7.0"
    assert newest.versions(lambda e: e.release == "0.33.0") == "0.33.0"
    assert newest.versions(lambda e: False) == "no release"

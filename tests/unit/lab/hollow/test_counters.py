"""The simulated counters of hollow pods."""

from statistics import mean, stdev
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from breakeven.lab.hollow.counters import HollowPod, is_speculating, model_name, page, tokens_per_step
from breakeven.lab.settings import HollowSettings

SETTINGS = HollowSettings(noise=0.0, acceptance=0.5, draft_tokens=3, speedup=1.5)
SPECULATIVE = ["vllm", "serve", "m", "--speculative-config", "{}"]


def pod(*arguments: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "n", "name": "p", "uid": "u"},
        "spec": {"containers": [{"args": list(arguments)}]},
    }


def series(hollow: HollowPod, settings: HollowSettings = SETTINGS) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page([hollow], settings)):
        for sample in family.samples:
            assert (sample.labels["namespace"], sample.labels["pod"]) == ("n", "p")
            position = sample.labels.get("position") or sample.labels.get("finished_reason") or ""
            found[sample.name.removeprefix("vllm:") + position] = sample.value
    return found


@pytest.mark.parametrize(
    "arguments", [SPECULATIVE, ["--speculative-config={}"], ["--speculative_config", "{}"], ["-sc", "{}"]]
)
def test_speculation_is_told_from_the_arguments(arguments: list[str]) -> None:
    assert is_speculating(arguments)


def test_only_speculating_pods_have_speculation_counters() -> None:
    plain = HollowPod.of(pod("vllm", "serve", "m"), SETTINGS, 0.0)
    plain.advance(60.0, SETTINGS)
    assert not any(name.startswith("spec_decode") for name in series(plain))


def test_counters_agree_with_each_other_and_with_the_settings() -> None:
    on = HollowPod.of(pod(*SPECULATIVE), SETTINGS, 0.0)
    on.advance(600.0, SETTINGS)
    found = series(on)
    emitted = found["generation_tokens_total"] - found["time_to_first_token_seconds_count"]
    drafts = found["spec_decode_num_drafts_total"]
    assert emitted / drafts == pytest.approx(tokens_per_step(SETTINGS), rel=1e-3)
    assert found["spec_decode_num_accepted_tokens_total"] / drafts == pytest.approx(0.875, rel=1e-3)
    assert found["spec_decode_num_accepted_tokens_per_pos_total1"] / drafts == pytest.approx(0.25, rel=1e-3)
    assert found["spec_decode_num_draft_tokens_total"] == pytest.approx(3 * drafts, abs=3)
    tpot = found["inter_token_latency_seconds_sum"] / emitted
    assert tpot == pytest.approx(SETTINGS.step_seconds / SETTINGS.speedup, rel=1e-3)
    assert found["request_time_per_output_token_seconds_sum"] / found[
        "request_time_per_output_token_seconds_count"
    ] == pytest.approx(tpot, rel=0.01)


def test_counters_never_fall_when_the_settings_change() -> None:
    on = HollowPod.of(pod(*SPECULATIVE), SETTINGS, 0.0)
    on.advance(60.0, SETTINGS)
    before = series(on)
    slower = SETTINGS.model_copy(update={"speedup": 0.5, "acceptance": 0.0, "draft_tokens": 2})
    on.advance(61.0, slower)
    after = series(on, slower)
    assert all(after[name] >= value for name, value in before.items())


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["vllm", "serve", "org/m"], "org/m"),
        (["vllm", "serve", "org/m", "--served-model-name", "x"], "x"),
        (["--model=org/m"], "org/m"),
        ([], "model"),
    ],
)
def test_the_served_name(arguments: list[str], name: str) -> None:
    assert model_name(arguments) == name


def test_time_per_token_varies_from_scrape_to_scrape_by_as_much_as_is_set() -> None:
    noisy = SETTINGS.model_copy(update={"scrape_noise": 0.05})
    hollow = HollowPod.of(pod("vllm"), noisy, 0.0)
    seen, before = [], 0.0
    for at in range(1, 401):
        hollow.advance(15.0 * at, noisy)
        seen.append((hollow.decoded - before) / 15.0)
        before = hollow.decoded
    assert 0.03 < stdev(seen) / mean(seen) < 0.07


def test_samples_of_the_past_are_dated_and_have_the_labels_of_the_target() -> None:
    hollow = HollowPod.of(pod("vllm", "serve", "m"), SETTINGS, 0.0)
    hollow.advance(60.0, SETTINGS)
    family = next(iter(text_string_to_metric_families(page([hollow], SETTINGS, labels='job="j",', at=60.25))))
    sample = family.samples[0]
    assert (sample.labels["job"], sample.labels["pod"], sample.timestamp) == ("j", "p", 60.25)

"""Command lines: what each vLLM version takes, and how it ends on what it refuses."""

import json
from typing import Any

import pytest

from breakeven.lab.engine.arguments import is_of_vllm
from breakeven.lab.engine.configuration import Configuration
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.process import prepare
from breakeven.lab.engine.refused import Refused

TARGET = "meta-llama/Llama-3.1-70B-Instruct"
DRAFT = "meta-llama/Llama-3.1-8B-Instruct"
PAIR = {"method": "draft_model", "model": DRAFT, "num_speculative_tokens": 3}


def start(*arguments: str, version: str = "0.33.0", env: dict[str, str] | None = None) -> Configuration:
    return prepare(["vllm", "serve", TARGET, *arguments], version, Knobs(), env or {})[1]


def with_config(config: Any, *arguments: str, version: str = "0.33.0") -> Configuration:
    return start(f"--speculative-config={json.dumps(config)}", *arguments, version=version)


def refusal(config: Any, *arguments: str, version: str = "0.32.0") -> Refused:
    with pytest.raises(Refused) as caught:
        with_config(config, *arguments, version=version)
    return caught.value


def test_plain_serving_has_no_speculation() -> None:
    assert start("--max-model-len=8192", "--tensor-parallel-size=2").setup.speculation is None


def test_the_old_entry_point_takes_the_same_flags() -> None:
    command = ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", TARGET, "--max-model-len=8192"]
    assert is_of_vllm(command) and not is_of_vllm(["python3", "-m", "http.server"])
    assert prepare(command, "0.33.0", Knobs(), {})[0].model == TARGET


def test_draft_model_selects_the_pair_and_k() -> None:
    configuration = with_config(PAIR)
    assert configuration.setup.speculation is not None
    assert (configuration.setup.times.target, configuration.setup.speculation.k) == ("70B", 3)
    assert configuration.setup.kv_tokens == 99952


def test_model_without_a_size_runs_as_the_8b_and_says_so() -> None:
    configuration = prepare(["vllm", "serve", "/models/tiny"], "0.33.0", Knobs(), {})[1]
    assert configuration.setup.times.target == "8B"
    assert any("not in its name" in note for note in configuration.notes)


@pytest.mark.parametrize(
    "flags",
    [
        ["--speculative-model", DRAFT, "--num-speculative-tokens", "3"],
        ["--speculative-disable-by-batch-size", "4"],
        ["--spec-decoding-acceptance-method", "typical_acceptance_sampler"],
        ["--no-such-flag"],
    ],
)
def test_flags_of_another_era_end_with_code_2_and_name_themselves(flags: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        start(*flags)
    assert caught.value.code == 2
    assert f"vllm: error: unrecognized arguments: {' '.join(flags)}" in caught.value.message


def test_flags_of_the_first_era_work_there() -> None:
    configuration = start(
        *("--speculative-model", DRAFT, "--num-speculative-tokens", "5"),
        *("--spec-decoding-acceptance-method", "typical_acceptance_sampler"),
        *("--speculative-disable-by-batch-size", "4", "--use-v2-block-manager"),
        version="0.7.3",
    )
    assert configuration.setup.speculation is not None
    assert configuration.setup.speculation.tokens_at(3) == 5
    assert configuration.setup.speculation.tokens_at(4) == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PAIR | {"foo": 1}, "foo\n  Unexpected keyword argument [type=unexpected_keyword_argument, input_value=1"),
        (PAIR | {"disable_by_batch_size": 4}, "Unexpected keyword argument"),
        (PAIR | {"method": "bogus"}, "method\n  Input should be"),
        (PAIR | {"num_speculative_tokens": 0}, "Input should be greater than 0"),
        (PAIR | {"num_speculative_tokens": "three"}, "Input should be a valid integer"),
        ({"method": "draft_model", "model": DRAFT}, "`num_speculative_tokens` was not provided"),
        ({"method": "ngram", "prompt_lookup_max": 3}, "num_speculative_tokens must be provided"),
        (PAIR | {"model": "Qwen/Qwen3-0.6B"}, "should have the same vocabulary size"),
        (PAIR | {"draft_tensor_parallel_size": 2}, "cannot be other value than 1 or target model tensor_parallel_size"),
        (PAIR | {"tensor_parallel_size": 1}, "Please pass 'draft_tensor_parallel_size' instead"),
        (PAIR | {"rejection_sample_method": "typical"}, "Input should be 'block', 'standard' or 'synthetic'"),
        (PAIR | {"draft_sample_method": "typical"}, "Input should be 'greedy' or 'probabilistic'"),
        (PAIR | {"rejection_sample_method": "synthetic"}, "requires exactly one of synthetic_acceptance_rates"),
        (PAIR | {"synthetic_acceptance_rates": [0.5] * 3}, "only valid with rejection_sample_method='synthetic'"),
        ({"method": "suffix", "num_speculative_tokens": 3}, "Arctic Inference is required"),
        (PAIR | {"num_speculative_tokens_per_batch_size": [[1, 8, 3], [4, 9, 0]]}, "Engine core initialization failed"),
        (PAIR | {"num_speculative_tokens_per_batch_size": [[2, 8, 3]]}, "Engine core initialization failed"),
        ([1], "AttributeError: 'list' object has no attribute 'items'"),
        (
            {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 5, "prompt_lookup_max": 3},
            "prompt_lookup_min=5 must be <= prompt_lookup_max=3",
        ),
    ],
)
def test_bad_configuration_ends_with_code_1_and_the_engines_words(config: Any, message: str) -> None:
    found = refusal(config)
    assert found.code == 1
    assert message in found.message


def test_json_that_cannot_be_read_ends_with_code_2() -> None:
    with pytest.raises(Refused) as caught:
        start("--speculative-config", "{method:ngram}")
    assert caught.value.code == 2
    assert "Value {method:ngram} cannot be converted to <function loads" in caught.value.message


@pytest.mark.parametrize("version", ["0.15.1", "0.9.2"])
def test_unknown_key_is_ignored_in_the_releases_that_do_and_noted(version: str) -> None:
    notes = with_config(PAIR | {"misspelt": 1}, version=version).notes
    assert any("ignores the keys misspelt" in note for note in notes)


def test_unknown_key_is_a_type_error_before_that() -> None:
    assert (
        "TypeError: SpeculativeConfig.__init__() got an unexpected" in refusal(PAIR | {"x": 1}, version="0.8.5").message
    )


def test_draft_model_is_not_implemented_in_the_first_v1_releases() -> None:
    assert "NotImplementedError" in refusal(PAIR, version="0.12.0").message


def test_draft_must_have_the_targets_tensor_parallel_size_on_the_older_runner() -> None:
    config = PAIR | {"draft_tensor_parallel_size": 1}
    assert "must be the same" in refusal(config, "--tensor-parallel-size=2", version="0.26.0").message
    with_config(config, "--tensor-parallel-size=2", version="0.33.0")


def test_context_longer_than_the_cache_fails_at_engine_start() -> None:
    found = refusal(PAIR, "--max-model-len=131072", version="0.33.0")
    assert (found.code, "estimated maximum model length is 99952" in found.message) == (1, True)


def test_too_many_drafted_tokens_start_and_die_on_the_first_request() -> None:
    assert with_config(PAIR | {"num_speculative_tokens": 200}).dies_on_first_request
    assert not with_config(PAIR).dies_on_first_request


def test_path_that_looks_like_a_head_overrides_the_method() -> None:
    configuration = with_config(PAIR | {"model": "/models/eagle3-llama"})
    assert configuration.setup.speculation is not None
    assert configuration.setup.speculation.method == "eagle3"


def test_dotted_keys_and_shorthands_mean_the_same_as_json() -> None:
    dotted = start(
        "--speculative-config.method=ngram",
        *("--speculative-config.num_speculative_tokens", "4"),
    )
    short = start("--spec-method", "ngram", "--spec-tokens", "4")
    assert dotted.setup.speculation == short.setup.speculation
    with pytest.raises(Refused, match="set in both"):
        start("--speculative-config", '{"method": "ngram"}', "--spec-method", "ngram")


def test_underscores_in_flags_are_taken_as_dashes() -> None:
    assert start("--max_num_seqs=8").setup.max_num_seqs == 8


def test_custom_buckets_need_a_version_that_has_them_and_known_families() -> None:
    flag = '--custom-histogram-buckets={"inter_token_latency": [0.002, 0.004]}'
    assert start(flag).setup.bounds["inter_token_latency"] == (0.002, 0.004)
    with pytest.raises(Refused, match="unrecognized arguments: --custom-histogram-buckets"):
        start(flag, version="0.30.0")
    with pytest.raises(Refused, match="Unknown histogram bucket family 'itl'"):
        start('--custom-histogram-buckets={"itl": [1]}')


def test_probabilistic_drafting_is_undone_by_block_on_the_older_runner() -> None:
    config = PAIR | {"draft_sample_method": "probabilistic"}

    def at_one(config: dict[str, Any], version: str) -> float:
        speculation = with_config(config, version=version).setup.speculation
        assert speculation is not None
        return speculation.acceptance.mean(1.0)

    assert at_one(config, "0.26.0") > 0.7
    assert at_one(config | {"rejection_sample_method": "block"}, "0.26.0") < 0.3
    assert at_one(config | {"rejection_sample_method": "block"}, "0.33.0") > 0.7


def test_lossy_acceptance_exists_where_the_table_says() -> None:
    lossy = PAIR | {"rejection_sample_method": "fly"}
    assert refusal(lossy, version="0.32.0").code == 1
    speculation = with_config(lossy, version="0.33.0").setup.speculation
    assert speculation is not None
    assert speculation.acceptance.mean(1.0) > 0.45


def test_command_that_is_not_vllm_serve_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        prepare(["python", "-m", "other"], "0.33.0", Knobs(), {})
    assert caught.value.code == 2


@pytest.mark.parametrize("tag", ["latest", "", "nightly-abc"])
def test_tag_that_is_no_version_stands_for_the_newest_release(tag: str) -> None:
    assert prepare(["vllm", "serve", TARGET], tag, Knobs(), {})[2].at_least("0.33.0")

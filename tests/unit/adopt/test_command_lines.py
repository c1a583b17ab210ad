"""Command lines: shells, wrappers, quotes, variables, and what is refused."""

from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from breakeven.adopt import NotAdoptable
from breakeven.adopt.started import started
from breakeven.cli.main import app


def arguments(*words: str, **env: str) -> list[str]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    return list(started({"name": "x", "command": list(words), "env": variables}).arguments)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vllm", "serve", "m", "--port", "1"], ["m", "--port", "1"]),
        (["/opt/venv/bin/vllm", "serve", "m"], ["m"]),
        (["python3", "-u", "-m", "vllm.entrypoints.openai.api_server", "--model", "m"], ["--model", "m"]),
        (["python", "-m", "vllm.entrypoints.cli.main", "serve", "m"], ["m"]),
        (["tini", "--", "vllm", "serve", "m"], ["m"]),
        (["sh", "-c", "exec vllm serve m --a='b c'"], ["m", "--a=b c"]),
        (["bash", "-lc", "set -e\n# why\nA=1 vllm serve m \\\n  --b 2"], ["m", "--b", "2"]),
        (["sh", "-c", 'vllm serve m "$@"', "sh", "--a", "1"], ["m", "--a", "1"]),
        (["sh", "-c", 'vllm serve m --cfg \'{"a": "$X"}\' > /log 2>&1'], ["m", "--cfg", '{"a": "$X"}']),
        (["sh", "-c", "vllm serve ${NONE:-m} --a $UNKNOWN"], ["m", "--a", "$UNKNOWN"]),
    ],
)
def test_vllm_is_found_behind_what_stands_in_front(words: list[str], expected: list[str]) -> None:
    assert arguments(*words) == expected


def test_variables_are_replaced_as_kubernetes_and_the_shell_replace_them() -> None:
    assert arguments("vllm", "serve", "$(M)", "$$(M)", "$(N)", M="a") == ["a", "$(M)", "$(N)"]
    assert arguments("sh", "-c", 'vllm serve $M "$E" $E', M="a", E="-x 1") == ["a", "-x 1", "-x", "1"]
    assert arguments("sh", "-c", "export E=2 && vllm serve m --a $E", E="1") == ["m", "--a", "2"]
    item = {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    found = started({"name": "x", "command": ["sh", "-c", "vllm serve m --a $S"], "env": [item]})
    assert found.arguments == ("m", "--a", "$(S)")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sh", "-c", "ollama serve"], "starts no `vllm serve`"),
        (["python3", "-m", "vllm.entrypoints.api_server"], "demo server"),
        (["sh", "-c", "vllm serve 'm"], "cannot be read"),
        (["sglang", "launch"], "does not run `vllm serve`"),
    ],
)
def test_what_is_no_api_server_of_vllm_is_refused_and_named(words: list[str], said: str) -> None:
    with pytest.raises(NotAdoptable, match=said):
        started({"name": "x", "command": words})


def adopted(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["adopt", "--", *words])
    assert result.exit_code in (0, 1), result.stderr
    (resource,) = yaml.safe_load_all(result.stdout)
    found: dict[str, Any] = resource["spec"]
    return found


def test_a_bare_command_line_comes_to_a_resource() -> None:
    spec = adopted("vllm", "serve", "--enforce-eager", "m", "-tp=2", "--max_model_len", "4K", "-qfp8", "--enable-lora")
    assert spec["target"] == {"model": "m", "maxModelLen": 4096, "quantization": "FP8"}
    assert spec["hardware"]["gpusPerReplica"] == 2
    assert spec["engine"]["extraArgs"] == ["--enforce-eager", "--enable-lora"]


def test_docker_run_comes_to_a_resource() -> None:
    spec = adopted(
        "docker", "run", "--gpus", "all", "-v", "/data/hf:/root/.cache/huggingface", "-e", "HF_HUB_OFFLINE=1",
        "--ipc=host",
        "vllm/vllm-openai:v0.24.0", "--model", "m", "--tensor-parallel-size", "4",
    )  # fmt: skip
    assert spec["engine"]["image"] == "vllm/vllm-openai:v0.24.0"
    assert spec["engine"]["env"] == [{"name": "HF_HUB_OFFLINE", "value": "1"}]
    assert spec["hardware"]["gpusPerReplica"] == 4
    assert spec["podTemplate"]["spec"]["containers"][0]["volumeMounts"] == [
        {"name": "hf", "mountPath": "/cache/huggingface"}
    ]


@pytest.mark.parametrize(
    ("words", "draft"),
    [
        (["--speculative-config.method", "ngram", "--speculative-config.num_speculative_tokens", "4"],
         {"method": "NGram", "numSpeculativeTokens": 4}),
        (["-sc", '{"method": "deepseek_mtp", "num_speculative_tokens": 1}'],
         {"method": "MTP", "numSpeculativeTokens": 1}),
        (["--spec-model", "d", "--spec-tokens=2"], {"method": "DraftModel", "model": "d", "numSpeculativeTokens": 2}),
        (["--speculative-model", "[ngram]", "--num-speculative-tokens", "5", "--ngram-prompt-lookup-max", "4",
          "--speculative-disable-by-batch-size", "8"],
         {"method": "NGram", "numSpeculativeTokens": 5, "promptLookupMax": 4, "disableAboveBatchSize": 8}),
        (["--speculative-config", '{"model": "d", "num_speculative_tokens": 3, "draft_sample_method": "probabilistic", '
          '"key_of_tomorrow": 1}'],
         {"method": "DraftModel", "model": "d", "numSpeculativeTokens": 3, "acceptance": {"method": "Probabilistic"},
          "extraKeys": {"key_of_tomorrow": 1}}),
    ],
)  # fmt: skip
def test_speculation_in_every_spelling_is_a_draft(words: list[str], draft: dict[str, Any]) -> None:
    assert adopted("vllm", "serve", "m", *words)["draft"] == draft


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "10.0.0.1"], "--host 10.0.0.1: not kept"),
        (["--disable-log-stats"], "--disable-log-stats: not kept; it removes the metrics"),
        (["--config", "/etc/vllm.yaml"], "--config /etc/vllm.yaml: not kept; a file could set managed flags"),
        (["--max-model-len", "auto"], "--max-model-len auto: not kept: write the number of tokens"),
        (["--ssl-keyfile=/k"], "--ssl-keyfile=/k: not kept"),
    ],
)  # fmt: skip
def test_a_flag_that_has_no_place_is_named_with_what_to_do(words: list[str], said: str) -> None:
    assert said in CliRunner().invoke(app, ["adopt", "--", "vllm", "serve", "m", *words]).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "write one of -f FILE"),
        (["-f", "/none"], 2, "cannot be read"),
        (["--from", "llama"], 2, "write KIND/NAME"),
        (["--", "ollama", "serve"], 1, "none of its containers"),
    ],
)
def test_what_cannot_be_adopted_says_why(arguments: list[str], code: int, said: str) -> None:
    result = CliRunner().invoke(app, ["adopt", *arguments])
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr

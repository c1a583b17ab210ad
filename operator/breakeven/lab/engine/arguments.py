"""The command line of `vllm serve`, taken and refused as the given version would."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, NoReturn

from breakeven.engines.engine import Engine
from breakeven.lab.engine.refused import Refused

OLD_ENTRY_POINT = ("-m", "vllm.entrypoints.openai.api_server")
"""After `python`: what served before there was `vllm serve`, and still does."""
USAGE = """usage: vllm [-h] [-v]
            {chat,complete,serve,launch,bench,collect-env,download-kernels,preload,run-batch,snapshot}
            ..."""

_BARE = frozenset({"--disable-log-requests", "--use-v2-block-manager", "--speculative-disable-mqa-scorer"})
"""Flags without a value that the newest release no longer lists."""
_JSON = frozenset(
    {"--speculative-config", "--custom-histogram-buckets", "--compilation-config", "--quantization-config"}
)
_SHORTHANDS = {"--spec-method": "method", "--spec-model": "model", "--spec-tokens": "num_speculative_tokens"}
_V0_FLAGS = {
    "--speculative-model": "model",
    "--speculative-model-quantization": "quantization",
    "--num-speculative-tokens": "num_speculative_tokens",
    "--speculative-draft-tensor-parallel-size": "draft_tensor_parallel_size",
    "--speculative-max-model-len": "max_model_len",
    "--speculative-disable-by-batch-size": "disable_by_batch_size",
    "--ngram-prompt-lookup-max": "prompt_lookup_max",
    "--ngram-prompt-lookup-min": "prompt_lookup_min",
    "--spec-decoding-acceptance-method": "acceptance_method",
    "--typical-acceptance-sampler-posterior-threshold": "posterior_threshold",
    "--typical-acceptance-sampler-posterior-alpha": "posterior_alpha",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a command line asks for. `speculative` is the JSON object, or None for plain serving."""

    model: str
    served_names: tuple[str, ...]
    port: int = 8000
    host: str | None = None
    tensor_parallel_size: int = 1
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    quantization: str | None = None
    shutdown_timeout: float = 0.0
    async_scheduling: bool | None = None
    disable_log_stats: bool = False
    enable_sleep_mode: bool = False
    custom_buckets: dict[str, list[float]] = field(default_factory=dict)
    speculative: dict[str, Any] | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(2, f"usage: vllm serve [model_tag] [options]\nvllm serve: error: {message}")


@cache
def _kinds() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Flag → (flag, switch, value or list; its aliases), as the recorded help has them."""
    text = resources.files(__package__).joinpath("serve_flags.txt").read_text(encoding="utf-8")
    kinds = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        kind, *names = line.split()
        long = next(name for name in names if name.startswith("--"))
        kinds[long] = (kind, tuple(name for name in names if name != long))
    return kinds


@cache
def _parser(engine: Engine) -> _Parser:
    """A parser with the flags of this version: those the capability table gives it, and those it does not follow."""
    parser = _Parser(prog="vllm serve", add_help=False, allow_abbrev=False)
    parser.add_argument("model_tag", nargs="?")
    removed, kinds = engine.removed_flags, _kinds()
    for flag in sorted((set(kinds) | engine.cli_flags) - removed):
        kind, aliases = kinds.get(flag, ("flag" if flag in _BARE else "value", ()))
        destination = flag.removeprefix("--").replace("-", "_")
        if kind == "flag":
            parser.add_argument(flag, *aliases, dest=destination, action="store_true")
        elif kind == "switch":
            parser.add_argument(flag, *aliases, dest=destination, action="store_const", const=True)
            parser.add_argument(flag.replace("--", "--no-", 1), dest=destination, action="store_const", const=False)
        else:
            read = _READERS.get(flag, str)
            nargs = "+" if kind == "list" else None
            parser.add_argument(flag, *aliases, dest=destination, type=read, nargs=nargs)
    return parser


def is_of_vllm(command: Sequence[str]) -> bool:
    """Whether it starts vLLM itself and no other program of its image."""
    return list(command[:1]) == ["vllm"] or tuple(command[1:3]) == OLD_ENTRY_POINT


def parse(command: Sequence[str], engine: Engine) -> Arguments:
    """Read `vllm serve MODEL ARGS...`, or the old entry point with the same flags. Raises Refused as that version would
    end."""
    if tuple(command[1:3]) == OLD_ENTRY_POINT:
        command = ["vllm", "serve", *command[3:]]
    if list(command[:2]) != ["vllm", "serve"]:
        raise Refused(2, f"{USAGE}\nvllm: error: expected `vllm serve MODEL ...`, got: {' '.join(command)}")
    plain, dotted = _split_dotted(command[2:])
    known, unknown = _parser(engine).parse_known_args(plain)
    if unknown:
        raise Refused(2, f"{USAGE}\nvllm: error: unrecognized arguments: {' '.join(unknown)}")
    values = vars(known)
    model = values.get("model_tag") or values.get("model")
    if not model:
        raise Refused(2, f"{USAGE}\nvllm: error: the simulated engine needs the model on its command line")
    buckets = values.get("custom_histogram_buckets") or dotted.get("--custom-histogram-buckets") or {}
    return Arguments(
        model=model,
        served_names=tuple(values.get("served_model_name") or (model,)),
        port=values.get("port") or 8000,
        host=values.get("host"),
        tensor_parallel_size=values.get("tensor_parallel_size") or 1,
        max_model_len=values.get("max_model_len"),
        max_num_seqs=values.get("max_num_seqs"),
        max_num_batched_tokens=values.get("max_num_batched_tokens"),
        gpu_memory_utilization=values.get("gpu_memory_utilization"),
        quantization=values.get("quantization"),
        shutdown_timeout=values.get("shutdown_timeout") or 0.0,
        async_scheduling=values.get("async_scheduling"),
        disable_log_stats=bool(values.get("disable_log_stats")),
        enable_sleep_mode=bool(values.get("enable_sleep_mode")),
        custom_buckets=buckets,
        speculative=_speculative(values, dotted),
    )


def _speculative(values: dict[str, Any], dotted: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The speculative configuration from whichever form was used; mixing forms about one key is an error."""
    given = values.get("speculative_config")
    if given is not None and not isinstance(given, dict):
        raise Refused(1, f"AttributeError: '{type(given).__name__}' object has no attribute 'items'")
    config: dict[str, Any] = dict(given or {}) | dotted.get("--speculative-config", {})
    for flag, key in (_SHORTHANDS | _V0_FLAGS).items():
        value = values.get(flag.removeprefix("--").replace("-", "_"))
        if value is None:
            continue
        if key in config:
            raise Refused(1, f"ValueError: {key} is set in both --speculative-config and {flag}")
        config[key] = value
    if config.get("model") == "[ngram]":
        config = {key: value for key, value in config.items() if key != "model"} | {"method": "ngram"}
    return config or None


def _split_dotted(arguments: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Take out `--flag.key value` pairs, and write underscores in flag names as dashes."""
    plain: list[str] = []
    dotted: dict[str, dict[str, Any]] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            plain.append(argument)
            continue
        name, equals, value = argument.partition("=")
        flag, dot, key = name.partition(".")
        flag = flag.replace("_", "-")
        if not dot:
            plain.append(flag + equals + value)
            continue
        text = value if equals else next(rest, "")
        dotted.setdefault(flag, {})[key] = _json_or_text(text)
    return plain, dotted


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"Value {text} cannot be converted to <function loads>.") from error


def _tokens(text: str) -> int:
    """An integer, or one with k, m (thousands) or K, M (1024s), as vLLM reads it."""
    scale = {"k": 1000, "m": 1000**2, "K": 1024, "M": 1024**2}.get(text[-1:])
    return int(float(text[:-1]) * scale) if scale else int(text)


_READERS: dict[str, Any] = dict.fromkeys(_JSON, _json) | {
    "--port": int,
    "--tensor-parallel-size": int,
    "--max-model-len": _tokens,
    "--max-num-seqs": _tokens,
    "--max-num-batched-tokens": _tokens,
    "--gpu-memory-utilization": float,
    "--shutdown-timeout": float,
    "--spec-tokens": int,
    "--num-speculative-tokens": int,
    "--speculative-draft-tensor-parallel-size": int,
    "--speculative-disable-by-batch-size": int,
    "--typical-acceptance-sampler-posterior-threshold": float,
    "--typical-acceptance-sampler-posterior-alpha": float,
}

"""Flags that have a field of their own, as those fields; every other flag goes into `engine.extraArgs` as it was."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from breakeven.adopt.flags import Flag
from breakeven.adopt.notes import Note
from breakeven.api.choices import KVCacheDtype, Quantization
from breakeven.api.serving import DEFAULT_PORT
from breakeven.render.managed import MANAGED
from breakeven.render.quantization import on_load

_UNITS = {"": 1, "k": 10**3, "K": 2**10, "m": 10**6, "M": 2**20, "g": 10**9, "G": 2**30}
"""What vLLM reads behind a number of tokens: small letters are decimal, capitals binary (vllm/engine/arg_utils.py)."""
_CARRIES = {"awq": Quantization.AWQ, "awq_marlin": Quantization.AWQ, "gptq": Quantization.GPTQ}
_SPECULATION = re.compile(r"--(spec|num-speculative|ngram-|typical-acceptance|disable-logprobs-during|use-v2-block)")
ANYWHERE = ("0.0.0.0", "::", "")


@dataclass(slots=True)
class Fields:
    """Parts of a spec, filled flag by flag."""

    target: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    speculation: list[Flag] = field(default_factory=list)
    """For `drafts`, which knows more."""
    env: list[dict[str, Any]] = field(default_factory=list)
    """Variables that took the place of a flag."""
    notes: list[Note] = field(default_factory=list)

    def lost(self, flag: Flag, message: str) -> None:
        """Note that a flag is not kept."""
        self.notes.append(Note(" ".join(flag.words)[:120], message))


def fields_of(model: str, flags: Sequence[Flag], *, secret: str) -> Fields:
    """Sort the flags into fields.

    Parameters
    ----------
    secret
        Name of the Secret that is referred to in place of a key on the command line.
    """
    found = Fields(target={"model": model} if model else {})
    for flag in flags:
        if _SPECULATION.match(flag.name) and not flag.name.startswith("--speculators"):
            found.speculation.append(flag)
        elif flag.name == "--api-key":
            _key(found, flag, secret)
        elif flag.name in _FIELDS and not flag.key:
            _FIELDS[flag.name](found, flag)
        elif flag.name in MANAGED:
            found.lost(flag, f"not kept; {MANAGED[flag.name]}")
        else:
            found.extra += flag.words
    return found


def _text(part: str, name: str) -> Callable[[Fields, Flag], None]:
    def put(found: Fields, flag: Flag) -> None:
        getattr(found, part)[name] = flag.value

    return put


def _names(found: Fields, flag: Flag) -> None:
    names = list(dict.fromkeys(flag.values))
    if names:
        found.target["servedName"] = names[0]
    if names[1:]:
        found.target["alsoServedAs"] = names[1:]


def tokens(text: str) -> int | None:
    """A number of tokens as vLLM reads it: `16k`, `1.5M` …; None when it is none."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kKmMgG]?)", text)
    return None if match is None else int(Decimal(match[1]) * _UNITS[match[2]])


def _tokens(found: Fields, flag: Flag) -> None:
    number = tokens(flag.value)
    if number is None:
        found.lost(flag, "not kept: write the number of tokens as target.maxModelLen, or leave the model's own limit")
    else:
        found.target["maxModelLen"] = number


def _share(found: Fields, flag: Flag) -> None:
    try:
        number = Decimal(flag.value)
    except InvalidOperation:
        found.lost(flag, "not kept: write a number as target.gpuMemoryUtilization")
        return
    found.target["gpuMemoryUtilization"] = format(number.normalize(), "f")


def _quantization(found: Fields, flag: Flag) -> None:
    made = next((q for q in Quantization if q is not Quantization.INT4 and on_load(q) == flag.value), None)
    if made is not None:
        found.target["quantization"] = made.value
        return
    found.target["quantization"] = _CARRIES.get(flag.value, Quantization.PREQUANTIZED).value
    found.target["quantizationMethod"] = flag.value


def _kv_cache(found: Fields, flag: Flag) -> None:
    if flag.value in list(KVCacheDtype):
        found.target["kvCacheDtype"] = flag.value
    else:
        found.lost(flag, "not kept: this release knows no such format; write one as target.kvCacheDtype")


def _parallel(found: Fields, flag: Flag) -> None:
    if flag.value.isdigit() and int(flag.value):
        found.hardware["tensorParallelSize"] = int(flag.value)
    else:
        found.lost(flag, "not kept: write the number as hardware.tensorParallelSize")


def _port(found: Fields, flag: Flag) -> None:
    if flag.value.isdigit():
        if int(flag.value) != DEFAULT_PORT:
            found.engine["port"] = int(flag.value)
    else:
        found.lost(flag, "not kept: write the number as engine.port")


def _host(found: Fields, flag: Flag) -> None:
    if flag.value not in ANYWHERE:
        found.lost(flag, "not kept: engines serve on every address of their pod")


def _shutdown(found: Fields, flag: Flag) -> None:
    if re.fullmatch(r"[0-9]{1,4}", flag.value):
        found.engine["shutdownTimeout"] = f"{flag.value}s"
    else:
        found.lost(flag, "not kept: write it as engine.shutdownTimeout")


def _key(found: Fields, flag: Flag, secret: str) -> None:
    """A key on a command line can be read by whoever may read pods: by reference only."""
    if all(value.startswith("$(") for value in flag.values):
        found.extra += flag.words
        return
    reference = {"secretKeyRef": {"name": secret, "key": "VLLM_API_KEY"}}
    found.env.append({"name": "VLLM_API_KEY", "valueFrom": reference})
    message = (
        f"the key is not written down: put it into a Secret (kubectl create secret generic {secret} "
        "--from-literal=VLLM_API_KEY=…), which engine.env refers to"
    )
    found.notes.append(Note("--api-key", message))


_FIELDS: Mapping[str, Callable[[Fields, Flag], None]] = {
    "--model": _text("target", "model"),
    "--served-model-name": _names,
    "--revision": _text("target", "revision"),
    "--tensor-parallel-size": _parallel,
    "--max-model-len": _tokens,
    "--gpu-memory-utilization": _share,
    "--quantization": _quantization,
    "--kv-cache-dtype": _kv_cache,
    "--host": _host,
    "--port": _port,
    "--shutdown-timeout": _shutdown,
}

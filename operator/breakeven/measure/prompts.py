"""What is asked: prompts of a file, packaged ones, or random token ids; the same sequence for every server."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

RANDOM = "random"
"""Name of the set that is made up: random token ids, which no cache and no n-gram knows."""
PROMPT_TOKENS = 128
"""Length of a made-up prompt."""
OUTPUT_TOKENS = 128
"""Median length of an answer, unless the user says otherwise."""
OUTPUT_SPREAD = 0.3
"""Standard deviation of the logarithm of a made-up answer's length: equal ones would march in step."""
_TOKEN_IDS = range(10, 1000)
"""Every vocabulary has these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt. Exactly one of `text`, `tokens` and `messages` is given."""

    kind: str = ""
    """Its class, such as code or chat."""
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    messages: tuple[Mapping[str, Any], ...] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    """Of this prompt, whatever the cell's temperature is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """The prompts of one measurement."""

    name: str
    prompts: tuple[Prompt, ...] = ()
    """Empty: random token ids."""
    output_tokens: int = OUTPUT_TOKENS

    @property
    def kinds(self) -> tuple[str, ...]:
        """Classes of prompts; empty when they are not told apart, or there is only one."""
        kinds = tuple(sorted({prompt.kind for prompt in self.prompts if prompt.kind}))
        return kinds if len(kinds) > 1 else ()

    def body(self, rng: Random, *, kind: str, temperature: float) -> tuple[str, dict[str, Any], str]:
        """One request: path, body and class."""
        if not self.prompts:
            tokens = rng.choices(_TOKEN_IDS, k=PROMPT_TOKENS)
            length = min(4 * self.output_tokens, max(8, round(self._length(rng))))
            asked = {"prompt": tokens, "max_tokens": length, "ignore_eos": True}
            return "/v1/completions", asked | {"temperature": temperature}, ""
        chosen = rng.choice([p for p in self.prompts if kind in ("", p.kind)])
        body: dict[str, Any] = {
            "max_tokens": chosen.max_tokens or self.output_tokens,
            "temperature": temperature if chosen.temperature is None else chosen.temperature,
        }
        if chosen.messages is not None:
            return "/v1/chat/completions", body | {"messages": list(chosen.messages)}, chosen.kind
        content = chosen.text if chosen.text is not None else list(chosen.tokens or ())
        return "/v1/completions", body | {"prompt": content}, chosen.kind

    def _length(self, rng: Random) -> float:
        return rng.lognormvariate(math.log(self.output_tokens), OUTPUT_SPREAD)


def packaged() -> tuple[str, ...]:
    """Names of the sets that come with the package, the made-up one included."""
    entries = resources.files(__package__).joinpath("data").iterdir()
    return (RANDOM, *sorted(e.name.removesuffix(".jsonl") for e in entries if e.name.endswith(".jsonl")))


def load_prompts(name: str, *, output_tokens: int = OUTPUT_TOKENS) -> PromptSet:
    """A packaged set by name, or a JSONL file.

    Raises
    ------
    ValueError
        If there is no such set or file, or a line cannot be read; the message names the line and the field.
    """
    if name == RANDOM:
        return PromptSet(name=RANDOM, output_tokens=output_tokens)
    if name in packaged():
        text = resources.files(__package__).joinpath("data", f"{name}.jsonl").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            known = ", ".join(packaged())
            raise ValueError(f"{name}: cannot be read ({error}); packaged sets: {known}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise ValueError(f"{name}: there is no prompt in it; write one JSON object a line, with prompt or messages")
    return PromptSet(
        name=Path(name).name,
        prompts=tuple(_prompt(f"{name}, line {number}", line) for number, line in lines),
        output_tokens=output_tokens,
    )


def _prompt(where: str, line: str) -> Prompt:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: is not JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{where}: write an object with prompt or messages")
    text, messages = row.get("prompt"), row.get("messages")
    if (text is None) == (messages is None):
        raise ValueError(f"{where}: write either prompt or messages")
    tokens = tuple(text) if isinstance(text, list) and _all(text, int) else None
    if messages is not None and not _all(messages, dict):
        raise ValueError(f"{where}: messages: write a list of objects with role and content")
    if text is not None and tokens is None and not (isinstance(text, str) and text):
        raise ValueError(f"{where}: prompt: write a text or a list of token ids")
    return Prompt(
        kind=str(row.get("class", "")),
        text=text if isinstance(text, str) else None,
        tokens=tokens,
        messages=tuple(messages) if messages is not None else None,
        max_tokens=_number(where, row, "max_tokens", int, least=1, most=1_000_000),
        temperature=_number(where, row, "temperature", float, least=0, most=2),
    )


def _all(value: object, kind: type) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, kind) for each in value)
    )


def _number(where: str, row: Mapping[str, Any], field: str, kind: type, *, least: float, most: float) -> Any:
    value = row.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{where}: {field}: write a number from {least:g} to {most:g}, got {value!r}")
    return kind(value)

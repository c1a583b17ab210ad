"""What a container starts: the arguments of vLLM's API server, found behind shells, wrappers and old entry points."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.shell import commands, expanded, replaced, script_of

_MODULES = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main")
_DEMO_SERVER = "vllm.entrypoints.api_server"
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_SILENT = frozenset({"exec", "nohup", "time", "tini", "dumb-init", "--", "-s", "-g", "env", "uv", "run", "set"})
"""Words in front of vLLM that change nothing about it."""
_PYTHON = re.compile(r"python[0-9.]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a container starts."""

    arguments: tuple[str, ...]
    """After `vllm serve`, or after the module of the old entry point."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a shell sets in front of it."""
    notes: tuple[Note, ...] = ()


def runs_vllm(container: Mapping[str, Any]) -> bool:
    """Whether a container looks like one that runs vLLM's API server."""
    try:
        started(container)
    except NotAdoptable:
        return False
    return True


def literals(container: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Variables with a value of their own, and those whose value comes from elsewhere, by name."""
    known: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    for item in container.get("env") or []:
        if not isinstance(item, Mapping) or not item.get("name"):
            continue
        if item.get("valueFrom"):
            elsewhere[str(item["name"])] = ""
        else:
            known[str(item["name"])] = expanded(str(item.get("value", "")), known)
    return known, elsewhere


def started(container: Mapping[str, Any]) -> Started:
    """Find vLLM's arguments. Raises NotAdoptable when the container runs something else."""
    known, elsewhere = literals(container)
    written = [*(container.get("command") or []), *(container.get("args") or [])]
    words = [expanded(str(word), known) for word in written]
    script = script_of(words)
    if script is not None:
        return _in_script(script, known, elsewhere)
    found = _behind(words)
    if found is not None:
        return found
    image = str(container.get("image", ""))
    if not container.get("command") and "vllm" in image.lower() and not _other_program(words):
        return Started(arguments=tuple(words[1:] if words[:1] == ["serve"] else words))
    raise NotAdoptable(f"container {container.get('name')} does not run `vllm serve`: {' '.join(words)[:120] or image}")


def _other_program(words: Sequence[str]) -> bool:
    """Whether arguments alone name another program: flags, or `serve MODEL`, are vLLM's own."""
    return bool(words) and not words[0].startswith("-") and words[0] != "serve"


def _in_script(script: tuple[str, tuple[str, ...]], known: Mapping[str, str], elsewhere: Mapping[str, str]) -> Started:
    text, rest = script
    try:
        simple_commands = commands(text)
    except ValueError as error:
        raise NotAdoptable(f"the shell string cannot be read: {error}") from None
    env: dict[str, str] = {}
    notes: list[Note] = []
    for place, simple in enumerate(simple_commands):
        words = replaced(simple.words, {**known, **env}, elsewhere, rest)
        found = _behind(words)
        if found is not None:
            after = [_lost(s.words) for s in simple_commands[place + 1 :]]
            every = (*notes, *found.notes, *after)
            return Started(arguments=found.arguments, env={**env, **found.env}, notes=tuple(dict.fromkeys(every)))
        exported = _exported(words)
        if exported is None:
            notes.append(_lost(words))
        else:
            env |= exported
    raise NotAdoptable("the shell string starts no `vllm serve`")


def _behind(words: Sequence[str]) -> Started | None:
    """vLLM behind assignments and wrappers of one simple command."""
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word.rpartition("/")[2] == "vllm" and following == "serve":
            return _after(words[:place], words[place + 2 :])
        if word == "-m" and following == _DEMO_SERVER:
            raise NotAdoptable(
                f"{_DEMO_SERVER} is vLLM's demo server, without metrics and without the OpenAI API: "
                "serve with `vllm serve` first"
            )
        if word == "-m" and following in _MODULES:
            rest = words[place + 2 :]
            return _after(words[:place], rest[1:] if rest and rest[0] == "serve" else rest)
    return None


def _after(front: Sequence[str], arguments: Sequence[str]) -> Started:
    env: dict[str, str] = {}
    odd = []
    for word in front:
        if match := _ASSIGNMENT.fullmatch(word):
            env[match[1]] = match[2]
        elif word not in _SILENT and not _PYTHON.fullmatch(word.rpartition("/")[2]) and word not in ("-u", "-O"):
            odd.append(word)
    note = Note(
        "command", f"`{' '.join(odd)}` in front of vLLM is not kept: put it into the image's entry point, or leave it"
    )
    return Started(arguments=tuple(arguments), env=env, notes=(note,) if odd else ())


def _exported(words: Sequence[str]) -> dict[str, str] | None:
    """Variables that `export A=b` or `A=b` sets; empty for what changes nothing, `set -e` say; None for the rest."""
    if words[0] in ("set", "true", ":"):
        return {}
    rest = words[1:] if words[0] == "export" else words
    matches = [_ASSIGNMENT.fullmatch(word) for word in rest]
    found = {m[1]: m[2] for m in matches if m is not None}
    return found if found and all(matches) else None


def _lost(words: Sequence[str]) -> Note:
    text = " ".join(words)[:120]
    return Note("command", f"`{text}` is not kept: do it in the image, or in an init container of podTemplate")

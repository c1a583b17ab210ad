"""A command line of vLLM, flag by flag, each with the words it was written in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from breakeven.engines import load
from breakeven.render.extra import read_extra
from breakeven.render.managed import MANAGED, WATCHED

_SWITCHES = ("--enable-", "--disable-", "--no-", "--enforce-eager", "--trust-remote-code", "--async-scheduling")
"""How flags begin that take no value: a word behind them is the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag."""

    name: str
    """As vLLM's parser takes it: two dashes, hyphens, no alias."""
    key: str = ""
    """What stands behind a dot: `method` of `--speculative-config.method`."""
    words: tuple[str, ...]
    """As it was written."""
    values: tuple[str, ...]
    """What follows it."""

    @property
    def value(self) -> str:
        """Its value; empty for a switch."""
        return self.values[0] if self.values else ""


def read_flags(words: Sequence[str]) -> tuple[str, list[Flag]]:
    """The model in front of the flags, empty where `--model` or none names it, and the flags in their order."""
    first = next((n for n, word in enumerate(words) if _is_flag(word)), len(words))
    model = words[0] if first else ""
    known = frozenset({*MANAGED, *WATCHED, *load().every_name("flags")})
    found = [_flag(group, known) for group in _groups(words[first:])]
    if model or any(f.name == "--model" for f in found):
        return model, found
    for place, flag in enumerate(found):
        if flag.values and len(flag.words) > 1 and flag.name.startswith(_SWITCHES):
            found[place] = Flag(name=flag.name, words=flag.words[:1], values=())
            return flag.value, found
    return "", found


def _groups(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    for word in words:
        if _is_flag(word) and group:
            yield tuple(group)
            group = []
        group.append(word)
    if group:
        yield tuple(group)


def _flag(group: tuple[str, ...], known: frozenset[str]) -> Flag:
    read = read_extra(group[:1], known).arguments[0]
    given, equals, value = group[0].partition("=")
    values = (value, *group[1:]) if equals else group[1:]
    if read.flag == "--quantization" and re.match(r"-q[^u-]", given):
        values = (given[2:],)  # attached to its letter: -qfp8
    return Flag(name=read.flag, key=given.partition(".")[2], words=group, values=values)


def _is_flag(word: str) -> bool:
    return re.match(r"-{1,2}[A-Za-z]", word) is not None

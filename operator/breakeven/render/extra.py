"""`engine.extraArgs`, read as vLLM's parser would read them: aliases, `=` forms, dotted keys, abbreviations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "-tp": "--tensor-parallel-size",
        "-pp": "--pipeline-parallel-size",
        "-dp": "--data-parallel-size",
        "-dcp": "--decode-context-parallel-size",
        "-q": "--quantization",
        "-sc": "--speculative-config",
        "-spec-draft-tp": "--speculative-draft-tensor-parallel-size",
        "-asc": "--api-server-count",
        "-h": "--help",
        "-v": "--version",
    }
)
"""Short spellings of flags that matter here."""
_LETTER = "-q"
"""The one-letter alias, to which argparse lets a value be attached: `-qfp8`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One flag that the user added."""

    given: str
    """As written, without its value."""
    flag: str
    """The flag it stands for, with two dashes and hyphens; as written when nothing is known of it."""
    value: str | None
    """What follows `=` or stands in the next item; None for a switch."""
    candidates: tuple[str, ...] = ()
    """Known flags it may abbreviate, when it is not one itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraArguments:
    """The arguments a user added, and the items that no flag takes."""

    arguments: tuple[Argument, ...]
    stray: tuple[str, ...]

    def value(self, flag: str) -> str | None:
        """Last value of a flag; None when it is absent or a switch."""
        found = [a.value for a in self.arguments if a.flag == flag]
        return found[-1] if found else None

    def has(self, flag: str) -> bool:
        """Whether a flag is given."""
        return any(a.flag == flag for a in self.arguments)

    def number(self, flag: str) -> int | None:
        """Value of a flag as a whole number; None when it is absent or is none."""
        text = self.value(flag) or ""
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def read_extra(items: Sequence[str], known: Iterable[str]) -> ExtraArguments:
    """Read an argument list.

    Parameters
    ----------
    items
        As in `engine.extraArgs`.
    known
        Flags that an abbreviation may stand for.
    """
    flags = frozenset(known)
    arguments: list[Argument] = []
    stray: list[str] = []
    for place, item in enumerate(items):
        if not _is_flag(item):
            if place == 0 or not _takes_next(items[place - 1]):
                stray.append(item)
            continue
        arguments.append(_argument(item, items[place + 1] if place + 1 < len(items) else None, flags))
    return ExtraArguments(arguments=tuple(arguments), stray=tuple(stray))


def _argument(item: str, following: str | None, known: frozenset[str]) -> Argument:
    given, equals, text = item.partition("=")
    value = text if equals else following if following is not None and not _is_flag(following) else None
    flag = _spell(given)
    if flag in known:
        return Argument(given=given, flag=flag, value=value)
    meant = tuple(sorted({ALIASES.get(k, k) for k in (*known, *ALIASES) if k.startswith(flag)}))
    return Argument(given=given, flag=meant[0] if len(meant) == 1 else flag, value=value, candidates=meant)


def _spell(given: str) -> str:
    if not given.startswith("--"):
        short = given.partition(".")[0]
        attached = _LETTER if re.match(rf"{_LETTER}[^-]", short) else short
        return ALIASES.get(short) or ALIASES.get(attached, short)
    return "--" + given[2:].partition(".")[0].replace("_", "-")


def _is_flag(item: str) -> bool:
    return re.match(r"-{1,2}[A-Za-z]", item) is not None


def _takes_next(item: str) -> bool:
    return not _is_flag(item) or "=" not in item

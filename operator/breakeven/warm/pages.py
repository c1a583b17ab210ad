"""The metrics pages of several engines as one, every sample marked with its variant."""

from __future__ import annotations

import re
from collections.abc import Mapping

LABEL = "breakeven_variant"
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{?)(.*)")
_SUFFIXES = ("_bucket", "_count", "_sum", "_created", "_total")


def merged(pages: Mapping[str, str]) -> str:
    """One page in Prometheus's text format: each family once, with the help and type of the first page that has it."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for variant, page in pages.items():
        family = ""
        for line in page.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                family = line.split(" ", 3)[2]
                kind = line[:7]
                head = heads.setdefault(family, [])
                if not any(known.startswith(kind) for known in head):
                    head.append(line)
            elif line and not line.startswith("#"):
                found = _SAMPLE.fullmatch(line)
                if found is not None:
                    name = found.group(1)
                    samples.setdefault(_family(name, family), []).append(_marked(found, variant))
    lines: list[str] = []
    for family in {**heads, **samples}:
        lines += heads.get(family, ())
        lines += samples.get(family, ())
    return "".join(f"{line}\n" for line in lines)


def _family(name: str, current: str) -> str:
    """Family of a sample: the one whose head stands above it, where the names fit."""
    fits = name == current or any(name == current + suffix for suffix in _SUFFIXES)
    return current if fits else name


def _marked(sample: re.Match[str], variant: str) -> str:
    name, brace, rest = sample.groups()
    if not brace:
        return f'{name}{{{LABEL}="{variant}"}}{rest}'
    comma = "" if rest.startswith("}") else ","
    return f'{name}{{{LABEL}="{variant}"{comma}{rest}'

"""`slots.json`: what this replica should hold, and how it switches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST = 1 << 20
"""Bytes of slots.json; a ConfigMap holds no more."""
WAIT, ABORT = "Wait", "Abort"
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,62}")


class Unreadable(Exception):
    """slots.json is not there or does not say what it should; the message names what is wrong."""


@dataclass(frozen=True)
class EngineSpec:
    """One engine configuration: two that are equal are the same engine."""

    variant: str
    speculates: bool
    argv: tuple[str, ...]
    """Command line without `--host` and `--port`."""
    env: tuple[tuple[str, str], ...]
    """Joined over the container's own variables."""


@dataclass(frozen=True)
class Wanted:
    """All of slots.json."""

    revision: str
    first: str
    """Variant to wake when the pod starts."""
    model: str
    """Served name, for the smoke test."""
    startup_s: float
    """Seconds that an engine may take from its start to its first answer."""
    drain_s: float
    """Seconds that requests in flight may take before a switch."""
    on_drain_timeout: str
    """`Abort`: cut off what still runs then. `Wait`: give the switch up."""
    load_beside: bool
    """Whether an engine can load while another is awake: both shares of GPU memory fit at once."""
    token_sha256: str
    variants: tuple[EngineSpec, ...]
    """One or two."""


def read(path: Path) -> Wanted:
    """Read slots.json. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    if len(text) > LONGEST:
        raise Unreadable(f"{path}: longer than {LONGEST} bytes")
    try:
        return _wanted(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise Unreadable(f"{path}: {problem}") from error


def _wanted(raw: Mapping[str, Any]) -> Wanted:
    variants = tuple(_spec(item) for item in raw["variants"])
    if not 1 <= len(variants) <= 2 or len({spec.variant for spec in variants}) != len(variants):
        raise ValueError("variants: one or two of different names are wanted")
    first = str(raw["first"])
    if first not in {spec.variant for spec in variants}:
        raise ValueError(f"first: {first!r} is none of the variants")
    on_drain_timeout = str(raw["onDrainTimeout"])
    if on_drain_timeout not in (WAIT, ABORT):
        raise ValueError(f"onDrainTimeout: {on_drain_timeout!r} is neither {WAIT} nor {ABORT}")
    return Wanted(
        revision=str(raw["revision"]),
        first=first,
        model=str(raw["model"]),
        startup_s=float(raw["startupTimeout"]),
        drain_s=float(raw["drainTimeout"]),
        on_drain_timeout=on_drain_timeout,
        load_beside=raw.get("loadBeside", False) is True,
        token_sha256=str(raw["tokenSha256"]).lower(),
        variants=variants,
    )


def _spec(raw: Mapping[str, Any]) -> EngineSpec:
    argv = tuple(str(part) for part in raw["argv"])
    if not argv:
        raise ValueError("argv: a command is wanted")
    if not _NAME.fullmatch(str(raw["variant"])):
        raise ValueError(f"variant: {raw['variant']!r} is no name")
    return EngineSpec(
        variant=str(raw["variant"]),
        speculates=raw["speculates"] is True,
        argv=argv,
        env=tuple(sorted((str(name), str(value)) for name, value in raw.get("env", {}).items())),
    )

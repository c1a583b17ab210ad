"""The table of refused resources (tests/golden/crd_refused.yaml), for pydantic and for the API server alike."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GOLDEN = Path(__file__).parents[1] / "golden" / "crd_refused.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A resource and what is said about it."""

    name: str
    resource: dict[str, Any]
    field: str
    """Field that the API server names."""
    says: str
    """Part of the message."""


def accepted() -> dict[str, Any]:
    """The resource that all others differ from."""
    base: dict[str, Any] = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))["base"]
    return base


def refusals(part: str) -> list[Refusal]:
    """Read one part of the table: `refused` or `only_in_the_cluster`."""
    table = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    return [
        Refusal(name=case["name"], resource=merged(table["base"], case["set"]), field=case["field"], says=case["says"])
        for case in table[part]
    ]


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch: None removes."""
    out = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merged(out.get(key) or {}, value)
        else:
            out[key] = value
    return out

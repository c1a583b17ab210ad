"""Measured step times of one target, draft and GPU by batch and k: the built-in tables, and those a user supplies."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any


class ProfileError(ValueError):
    """A supplied profile cannot be read; the text names the row and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Two step times at one batch, in milliseconds."""

    batch: float
    k: int
    plain: float
    speculating: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was measured for one pair and method."""

    source: str
    gpu: str
    target: str
    """Catalog id, empty in a supplied profile: it is for the resource it is given with."""
    target_bits: float
    draft: str
    """Catalog id, `eagle3` or empty."""
    method: str
    asynchronous: bool
    points: tuple[Point, ...]

    def lengths(self) -> tuple[int, ...]:
        """Every k that was measured."""
        return tuple(sorted({point.k for point in self.points}))

    def span(self, k: int) -> tuple[float, float]:
        """Smallest and largest batch measured at one of `lengths`."""
        batches = [point.batch for point in self.points if point.k == k]
        return min(batches), max(batches)

    def inflation(self, batch: float, k: int) -> float | None:
        """R at this batch, interpolated over log batch; None outside the measured range or for another k."""
        known = sorted((p for p in self.points if p.k == k), key=lambda p: p.batch)
        if not known or not known[0].batch <= batch <= known[-1].batch:
            return None
        return _between([(math.log2(p.batch), p.speculating / p.plain) for p in known], math.log2(batch))

    def plain_ms(self, batch: float) -> float | None:
        """Step time without speculation, interpolated; None outside the measured range."""
        known = sorted({(p.batch, p.plain) for p in self.points})
        if not known or not known[0][0] <= batch <= known[-1][0]:
            return None
        return _between([(math.log2(b), plain) for b, plain in known], math.log2(batch))


def _between(curve: list[tuple[float, float]], x: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y0
    return curve[-1][1]


_H200 = "measured on one NVIDIA H200, vLLM 0.26.0, random weights, context about 550 tokens"
_PAIRS = {
    "Llama-3.1-8B+Llama-3.2-1B": ("llama-3.1-8b", 16.0, "llama-3.2-1b"),
    "Llama-3.1-8B+EAGLE3-head": ("llama-3.1-8b", 16.0, "eagle3"),
    "Llama-3.1-8B+none(ngram)": ("llama-3.1-8b", 16.0, ""),
    "Llama-3.1-70B+Llama-3.1-8B": ("llama-3.1-70b", 8.0, "llama-3.1-8b"),
    "Llama-3.1-70B+EAGLE3-head": ("llama-3.1-70b", 8.0, "eagle3"),
    "Llama-3.1-70B+none(ngram)": ("llama-3.1-70b", 8.0, ""),
}
_UNSTABLE = frozenset({"p1-draft-k5-async"})
"""Runs whose authors say the host jumped between two speeds: kept in the file, not used."""


@cache
def built_in() -> tuple[Profile, ...]:
    """The packaged tables, one per pair, method and scheduling."""
    text = resources.files(__package__).joinpath("data", "profile-h200-vllm-0.26.0.csv").read_text(encoding="utf-8")
    groups: dict[tuple[str, str, bool], list[Point]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        if row["config"] in _UNSTABLE or row["config"].endswith("-dyn") or float(row["prompt_len"]) > 600:
            continue
        if row["batch"] == "128" and row["prompt_len"] == "256":
            continue
        key = (row["pair"], row["method"], row["async_scheduling"] == "True")
        point = Point(
            batch=float(row["batch"]),
            k=int(row["k"]),
            plain=float(row["base_step_ms"]),
            speculating=float(row["spec_step_ms"]),
        )
        groups.setdefault(key, []).append(point)
    return tuple(
        Profile(
            source=_H200 + (", asynchronous scheduling" if asynchronous else ", no asynchronous scheduling"),
            gpu="H200",
            target=_PAIRS[pair][0],
            target_bits=_PAIRS[pair][1],
            draft=_PAIRS[pair][2],
            method=method,
            asynchronous=asynchronous,
            points=tuple(points),
        )
        for (pair, method, asynchronous), points in groups.items()
    )


def supplied(rows: Iterable[Mapping[str, Any]], *, source: str) -> Profile:
    """A profile from rows with `batch`, `k`, `plain_ms` and `speculating_ms`.

    Raises
    ------
    ProfileError
        If a row lacks a field, a value is no positive number, or there is no row.
    """
    points = []
    for number, row in enumerate(rows, start=1):
        values: dict[str, float] = {}
        for field in ("batch", "k", "plain_ms", "speculating_ms"):
            try:
                values[field] = float(row[field])
            except (KeyError, TypeError, ValueError):
                raise ProfileError(f"profile row {number}: {field} must be a number, got {row.get(field)!r}") from None
            if not (values[field] > 0 and math.isfinite(values[field])):
                raise ProfileError(f"profile row {number}: {field} must be positive, got {row.get(field)!r}")
        points.append(
            Point(
                batch=values["batch"],
                k=round(values["k"]),
                plain=values["plain_ms"],
                speculating=values["speculating_ms"],
            )
        )
    if not points:
        raise ProfileError("the profile has no rows; each needs batch, k, plain_ms and speculating_ms")
    return Profile(
        source=source,
        gpu="",
        target="",
        target_bits=0.0,
        draft="",
        method="",
        asynchronous=True,
        points=tuple(points),
    )

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
class TimedStep:
    """What was measured at one batch and draft length."""

    batch: float
    k: int
    inflation: float
    """R: time of a speculating step / time of a plain one."""
    plain: float | None
    """Milliseconds of a plain step; None where only the ratio was noted."""


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
    points: tuple[TimedStep, ...]
    context: float | None = None
    """Mean context of the requests, in tokens. None: that of the traffic the plan is for."""

    def lengths(self) -> tuple[int, ...]:
        """Every k that was measured."""
        return tuple(sorted({point.k for point in self.points}))

    def span(self, k: int) -> tuple[float, float]:
        """Smallest and largest batch measured at one of `lengths`."""
        batches = [point.batch for point in self.points if point.k == k]
        return min(batches), max(batches)

    def inflation(self, batch: float, k: int) -> float | None:
        """R at this batch, interpolated over log batch; None outside the measured range or for another k."""
        return _at(batch, {(p.batch, p.inflation) for p in self.points if p.k == k})

    def plain_ms(self, batch: float) -> float | None:
        """Step time without speculation, interpolated; None outside the measured range."""
        return _at(batch, {(p.batch, p.plain) for p in self.points if p.plain is not None})


def _at(batch: float, points: set[tuple[float, float]]) -> float | None:
    known = sorted(points)
    if not known or not known[0][0] <= batch <= known[-1][0]:
        return None
    return _between([(math.log2(b), value) for b, value in known], math.log2(batch))


def _between(curve: list[tuple[float, float]], x: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y0
    return curve[-1][1]


_H200 = "measured on one NVIDIA H200, vLLM 0.26.0, random weights, context about 550 tokens"
_H200_CONTEXT = 550.0
_H100 = "measured on NVIDIA H100 80 GB, vLLM 0.26.0, random weights, context about 224 tokens"
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
_HOST_BOUND = frozenset({"p1-draft-k1", "p1-draft-k3", "p1-draft-k5", "p1-draft-k3-async"})
"""Runs that waited for the host, which jumped between two speeds. The fastest repeat is taken: on another host (two
H100, the same release and pair) the step was 2.0 plain ones at batch 1, as the fastest here (2.15) and not the median
(3.15)."""


@cache
def built_in() -> tuple[Profile, ...]:
    """The packaged tables, one per GPU, pair, method and scheduling."""
    return (*_grouped("H100", _H100, _h100_rows()), *_grouped("H200", _H200, _h200_rows()))


_Key = tuple[str, str, bool, float]
"""Pair, method, whether scheduling is asynchronous, and context in tokens."""
_Row = tuple[_Key, TimedStep]


def _rows(name: str) -> Iterable[dict[str, str]]:
    text = resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    return csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#"))


def _h200_rows() -> Iterable[_Row]:
    for row in _rows("profile-h200-vllm-0.26.0.csv"):
        if row["config"] in _UNSTABLE or row["config"].endswith("-dyn") or float(row["prompt_len"]) > 600:
            continue
        if row["batch"] == "128" and row["prompt_len"] == "256":
            continue
        plain = float(row["base_step_ms"])
        slow = float(row["spec_step_ms_min" if row["config"] in _HOST_BOUND else "spec_step_ms"])
        point = TimedStep(batch=float(row["batch"]), k=int(row["k"]), plain=plain, inflation=slow / plain)
        yield (row["pair"], row["method"], row["async_scheduling"] == "True", _H200_CONTEXT), point


def _h100_rows() -> Iterable[_Row]:
    for row in _rows("profile-h100-vllm-0.26.0.csv"):
        plain = float(row["base_step_ms"]) if row["base_step_ms"] else None
        ratio = float(row["tokens"]) / float(row["speedup"])
        point = TimedStep(batch=float(row["batch"]), k=int(row["k"]), plain=plain, inflation=ratio)
        yield (row["pair"], row["method"], row["async_scheduling"] == "True", float(row["context"])), point


def _grouped(gpu: str, source: str, rows: Iterable[_Row]) -> Iterable[Profile]:
    groups: dict[_Key, list[TimedStep]] = {}
    for key, point in rows:
        groups.setdefault(key, []).append(point)
    for (pair, method, asynchronous, context), points in groups.items():
        target, bits, draft = _PAIRS[pair]
        yield Profile(
            source=source + (", asynchronous scheduling" if asynchronous else ", no asynchronous scheduling"),
            gpu=gpu,
            target=target,
            target_bits=bits,
            draft=draft,
            method=method,
            asynchronous=asynchronous,
            points=tuple(points),
            context=context,
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
            TimedStep(
                batch=values["batch"],
                k=round(values["k"]),
                plain=values["plain_ms"],
                inflation=values["speculating_ms"] / values["plain_ms"],
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

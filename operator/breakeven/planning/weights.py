"""Bytes of a model's weights in a number format."""

from breakeven.api.spec import Quantization
from breakeven.planning.architecture import Architecture

GIB = float(2**30)

_FULL_BYTES = 2.0
_EMBEDDING_BYTES = 2.0
"""Quantized checkpoints keep embeddings and head in 16 bits (vendor checkpoints; quantisation note of the catalog)."""

_LINEAR_BYTES: dict[Quantization, float] = {
    Quantization.FP8: 1.0,
    Quantization.INT8: 1.0,
    Quantization.INT4: 0.52,
    Quantization.AWQ: 0.52,
    Quantization.BITSANDBYTES: 0.52,
}
"""Bytes of one linear parameter; 4-bit formats carry group scales of about 0.02 bytes at group 128."""


def linear_bytes(model: Architecture, quantization: Quantization) -> float | None:
    """Bytes of one linear parameter as served; None when the format is that of a checkpoint whose width is unknown."""
    stated = _LINEAR_BYTES.get(quantization)
    if stated is not None:
        return stated
    bits = model.weight_bits
    if quantization is Quantization.GPTQ and (bits is None or bits >= 16.0):
        return None  # a GPTQ checkpoint has 4 or 8 bits, and only the checkpoint says which
    if quantization is Quantization.PREQUANTIZED and (bits is None or bits >= 16.0):
        return None
    if bits is None:
        return None
    return 0.52 if bits == 4.0 else bits / 8.0


def weight_bytes(model: Architecture, quantization: Quantization) -> float | None:
    """Bytes of all weights, embeddings and head in 16 bits; None when parameters or format are unknown."""
    each = linear_bytes(model, quantization)
    if model.params is None or each is None:
        return None
    if each >= _FULL_BYTES:
        return model.params * _FULL_BYTES
    embedding = model.embedding_params
    if embedding is None:
        return None
    embedding = min(embedding, model.params)
    return (model.params - embedding) * each + embedding * _EMBEDDING_BYTES


def read_bytes(model: Architecture, quantization: Quantization) -> float | None:
    """Bytes of weights that one decode step of one token reads: the active parameters without the input embedding."""
    each = linear_bytes(model, quantization)
    read = model.read_params
    if read is None or each is None:
        return None
    head = 0.0 if model.vocab_size is None or model.hidden is None else float(model.vocab_size * model.hidden)
    head = min(head, read)
    return (read - head) * each + head * _EMBEDDING_BYTES


def is_weight_only(model: Architecture, quantization: Quantization) -> bool:
    """Whether weights are stored narrow but multiplied in 16 bits, which shortens the range where verification is
    free."""
    each = linear_bytes(model, quantization)
    return each is not None and each < 0.75

"""What a model is made of, as far as it is known. `None` is unknown: nothing here is guessed."""

from dataclasses import dataclass
from enum import StrEnum


class Attention(StrEnum):
    """How a model keeps its context."""

    FULL = "full"
    SLIDING = "sliding"
    LATENT = "latent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Facts of one model. Counts are whole-model; the tensor-parallel split is `memory`'s to know."""

    name: str
    origin: str
    """Where the facts come from: the catalog with its sources, the resource, or a config.json."""
    key: str | None = None
    """Name under which the catalog holds the model; the same for quantized copies of one model. None: not in it."""
    family: str | None = None
    tokenizer_group: str | None = None
    vocab_size: int | None = None
    params: float | None = None
    """Parameters, embeddings and head included."""
    active_params: float | None = None
    """Parameters read for one token; all of them in a dense model."""
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    max_position: int | None = None
    tied_embeddings: bool | None = None
    attention: Attention | None = None
    full_attention_layers: int | None = None
    """Layers whose cache grows with the whole context; the others stop at `sliding_window`."""
    sliding_window: int | None = None
    latent_width: int | None = None
    """Elements that one layer caches per token when attention is latent (MLA): kv_lora_rank + qk_rope_head_dim."""
    native_mtp_layers: int | None = None
    multimodal: bool | None = None
    """Whether it takes more than text. The catalog does not say."""
    weight_bits: float | None = None
    """Bits of one weight of the checkpoint itself, 16 unless its config says otherwise."""

    @property
    def embedding_params(self) -> float | None:
        """Parameters of the input embedding and the output head, which quantized checkpoints keep in 16 bits."""
        if self.vocab_size is None or self.hidden is None:
            return None
        return float(self.vocab_size * self.hidden * (1 if self.tied_embeddings else 2))

    @property
    def read_params(self) -> float | None:
        """Parameters read in one decode step: the active ones without the input embedding, which is only looked up."""
        if self.active_params is None:
            return None
        if self.vocab_size is None or self.hidden is None or self.tied_embeddings:
            return self.active_params
        return max(self.active_params - self.vocab_size * self.hidden, 0.0)

    @property
    def is_sparse(self) -> bool:
        """Whether only a part of the parameters is read for one token (mixture of experts)."""
        return self.params is not None and self.active_params is not None and self.active_params < 0.9 * self.params


def unknown(name: str) -> Architecture:
    """A model of which nothing is known but its name."""
    return Architecture(name=name, origin="unknown: not in the catalog and not described in the resource")

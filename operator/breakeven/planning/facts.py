"""Facts of a model from where they can be had: the resource first, then a config.json, then the catalog; else
unknown."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from breakeven.api.spec import ModelFacts
from breakeven.planning import catalog
from breakeven.planning.architecture import Architecture, Attention, unknown


def facts_for(
    name: str, *, declared: ModelFacts | None = None, config: Mapping[str, Any] | None = None
) -> Architecture:
    """What is known of a model. Each declared fact wins over the config.json, which wins over the catalog."""
    known = catalog.resolve(name)
    if config is not None:
        known = from_config(name, config)
    if declared is None:
        return known or unknown(name)
    return _overlay(known or unknown(name), declared)


def _billions(value: Decimal | None) -> float | None:
    return None if value is None else float(value) * 1e9


def _overlay(base: Architecture, declared: ModelFacts) -> Architecture:
    params = _billions(declared.params_billions)
    active = _billions(declared.active_params_billions)
    stated: dict[str, Any] = {
        "params": params,
        "active_params": active if active is not None else params,
        "layers": declared.layers,
        "hidden": declared.hidden_size,
        "heads": declared.attention_heads,
        "kv_heads": declared.kv_heads,
        "head_dim": declared.head_dim,
        "vocab_size": declared.vocab_size,
        "tokenizer_group": declared.tokenizer_group,
        "max_position": declared.max_position_embeddings,
        "weight_bits": None if declared.weight_bits is None else float(declared.weight_bits),
    }
    stated = {field: value for field, value in stated.items() if value is not None}
    if not stated:
        return base
    stated |= _attention(base, declared)
    if base.weight_bits is None and "params" in stated:
        # Quantization None says that the checkpoint is not quantized; Prequantized and GPTQ take 16 for unknown.
        stated.setdefault("weight_bits", 16.0)
    origin = "resource" if base.origin.startswith("unknown") else f"resource over {base.origin}"
    return replace(base, origin=origin, **stated)


def _attention(base: Architecture, declared: ModelFacts) -> dict[str, Any]:
    """What declared facts say of the cache: latent, with windows, or every layer in full."""
    if declared.kv_latent_width is not None:
        layers = declared.layers or base.layers
        return {
            "attention": Attention.LATENT,
            "latent_width": declared.kv_latent_width,
            "full_attention_layers": layers,
        }
    if declared.sliding_window is not None:
        return {
            "attention": Attention.SLIDING,
            "sliding_window": declared.sliding_window,
            "full_attention_layers": declared.full_attention_layers,
        }
    if declared.full_attention_layers is not None and base.attention is Attention.SLIDING:
        return {"full_attention_layers": declared.full_attention_layers}
    plain = base.attention is Attention.FULL or (base.attention is None and declared.kv_heads is not None)
    if plain:
        return {"attention": Attention.FULL, "full_attention_layers": declared.layers or base.layers}
    return {}


def _whole(config: Mapping[str, Any], *names: str) -> int | None:
    """The first of the named values that is a positive whole number."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def from_config(name: str, config: Mapping[str, Any]) -> Architecture:
    """Read a Hugging Face config.json. What it does not state is unknown; parameters are counted where it describes
    them all."""
    nested = config.get("text_config")
    text: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    layers = _whole(text, "num_hidden_layers", "n_layer")
    hidden = _whole(text, "hidden_size", "n_embd")
    heads = _whole(text, "num_attention_heads", "n_head")
    head_dim = _whole(text, "head_dim") or (hidden // heads if hidden and heads and hidden % heads == 0 else None)
    latent = _whole(text, "kv_lora_rank")
    width = latent + (_whole(text, "qk_rope_head_dim") or 0) if latent else None
    window = _whole(text, "sliding_window") if text.get("use_sliding_window", True) else None
    full = _full_layers(text, layers, window)
    kind = Attention.LATENT if width else Attention.SLIDING if window and full != layers else Attention.FULL
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings"))
    model = Architecture(
        name=name,
        origin="config.json",
        family=_text(text, "model_type"),
        vocab_size=_whole(text, "vocab_size"),
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=_whole(text, "num_key_value_heads") or heads,
        head_dim=head_dim,
        ffn=_whole(text, "moe_intermediate_size", "intermediate_size", "n_inner"),
        max_position=_whole(text, "max_position_embeddings", "n_positions"),
        tied_embeddings=tied if isinstance(tied, bool) else None,
        attention=kind if layers else None,
        full_attention_layers=layers if kind is not Attention.SLIDING else full,
        sliding_window=window if kind is Attention.SLIDING else None,
        latent_width=width,
        native_mtp_layers=_whole(text, "num_nextn_predict_layers") or 0,
        multimodal=any(isinstance(config.get(name), Mapping) for name in _OTHER_SENSES),
        weight_bits=_weight_bits(config),
    )
    count = _gated_dense_params(model, text)
    return replace(model, params=count, active_params=count)


def _text(config: Mapping[str, Any], name: str) -> str | None:
    value = config.get(name)
    return value if isinstance(value, str) and value else None


def _full_layers(text: Mapping[str, Any], layers: int | None, window: int | None) -> int | None:
    kinds = text.get("layer_types")
    if isinstance(kinds, list) and kinds:
        return sum(1 for kind in kinds if kind == "full_attention")
    every = _whole(text, "sliding_window_pattern")
    if window and layers and every:
        return layers // every
    return 0 if window else layers


def _weight_bits(config: Mapping[str, Any]) -> float | None:
    """Bits of a weight: 16 without a quantization section, its stated width otherwise, None when it does not state
    one."""
    section = config.get("quantization_config")
    if not isinstance(section, Mapping):
        return 16.0
    method = str(section.get("quant_method", ""))
    if method in {"fp8", "fbgemm_fp8"}:
        return 8.0
    bits = section.get("bits")
    if not isinstance(bits, int):
        groups = section.get("config_groups")
        first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
        weights = first.get("weights") if isinstance(first, Mapping) else None
        bits = weights.get("num_bits") if isinstance(weights, Mapping) else None
    return float(bits) if isinstance(bits, int) and not isinstance(bits, bool) and bits > 0 else None


_OTHER_SENSES = ("vision_config", "audio_config", "thinker_config")
"""Sections of a config.json that tell of images or sound."""
_GATED_DENSE = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text", "granite"})
"""Families whose layer is attention plus a three-matrix gated MLP; parameters of others are not counted from a
config."""


def _gated_dense_params(model: Architecture, text: Mapping[str, Any]) -> float | None:
    if model.family not in _GATED_DENSE or _whole(text, "num_experts", "num_local_experts", "n_routed_experts"):
        return None
    if model.layers is None or model.hidden is None or model.heads is None or model.kv_heads is None:
        return None
    ffn = _whole(text, "intermediate_size")
    if model.head_dim is None or ffn is None or model.vocab_size is None or model.tied_embeddings is None:
        return None
    attention = model.hidden * model.head_dim * (2 * model.heads + 2 * model.kv_heads)
    embeddings = model.vocab_size * model.hidden * (1 if model.tied_embeddings else 2)
    return float(model.layers * (attention + 3 * model.hidden * ffn) + embeddings)

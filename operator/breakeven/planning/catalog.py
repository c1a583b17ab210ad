"""The packaged catalog of models, GPUs and trained heads, and how a name is resolved against it."""

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import yaml

from breakeven.planning.architecture import Architecture, Attention

_CHECKPOINT_SUFFIXES: tuple[tuple[str, float | None], ...] = (
    ("-fp8-dynamic", 8.0),
    ("-fp8-kv", 8.0),
    ("-fp8", 8.0),
    ("-quantized.w8a8", 8.0),
    ("-quantized.w8a16", 8.0),
    ("-quantized.w4a16", 4.0),
    ("-w8a8", 8.0),
    ("-w4a16", 4.0),
    ("-nvfp4", 4.5),
    ("-fp4", 4.5),
    ("-gptq-int8", 8.0),
    ("-gptq-int4", 4.0),
    ("-awq-int4", 4.0),
    ("-awq", 4.0),
    ("-int8", 8.0),
    ("-int4", 4.0),
)
"""Endings that name a quantized copy of a known model and the bits of its weights. An ending that is not listed, or
a base name that is not in the catalog, leaves the model unknown."""

_INTERCHANGEABLE = ("-instruct", "-it", "-chat")
"""Endings that base and tuned checkpoints differ in while sharing every dimension."""

_PUBLISHERS_OF_COPIES = frozenset({"redhatai", "neuralmagic", "nvidia", "unsloth", "hugging-quants", "amd"})
"""Publishers whose repositories carry the original's name; their copies keep the original's dimensions."""

_DIFFERS_IN_BASE = {"qwen2.5": "max_position", "mixtral-8x22b": "vocab_size"}
"""Facts that the base checkpoint has otherwise than the tuned one in the catalog (its notes): unknown for a base
name."""

_LATENT_WIDTH = {"deepseek-v3": 576}
"""kv_lora_rank 512 + qk_rope_head_dim 64, from the note of the catalog entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """What a GPU model offers. Rates are the vendor's peaks; what engines reach of them is `steptime`'s to know."""

    id: str
    memory_gib: float
    """What the framework reports, not the marketing figure."""
    bandwidth: float
    """Bytes a second."""
    bf16_flops: float
    fp8_flops: float | None
    """None where the GPU has no 8-bit float arithmetic."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A draft head trained for one target."""

    name: str
    target: str
    """Catalog id of the target."""
    params: float | None
    max_position: int | None = None
    """Positions that its own rotary table holds. None: not known."""


@cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("data", "model-catalog.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _architecture(entry: dict[str, Any]) -> Architecture:
    attention = str(entry["attention"])
    kind = Attention.LATENT if attention == "MLA" else Attention.SLIDING if "sliding" in attention else Attention.FULL
    return Architecture(
        name=entry["hf"],
        key=entry["id"],
        origin=f"catalog {entry['id']} ({', '.join(entry['source'])})",
        family=entry["family"],
        tokenizer_group=entry["tokenizer_group"],
        vocab_size=entry["vocab_size"],
        params=entry["params_b"] * 1e9,
        active_params=entry["active_params_b"] * 1e9,
        layers=entry["layers"],
        hidden=entry["hidden"],
        heads=entry["heads"],
        kv_heads=entry["kv_heads"],
        head_dim=entry["head_dim"],
        ffn=entry["ffn"],
        max_position=entry["max_position_embeddings"],
        tied_embeddings=entry["tied_embeddings"],
        attention=kind,
        full_attention_layers=entry["full_attention_layers"],
        sliding_window=entry.get("sliding_window"),
        latent_width=_LATENT_WIDTH.get(entry["id"]),
        native_mtp_layers=entry["native_mtp_layers"],
        weight_bits=4.25 if entry["family"] == "gpt-oss" else 8.0 if entry["id"] == "deepseek-v3" else 16.0,
    )


@cache
def models() -> dict[str, Architecture]:
    """Every model of the catalog by its id."""
    return {entry["id"]: _architecture(entry) for entry in _document()["models"]}


@cache
def _siblings() -> dict[str, Architecture]:
    """Models published under other names with the dimensions of one of `models`, by name in lower case."""
    found = {}
    for entry in _document()["same_dimensions"]:
        facts = {"max_position_embeddings": "max_position", "tied_embeddings": "tied_embeddings"}
        differs: dict[str, Any] = {ours: entry[theirs] for theirs, ours in facts.items() if theirs in entry}
        for theirs, ours in {"params_b": "params", "active_params_b": "active_params"}.items():
            if theirs in entry:
                differs[ours] = entry[theirs] * 1e9
        name = entry["hf"].lower()
        found[name] = replace(models()[entry["like"]], name=entry["hf"], key=name, **differs)
    return found


@cache
def heads() -> dict[str, Head]:
    """Every trained head of the catalog by its Hugging Face name in lower case."""
    return {
        entry["head"].lower(): Head(
            name=entry["head"],
            target=entry["target"],
            params=entry["params_b"] * 1e9 if entry["params_b"] is not None else None,
            max_position=entry.get("max_position_embeddings"),
        )
        for entry in _document()["trained_heads"]
    }


@cache
def gpus() -> dict[str, Gpu]:
    """GPUs by the name the resource uses: H100, H200."""
    return {
        entry["id"].split("-")[0].upper(): Gpu(
            id=entry["id"],
            memory_gib=float(entry["framework_total_gib"]),
            bandwidth=float(entry["hbm_bytes_per_s"]),
            bf16_flops=float(entry["bf16_dense_flops"]),
            fp8_flops=float(entry["fp8_dense_flops"]),
            source=entry["source"],
        )
        for entry in _document()["gpus"]
    }


def _plain(name: str) -> str:
    for ending in _INTERCHANGEABLE:
        name = name.removesuffix(ending)
    return name


@cache
def _by_name() -> dict[str, Architecture]:
    found: dict[str, Architecture] = {}
    for key, model in [*models().items(), *_siblings().items()]:
        full = model.name.lower()
        publisher, repository = full.split("/", 1)
        # Llama 3.1 was published as Meta-Llama-3.1 first; both names are in use.
        renamed = repository.removeprefix("meta-") if repository.startswith("meta-") else f"meta-{repository}"
        older = (f"{publisher}/{renamed}", renamed) if publisher == "meta-llama" else ()
        for name in (full, repository, *older):
            for alias in (name, _plain(name)):
                found.setdefault(alias, model)
        found.setdefault(key, model)
    return found


def _named(wanted: str) -> Architecture | None:
    return _by_name().get(wanted) or _by_name().get(_plain(wanted))


def resolve(name: str) -> Architecture | None:
    """The catalog's facts for a Hugging Face name, in any case; None when the catalog does not know it for certain.

    A quantized copy (`…-FP8`, `…-AWQ`, `…-quantized.w4a16`) resolves to its original with the bits its ending names,
    when the publisher is the original's or one known to keep the name.
    """
    wanted = name.strip().lower()
    bits: float | None = None
    for ending, width in _CHECKPOINT_SUFFIXES:
        if wanted.endswith(ending):
            wanted, bits = wanted.removesuffix(ending), width
            break
    model = _named(wanted)
    if model is None and "/" in wanted:
        publisher, repository = wanted.split("/", 1)
        if publisher in _PUBLISHERS_OF_COPIES:
            model = _named(repository)
    if model is None:
        return None
    if _plain(model.name.lower()) != model.name.lower() and _plain(wanted) == wanted:
        model = _as_base(model)
    return model if bits is None else _with_bits(model, name, bits)


def _as_base(model: Architecture) -> Architecture:
    repository = model.name.lower().split("/", 1)[1]
    differs = {field for start, field in _DIFFERS_IN_BASE.items() if repository.startswith(start)}
    if "vocab_size" in differs:
        return replace(model, vocab_size=None, tokenizer_group=None)
    return replace(model, max_position=None) if differs else model


def _with_bits(model: Architecture, name: str, bits: float) -> Architecture:
    return replace(model, name=name, weight_bits=bits, origin=f"{model.origin}, weights {bits:g} bits by its name")

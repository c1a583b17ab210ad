"""Make Llama-3.1-8B and an EAGLE-3 head of real shape with random weights; run by vLLM's own Python, on the GPU.

They are laid out as an offline Hugging Face cache, so that rendered command lines run verbatim.

All logits come from one bigram: `head[next] . embedding[token]` in the first 1,024 dimensions. The layers are quiet
noise: their output projections are scaled down, so they cost what layers cost, and what noise they add is what makes a
draft miss. The EAGLE-3 head reads the token's embedding through attention on itself and ignores the target's hidden
states. Measured: acceptance about 0.79 a position at temperature 0, and 0.13 at 1.0.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

TARGET = "meta-llama/Llama-3.1-8B-Instruct"
HEAD = "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"
REVISION = "0" * 39 + "1"
HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, MLP, VOCABULARY = 4096, 32, 32, 8, 128, 14336, 128256
BIGRAM = 1024
"""Dimensions that carry the bigram."""
DRAFTED = 32000
"""Tokens that the head can draft."""
SHARP = 3.2
"""How clear a lead the top token has."""
NOISE = 0.10
"""What all layers together add, relative to the bigram."""
SPREAD = 0.015
PER_FILE = 4
"""Layers a file of weights holds."""
BOS, EOS = VOCABULARY - 256, VOCABULARY - 247

BFLOAT16 = torch.bfloat16
random = torch.Generator(device="cuda")


def snapshot(hub: Path, name: str) -> Path:
    """The folder of a model's one revision."""
    folder = hub / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION)
    (folder / "snapshots" / REVISION).mkdir(parents=True, exist_ok=True)
    return folder / "snapshots" / REVISION


def write_tokenizer(folder: Path) -> None:
    """One word a token: `t0`, `t1`, …"""
    words = Tokenizer(models.WordLevel({f"t{i}": i for i in range(VOCABULARY)}, unk_token="t0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    (folder / "tokenizer.json").write_text(words.to_str())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 131072,
        "bos_token": f"t{BOS}",
        "eos_token": f"t{EOS}",
        "unk_token": "t0",
        "clean_up_tokenization_spaces": False,
        "chat_template": "{% for m in messages %}{{ m['content'] }} {% endfor %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_config(folder: Path, **more: Any) -> None:
    """What both models have in common, and what differs."""
    common = {
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": MLP,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "attention_bias": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }
    (folder / "config.json").write_text(json.dumps(common | more, indent=1))


def noise(*shape: int) -> torch.Tensor:
    """Random weights."""
    return torch.empty(*shape, device="cuda", dtype=BFLOAT16).normal_(0, SPREAD, generator=random)


def bigram() -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and head of the bigram that both models share."""
    random.manual_seed(7)
    embedding = torch.randn(VOCABULARY, BIGRAM, generator=random, device="cuda")
    head = torch.randn(VOCABULARY, BIGRAM, generator=random, device="cuda")
    head[DRAFTED:] *= 0.3  # the target seldom says what the head cannot draft
    return embedding.to(BFLOAT16), head.to(BFLOAT16)


def widened(rows: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """The bigram's dimensions, and nothing in the others."""
    wide = torch.zeros(rows.shape[0], HIDDEN, device="cuda", dtype=BFLOAT16)
    wide[:, :BIGRAM] = rows * scale
    return wide


def layer(index: int) -> dict[str, torch.Tensor]:
    """One layer of quiet noise."""
    name, quiet = f"model.layers.{index}.", NOISE / math.sqrt(LAYERS)
    return {
        f"{name}self_attn.q_proj.weight": noise(HEADS * HEAD_DIM, HIDDEN),
        f"{name}self_attn.k_proj.weight": noise(KV_HEADS * HEAD_DIM, HIDDEN),
        f"{name}self_attn.v_proj.weight": noise(KV_HEADS * HEAD_DIM, HIDDEN),
        f"{name}self_attn.o_proj.weight": noise(HIDDEN, HEADS * HEAD_DIM) * quiet,
        f"{name}mlp.gate_proj.weight": noise(MLP, HIDDEN),
        f"{name}mlp.up_proj.weight": noise(MLP, HIDDEN),
        f"{name}mlp.down_proj.weight": noise(HIDDEN, MLP) * quiet,
        f"{name}input_layernorm.weight": torch.ones(HIDDEN, dtype=BFLOAT16),
        f"{name}post_attention_layernorm.weight": torch.ones(HIDDEN, dtype=BFLOAT16),
    }


def make_target(hub: Path) -> None:
    """Write the target, a few layers a file."""
    folder = snapshot(hub, TARGET)
    scaling = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    }
    write_config(folder, architectures=["LlamaForCausalLM"], num_hidden_layers=LAYERS, rope_scaling=scaling)
    write_tokenizer(folder)
    embedding, head = bigram()
    random.manual_seed(1)
    weights = {
        "model.embed_tokens.weight": widened(embedding),
        "lm_head.weight": widened(head, SHARP / math.sqrt(HIDDEN)),
        "model.norm.weight": torch.ones(HIDDEN, dtype=BFLOAT16),
    }
    index: dict[str, str] = {}
    for first in range(0, LAYERS, PER_FILE):
        for number in range(first, first + PER_FILE):
            weights |= layer(number)
        file = f"model-{first:05d}.safetensors"
        save_file({k: v.cpu().contiguous() for k, v in weights.items()}, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(weights, file)
        weights = {}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def make_head(hub: Path) -> None:
    """Write the EAGLE-3 head."""
    folder = snapshot(hub, HEAD)
    write_config(
        folder,
        architectures=["LlamaForCausalLMEagle3"],
        num_hidden_layers=1,
        draft_vocab_size=DRAFTED,
        norm_output=True,
        mlp_bias=False,
    )
    write_tokenizer(folder)
    _, head = bigram()
    random.manual_seed(5)
    zeros = torch.zeros
    query, key = zeros(HEADS * HEAD_DIM, 2 * HIDDEN), zeros(KV_HEADS * HEAD_DIM, 2 * HIDDEN)
    value, output = zeros(KV_HEADS * HEAD_DIM, 2 * HIDDEN), zeros(HIDDEN, HEADS * HEAD_DIM)
    group = HEADS // KV_HEADS
    for d in range(BIGRAM):
        kv_head, place = divmod(d, HEAD_DIM)
        key[d, d] = 1.0
        value[d, d], value[d, HIDDEN + d] = 4.0, -1.0
        output[d, kv_head * group * HEAD_DIM + place] = 1.0
        for member in range(group):
            query[(kv_head * group + member) * HEAD_DIM + place, d] = 1.0
    one = torch.ones(HIDDEN)
    weights = {
        "fc.weight": zeros(HIDDEN, 3 * HIDDEN),
        "norm.weight": one,
        "lm_head.weight": widened(head[:DRAFTED], SHARP / math.sqrt(HIDDEN)),
        "midlayer.hidden_norm.weight": one.clone(),
        "midlayer.input_layernorm.weight": one.clone(),
        "midlayer.post_attention_layernorm.weight": one.clone(),
        "midlayer.self_attn.q_proj.weight": query,
        "midlayer.self_attn.k_proj.weight": key,
        "midlayer.self_attn.v_proj.weight": value,
        "midlayer.self_attn.o_proj.weight": output,
        "midlayer.mlp.gate_proj.weight": noise(MLP, HIDDEN),
        "midlayer.mlp.up_proj.weight": noise(MLP, HIDDEN),
        "midlayer.mlp.down_proj.weight": zeros(HIDDEN, MLP),
    }
    stored = {name: weight.to(BFLOAT16).cpu().contiguous() for name, weight in weights.items()}
    stored["d2t"] = torch.zeros(DRAFTED, dtype=torch.long)
    stored["t2d"] = torch.arange(VOCABULARY) < DRAFTED
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    cache = Path(sys.argv[1]) / "hub"
    make_target(cache)
    make_head(cache)

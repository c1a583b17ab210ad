"""Make a target and two drafts with random weights; run by the real engine's own Python (torch, transformers).

In the target, `o_proj` and `down_proj` of every layer but the first are scaled by 0.02: those layers cost what a layer
costs and change almost nothing. So the first layer alone, with embedding, norm and head copied, is a draft that agrees
with the target at temperature 0. The embeddings have standard deviation 1, the head 0.175, other weights 0.03: measured
to give the top token a clear lead.
"""

import sys
import sysconfig
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 4096
HIDDEN = 1024
LAYERS = 20
QUIET = 0.02
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on the standard library's own sources: text that every machine has."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [str(path) for path in sorted(library.glob("*.py"))[:120]]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train(files, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(seed: int, layers: int) -> LlamaForCausalLM:
    """Random weights; see the module's docstring for the scales."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=2816,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=128,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
        dtype="bfloat16",
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.fill_(1)
            elif "embed" in name:
                weight.normal_(0, 1.0)
            elif "lm_head" in name:
                weight.normal_(0, 0.175)
            else:
                weight.normal_(0, 0.03)
        model.lm_head.weight[:3] = 0
        for layer in list(model.model.layers)[1:]:
            layer.self_attn.o_proj.weight.mul_(QUIET)
            layer.mlp.down_proj.weight.mul_(QUIET)
    return model


def first_layer_of(target: LlamaForCausalLM) -> LlamaForCausalLM:
    """The draft: embedding, first layer, norm and head of the target."""
    draft = make_model(seed=1, layers=1)
    wanted = {name: weight for name, weight in target.state_dict().items() if name in draft.state_dict()}
    draft.load_state_dict(wanted)
    return draft


def main(folder: Path) -> None:
    """Write `target`, `draft` and `mismatched` below a folder."""
    tokenizer = make_tokenizer()
    target = make_model(seed=0, layers=LAYERS)
    for name, model in (
        ("target", target),
        ("draft", first_layer_of(target)),
        ("mismatched", make_model(seed=99, layers=1)),
    ):
        path = folder / name
        path.mkdir(parents=True, exist_ok=True)
        model.to(torch.bfloat16).save_pretrained(path, safe_serialization=True)
        tokenizer.save_pretrained(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

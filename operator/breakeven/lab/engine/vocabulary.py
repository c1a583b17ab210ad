"""Vocabulary sizes by model name, for the one check vLLM makes of a draft against its target."""

import re

_SIZES: tuple[tuple[str, int], ...] = (
    (r"llama-?3", 128256),
    (r"qwen2\.5-(0\.5|1\.5|3)b", 151936),
    (r"qwen2\.5-", 152064),
    (r"qwen3", 151936),
    (r"gemma-2", 256000),
    (r"gemma-3-1b", 262144),
    (r"gemma-3", 262208),
    (r"mistral-7b-instruct-v0\.3|mistral-large|mixtral-8x22b", 32768),
    (r"llama-?2|tinyllama|mixtral-8x7b", 32000),
    (r"deepseek-(v3|r1)$", 129280),
    (r"gpt-oss", 201088),
)
"""First match wins. From the models' own config.json."""


def vocabulary_size(model: str) -> int | None:
    """`vocab_size` of a model known by name; None when it is not known, and then nothing is checked."""
    name = model.lower()
    return next((size for pattern, size in _SIZES if re.search(pattern, name)), None)

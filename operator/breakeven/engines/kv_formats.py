"""How large one element of the KV cache is, by the words of `--kv-cache-dtype`."""

from collections.abc import Mapping
from types import MappingProxyType

_FULL = 2.0
_DS_MLA = 656 / 576
"""Latent attention of DeepSeek V3.2: 512 bytes in FP8, 16 of scales and 64 rotary elements in BF16, for 576 elements
(0.11.1 v1/attention/backends/mla/flashmla_sparse.py)."""
_NVFP4 = 0.5 + 1 / 16
"""Four bits, and one FP8 scale for 16 elements."""

KV_BYTES: Mapping[str, float] = MappingProxyType(
    {
        "auto": _FULL,
        "bfloat16": _FULL,
        "float16": _FULL,
        "fp8": 1.0,
        "fp8_e4m3": 1.0,
        "fp8_e5m2": 1.0,
        "fp8_inc": 1.0,
        "fp8_per_token_head": 1.0,
        "int8_per_token_head": 1.0,
        "int4_per_token_head": 0.5,
        "fp8_ds_mla": _DS_MLA,
        "nvfp4": _NVFP4,
        "nvfp4_4over6": _NVFP4,
    }
)
"""Bytes an element, scales of one number a token and head left out. Formats that are not here mix widths in a way that
their documentation does not state."""


def kv_bytes(dtype: str) -> float | None:
    """Bytes of one cached element; None where it is not known."""
    return KV_BYTES.get(dtype)

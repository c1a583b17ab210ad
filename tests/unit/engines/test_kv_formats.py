"""What one element of the KV cache takes."""

import pytest

from breakeven.engines import kv_bytes, load


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("auto", 2.0), ("fp8", 1.0), ("nvfp4", 0.5625), ("fp8_ds_mla", 656 / 576), ("int4_per_token_head", 0.5)],
)
def test_a_format_whose_layout_is_known_has_a_size(dtype: str, size: float) -> None:
    assert kv_bytes(dtype) == pytest.approx(size)


def test_formats_of_mixed_widths_have_none() -> None:
    unknown = {name for name in load().every_name("kv_cache_dtypes") if kv_bytes(name) is None}

    assert unknown == {
        "nvfp4_ds_mla",
        "turboquant_3bit_nc",
        "turboquant_4bit_nc",
        "turboquant_k3v4_nc",
        "turboquant_k8v4",
        "ultraquant_4bit",
    }

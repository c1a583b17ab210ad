"""Bucket bounds of vLLM's histograms (0.33.0 v1/metrics/buckets.py), and `--custom-histogram-buckets`."""

from collections.abc import Mapping, Sequence

REQUEST_LATENCY = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
TIME_TO_FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
INTER_TOKEN_LATENCY = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0),
)
ITERATION_TOKENS = (1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0)
REQUEST_PARAMS_N = (1.0, 2.0, 5.0, 10.0, 20.0)
REQUEST_NUM_PREEMPTIONS = (1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0)

FAMILIES = (
    *("request_latency", "time_to_first_token", "inter_token_latency", "iteration_tokens"),
    *("request_params_n", "request_num_preemptions", "request_tokens", "kv_cache_residency"),
)
"""Keys that `--custom-histogram-buckets` takes (0.32.0 and newer)."""


def request_tokens(max_model_len: int) -> tuple[float, ...]:
    """1, 2, 5 times the powers of ten up to the longest context, as vLLM builds them."""
    bounds: list[float] = []
    exponent = 0
    while True:
        for mantissa in (1, 2, 5):
            value = mantissa * 10**exponent
            if value > max_model_len:
                return tuple(bounds)
            bounds.append(float(value))
        exponent += 1


def buckets(max_model_len: int, custom: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    """Bounds by family, the customised ones replaced.

    Raises ValueError for a family vLLM does not have or for bounds that do not rise.
    """
    result = {
        "request_latency": REQUEST_LATENCY,
        "time_to_first_token": TIME_TO_FIRST_TOKEN,
        "inter_token_latency": INTER_TOKEN_LATENCY,
        "iteration_tokens": ITERATION_TOKENS,
        "request_params_n": REQUEST_PARAMS_N,
        "request_num_preemptions": REQUEST_NUM_PREEMPTIONS,
        "request_tokens": request_tokens(max_model_len),
    }
    for family, bounds in custom.items():
        if family not in FAMILIES:
            raise ValueError(f"Unknown histogram bucket family '{family}'. Known families: {', '.join(FAMILIES)}")
        values = tuple(float(bound) for bound in bounds)
        if not values or list(values) != sorted(set(values)):
            raise ValueError(f"custom histogram buckets for '{family}' must be non-empty and strictly increasing")
        result[family] = values
    return result

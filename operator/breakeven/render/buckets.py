"""Histogram bounds fine enough for P50 and P99, the same on every variant.

vLLM's own bounds start at 10 ms and are 5 to 25 ms wide, so a true P50 of 22 → 14 ms and P99 of 31 → 36 ms reads as no
change at all. Steps of 18 % put both within 9 % of their value. The per-request time per output token shares the family
of the inter-token latency. Bounds of `spec.objective` are added, so that the share of requests within them is counted
and not guessed.
"""

import json
from decimal import Decimal

from breakeven.api.objective import HistogramBounds

_TPOT_STEP, _TPOT_FIRST_S, _TPOT_COUNT = 1.18, 0.002, 28
_TPOT_TAIL_S = (0.25, 0.5, 1.0, 2.5, 10.0)
_TTFT_STEP, _TTFT_FIRST_S, _TTFT_COUNT = 1.3, 0.005, 37
_TTFT_TAIL_S = (160.0, 640.0)


def _geometric(first: float, step: float, count: int) -> tuple[float, ...]:
    return tuple(float(f"{first * step**i:.3g}") for i in range(count))


INTER_TOKEN_LATENCY_S = _geometric(_TPOT_FIRST_S, _TPOT_STEP, _TPOT_COUNT) + _TPOT_TAIL_S
"""2 ms to 175 ms in steps of 18 %, then a coarse tail: 33 bounds, in seconds."""
TIME_TO_FIRST_TOKEN_S = _geometric(_TTFT_FIRST_S, _TTFT_STEP, _TTFT_COUNT) + _TTFT_TAIL_S
"""5 ms to 63 s in steps of 30 %, then a coarse tail: 39 bounds, in seconds."""


def custom_histogram_buckets(bounds: HistogramBounds | None = None) -> str:
    """Value of `--custom-histogram-buckets`, with the bounds of an objective among the usual ones."""
    tpot, ttft = (bounds.tpot, bounds.ttft) if bounds is not None else (None, None)
    return json.dumps(
        {
            "inter_token_latency": _with(INTER_TOKEN_LATENCY_S, tpot),
            "time_to_first_token": _with(TIME_TO_FIRST_TOKEN_S, ttft),
        },
        separators=(",", ":"),
    )


def _with(usual: tuple[float, ...], bound: Decimal | None) -> tuple[float, ...]:
    return usual if bound is None else tuple(sorted({*usual, float(bound)}))

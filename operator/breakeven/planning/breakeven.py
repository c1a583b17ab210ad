"""The exact relation between vLLM's counters, step-time inflation and speed-up, and the lengths papers speak of.

Symbols: k drafted tokens a step; E tokens emitted per request and step, bonus included; r accepted / drafted; R time
of a
speculating step / time of a plain step at the same load; S = E / R the speed-up of decoding. S = 1 where r = (R - 1)
/ k: neither independence of positions nor a constant acceptance is assumed.
"""

import math


def tokens_per_step(ratio: float, k: int) -> float:
    """E from accepted / drafted: 1 + k·r."""
    return 1.0 + k * ratio


def accepted_per_drafted(tokens: float, k: int) -> float:
    """r from E: (E - 1) / k."""
    return (tokens - 1.0) / k


def inflation(*, verify: float, draft: float, k: int, host: float = 0.0) -> float:
    """R = v + k·c + o, each in plain steps: verification, one drafted token, extra host time."""
    return verify + k * draft + host


def break_even_ratio(step_inflation: float, k: int) -> float:
    """The accepted / drafted at which speculation changes nothing; above 1 no acceptance is enough."""
    return (step_inflation - 1.0) / k


def expected_tokens(alpha: float, k: int) -> float:
    """E when every position is accepted with probability alpha given the ones before: (1 - α^(k+1)) / (1 - α)."""
    return math.fsum(alpha**i for i in range(k + 1))


def alpha_for(tokens: float, k: int) -> float | None:
    """The constant conditional acceptance that emits this many tokens a step; None when k + 1 is less than that."""
    if tokens > k + 1:
        return None
    low, high = 0.0, 1.0
    if tokens <= 1.0:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if expected_tokens(middle, k) < tokens:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def speedup(tokens: float, step_inflation: float) -> float:
    """S = E / R."""
    return tokens / step_inflation


def best_length(survival: tuple[float, ...], inflations: tuple[float, ...]) -> int:
    """The k from 1 with the largest E(k) / R(k), the shorter one on a tie; 0 when none exceeds 1.

    `survival[i]` is the share of drafts accepted up to position i + 1, `inflations[i]` the R of k = i + 1.
    """
    best, best_speedup = 0, 1.0
    total = 1.0
    for index, (share, step) in enumerate(zip(survival, inflations, strict=True)):
        total += share
        if total / step > best_speedup:
            best, best_speedup = index + 1, total / step
    return best

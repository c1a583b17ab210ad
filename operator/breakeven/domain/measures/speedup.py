"""The speed-up S of decoding: time per output token without speculation over that with it, with bounds.

Time per output token is taken from counters, never from latency quantiles: the sum of inter-token latency over the
tokens emitted after the first of each request. It is token-weighted, exact, needs no buckets, and stays right whether
an engine observes inter-token latency per step (vLLM up to 0.33) or per token. A V0 engine that speculates is measured
by its finished requests instead: the time from their first token to their last over the tokens after the first.
"""

import math
from collections.abc import Sequence

from breakeven.domain.counters.observation import Batch, Totals
from breakeven.domain.measures.correlation import correlation
from breakeven.domain.measures.statistics import LogRatio, Ratios, grouped, quotient_apart, quotient_paired, ratio

GROUPS = 10
"""Batches a window is judged in, however long it is."""


def decode_tokens(totals: Totals) -> float | None:
    """Tokens emitted after the first one of each request. None when a counter is absent."""
    return totals.decode_tokens


def tpot_series(batches: Sequence[Batch]) -> Ratios | None:
    """Seconds of decoding and decoded tokens, batch by batch. None when a counter is absent in any batch."""
    seconds = [batch.totals.decode_seconds for batch in batches]
    tokens = [decode_tokens(batch.totals) for batch in batches]
    if any(s is None for s in seconds) or any(t is None for t in tokens):
        return None
    return Ratios(tuple(s for s in seconds if s is not None), tuple(t for t in tokens if t is not None))


def tpot(batches: Sequence[Batch], groups: int = GROUPS) -> LogRatio | None:
    """Seconds per output token of one arm. None when it cannot be determined."""
    series = tpot_series(batches)
    return ratio(grouped(series, groups)) if series is not None else None


def pace(batches: Sequence[Batch]) -> dict[float, float]:
    """Logarithm of the time per output token by the beginning of each batch that has one."""
    found = {}
    for batch in batches:
        seconds, tokens = batch.totals.decode_seconds, decode_tokens(batch.totals)
        if seconds and tokens and 0 < seconds / tokens < math.inf:
            found[batch.start] = math.log(seconds / tokens)
    return found


def hanging_together(on: Sequence[Batch], off: Sequence[Batch] | None) -> float:
    """Correlation of neighbouring batches: of the ratio of both arms, or of one where a stored figure is the other."""
    ours = pace(on)
    if off is None:
        return correlation(list(ours.values()))
    theirs = pace(off)
    return correlation([log - theirs[start] for start, log in ours.items() if start in theirs])


def speedup(off: Sequence[Batch], on: Sequence[Batch], groups: int = GROUPS) -> LogRatio | None:
    """S = TPOT(off) / TPOT(on).

    Batches of both arms that begin at the same time are compared pair by pair and the others are left out; when fewer
    than half of them pair, the arms count as measured at different times (before and after).
    None when there is too little to tell, or a counter is absent.
    """
    theirs = {batch.start: batch for batch in on}
    both = [(batch, theirs[batch.start]) for batch in off if batch.start in theirs]
    if 2 * len(both) >= max(len(off), len(on)):
        first = tpot_series([pair[0] for pair in both])
        second = tpot_series([pair[1] for pair in both])
        if first is None or second is None:
            return None
        return quotient_paired(grouped(first, groups), grouped(second, groups))
    before, after = tpot(off, groups), tpot(on, groups)
    if before is None or after is None:
        return None
    return quotient_apart(before, after)

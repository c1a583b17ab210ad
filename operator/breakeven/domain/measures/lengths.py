"""Whether both arms serve the same kind of requests: mean prompt and output lengths, with bounds.

Pods behind one Service get the same mix, so mean lengths differ by chance only, and the spread between batches says how
much that is. Arms that differ by more are not compared: time per token depends on the length of the context, and
acceptance on what is asked. Time per token is a ratio within each arm, so a moderate difference does little harm: it is
said beside the figures.
"""

import math
from collections.abc import Callable, Sequence

from breakeven.domain.counters.observation import Batch, Totals
from breakeven.domain.measures.speedup import GROUPS
from breakeven.domain.measures.statistics import Ratios, grouped, quotient_paired

APART = 2.0
"""Mean lengths whose ratio is shown to lie beyond this, or below its inverse, are those of other traffic."""
SAID = 1.25
"""Mean lengths whose ratio is shown to lie beyond this are worth a word."""
CHANCE = 2.4
"""Three standard deviations of the logarithm of one request's length: 0.8, as published traces have it. The bound is
wider by so much where there are too few batches to tell chance from their spread."""


def drift(off: Sequence[Batch], on: Sequence[Batch], *, beyond: float = APART) -> str:
    """Which mean length differs by a larger factor between the arms, in words without moving figures; empty: none."""
    theirs = {batch.start: batch for batch in off}
    both = [(theirs[batch.start], batch) for batch in on if batch.start in theirs]
    for name, tokens in (("prompts", _prompts), ("outputs", _outputs)):
        first, second = (_series([pair[side] for pair in both], tokens) for side in (1, 0))
        if first is None or second is None:
            continue
        found = quotient_paired(first, second)
        if found is not None:
            low, high, bound, longer = found.lower(), found.upper(), beyond, found.value > 1
        else:  # too few batches for bounds, as in the run that raises the alarm
            low = high = plain(first) / plain(second) if plain(second) > 0 else 1.0
            bound, longer = beyond * math.exp(CHANCE * _chance(first, second)), low > 1
        if low > bound or high < 1 / bound:
            words = "longer" if longer else "shorter"
            factor = f"by a factor above {beyond:g}"
            return f"{name} of the speculating or new arm are {words} than those of its control, {factor}"
    return ""


def _chance(first: Ratios, second: Ratios) -> float:
    """Standard deviation of the logarithm of two mean lengths' ratio, when one request has 1."""
    return math.sqrt(math.fsum(1 / max(1.0, math.fsum(series.under)) for series in (first, second)))


def plain(series: Ratios) -> float:
    """Sum over sum; 1 when there is nothing to divide by."""
    over, under = math.fsum(series.over), math.fsum(series.under)
    return over / under if under > 0 else 1.0


def _series(batches: Sequence[Batch], tokens: Callable[[Totals], float | None]) -> Ratios | None:
    """Tokens and requests, batch by batch; None when a counter is absent in any."""
    over = [tokens(batch.totals) for batch in batches]
    under = [batch.totals.first_tokens for batch in batches]
    if not batches or any(value is None for value in (*over, *under)):
        return None
    return grouped(Ratios(tuple(v for v in over if v is not None), tuple(v for v in under if v is not None)), GROUPS)


def _prompts(totals: Totals) -> float | None:
    return totals.prompt_tokens


def _outputs(totals: Totals) -> float | None:
    return totals.emitted_tokens

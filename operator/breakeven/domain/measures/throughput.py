"""Output tokens per second of a replica, with speculation over without, where it is a replica that limits them.

A replica that has no queue serves what comes, so its rate is the load and says nothing about what it could do. One on
which requests wait serves as much as it can. With one such arm the ratio of the rates is a bound on the ratio of what
both could do, on the side that matters: an arm that queues beside one that does not can do less.
"""

from collections.abc import Sequence
from statistics import fmean

from breakeven.domain.counters.observation import Batch
from breakeven.domain.measures import queues
from breakeven.domain.measures.speedup import GROUPS
from breakeven.domain.measures.statistics import LogRatio, Ratios, grouped, quotient_paired


def throughput(off: Sequence[Batch], on: Sequence[Batch]) -> LogRatio | None:
    """Tokens per second and replica, on over off. None: no requests wait in either arm, or a counter is absent."""
    theirs = {batch.start: batch for batch in off}
    both = [(theirs[batch.start], batch) for batch in on if batch.start in theirs]
    if not both or 2 * len(both) < max(len(off), len(on)) or not (queued(off) or queued(on)):
        return None
    without, with_draft = (_rate([pair[side] for pair in both]) for side in (0, 1))
    return quotient_paired(with_draft, without) if without is not None and with_draft is not None else None


def queued(batches: Sequence[Batch]) -> bool:
    """Whether requests wait on the mean replica, more of them than come and go by chance."""
    waiting = [b.gauges.waiting for b in batches if b.gauges.waiting is not None]
    running = [b.gauges.running for b in batches if b.gauges.running is not None]
    return bool(waiting and running) and fmean(waiting) > queues.bound(fmean(running))


def _rate(batches: Sequence[Batch]) -> Ratios | None:
    tokens = [batch.totals.emitted_tokens for batch in batches]
    known = [each for each in tokens if each is not None]
    if len(known) < len(tokens):
        return None
    return grouped(Ratios(tuple(known), tuple(b.replicas * (b.end - b.start) for b in batches)), GROUPS)

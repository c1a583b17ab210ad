"""The speed-up from request to last token, which is what a user waits for, with bounds.

    S_e2e = (TTFT_off + L * TPOT_off) / (TTFT_on + L * TPOT_on)

TTFT and TPOT are means from sums, exact and without buckets; L is the mean number of decoded tokens of a request over
both arms, so that arms whose requests differ in length by chance are asked the same question. The mean of the engine's
own histogram of whole requests would not do: it counts a request when it ends, with the length that it happened to
have. A request that waits for room in the cache shows in TTFT and one that is preempted in TPOT, so both are in it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.domain.counters.observation import Batch
from breakeven.domain.measures.points import Point, Traffic, point
from breakeven.domain.measures.speedup import GROUPS
from breakeven.domain.measures.statistics import FEWEST_BATCHES, LogRatio, Ratios, grouped


@dataclass(frozen=True, slots=True)
class _Arm:
    """Sums of one arm, group by group."""

    first: Ratios
    """Seconds to first tokens, and how many those were."""
    decoding: Ratios
    """Seconds of decoding, and decoded tokens."""
    requests: tuple[float, ...]
    """Requests that made those tokens."""

    @property
    def tokens(self) -> float:
        return math.fsum(self.decoding.under)

    @property
    def ttft(self) -> float:
        return math.fsum(self.first.over) / math.fsum(self.first.under)

    @property
    def tpot(self) -> float:
        return math.fsum(self.decoding.over) / self.tokens

    @property
    def length(self) -> float:
        """Decoded tokens of a request."""
        return self.tokens / math.fsum(self.requests)

    @property
    def whole(self) -> bool:
        """Whether every mean is defined."""
        sums = (self.first.under, self.first.over, self.decoding.under, self.decoding.over, self.requests)
        return all(0 < math.fsum(each) < math.inf for each in sums)

    def scores(self, length: float) -> list[float]:
        """Each group's push on the logarithm of the time to the last token of a request of this length."""
        t, p = self.ttft, self.tpot
        requests, whole = math.fsum(self.first.under), t + length * p
        first = [(a - t * n) / requests for a, n in zip(self.first.over, self.first.under, strict=True)]
        rest = [(a - p * n) / self.tokens for a, n in zip(self.decoding.over, self.decoding.under, strict=True)]
        return [(a + length * b) / whole for a, b in zip(first, rest, strict=True)]


def end_to_end(off: Sequence[Batch], on: Sequence[Batch], groups: int = GROUPS) -> LogRatio | None:
    """S_e2e of arms that serve side by side. None: a counter is absent, too little is there, or few batches pair."""
    pairs = _paired(off, on)
    if 2 * len(pairs) < max(len(off), len(on)):
        return None
    without, with_draft = (_arm([pair[side] for pair in pairs], groups) for side in (0, 1))
    if without is None or with_draft is None or len(without.requests) < FEWEST_BATCHES:
        return None
    tokens = [a + b for a, b in zip(without.decoding.under, with_draft.decoding.under, strict=True)]
    requests = [a + b for a, b in zip(without.requests, with_draft.requests, strict=True)]
    length = math.fsum(tokens) / math.fsum(requests)
    theirs, ours = (arm.ttft + length * arm.tpot for arm in (without, with_draft))
    # L is measured too: it weighs the two means, and does so alike in both arms but for this much.
    slope = (without.tpot / theirs - with_draft.tpot / ours) / math.fsum(requests)
    scores = [
        a - b + slope * (m - length * n)
        for a, b, m, n in zip(without.scores(length), with_draft.scores(length), tokens, requests, strict=True)
    ]
    error = math.sqrt(math.fsum(s * s for s in scores) * len(scores) / (len(scores) - 1))
    return LogRatio(value=theirs / ours, error=error, freedom=len(scores) - 1)


def plain(off: Sequence[Batch], on: Sequence[Batch]) -> float | None:
    """The same without bounds, of arms that need not be measured in the same batches; None: a counter is absent."""
    without, with_draft = _arm(off, 1), _arm(on, 1)
    if without is None or with_draft is None:
        return None
    requests = math.fsum(without.requests) + math.fsum(with_draft.requests)
    length = (without.tokens + with_draft.tokens) / requests
    return (without.ttft + length * without.tpot) / (with_draft.ttft + length * with_draft.tpot)


def mean_seconds(batches: Sequence[Batch]) -> float | None:
    """Mean time of one arm's requests from request to last token; None when a counter is absent."""
    arm = _arm(batches, GROUPS)
    return None if arm is None else arm.ttft + arm.length * arm.tpot


def points(off: Sequence[Batch], on: Sequence[Batch]) -> list[Point]:
    """Batch by batch, the time to the last token with speculation over that without."""
    arm = _arm(on, GROUPS)
    if arm is None:
        return []
    found = []
    for theirs, ours in _paired(off, on):
        a, b = (_whole(batch, arm.length) for batch in (ours, theirs))
        made = point(ours.start, ours.end, a, b) if a is not None and b is not None else None
        if made is not None:
            found.append(made)
    return found


def _whole(batch: Batch, length: float) -> Traffic | None:
    """Requests, tokens, and the seconds that these would take to the last one at this length of a request."""
    seconds, totals = _seconds(batch, length), batch.totals
    if seconds is None or totals.first_tokens is None or totals.decode_tokens is None:
        return None
    return totals.first_tokens, totals.decode_tokens, totals.decode_tokens * seconds


def _seconds(batch: Batch, length: float) -> float | None:
    """Time to the last token of a request of this length, in one batch."""
    totals = batch.totals
    first, tokens = totals.first_tokens, totals.decode_tokens
    if not first or not tokens or totals.ttft_seconds is None or totals.decode_seconds is None:
        return None
    return totals.ttft_seconds / first + length * totals.decode_seconds / tokens


def _paired(off: Sequence[Batch], on: Sequence[Batch]) -> list[tuple[Batch, Batch]]:
    theirs = {batch.start: batch for batch in off}
    return [(theirs[batch.start], batch) for batch in on if batch.start in theirs]


def _arm(batches: Sequence[Batch], groups: int) -> _Arm | None:
    rows = []
    for batch in batches:
        totals = batch.totals
        row = (
            totals.ttft_seconds,
            totals.first_tokens,
            totals.decode_seconds,
            totals.decode_tokens,
            totals.decoded_requests,
        )
        known = [value for value in row if value is not None]
        if len(known) < len(row):
            return None
        rows.append(known)
    if not rows:
        return None
    ttft, first, seconds, tokens, requests = (tuple(column) for column in zip(*rows, strict=True))
    arm = _Arm(
        grouped(Ratios(ttft, first), groups),
        grouped(Ratios(seconds, tokens), groups),
        grouped(Ratios(requests, requests), groups).over,
    )
    return arm if arm.whole else None

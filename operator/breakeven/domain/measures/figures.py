"""Figures of two arms for people: rounded, in milliseconds, absent where they could not be measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from breakeven.api.status import EvidenceStatus, Source
from breakeven.domain.counters.observation import Batch, Totals
from breakeven.domain.measures.speedup import decode_tokens
from breakeven.domain.measures.statistics import LogRatio

DIGITS = 4
"""Significant digits reported: more would change with every window and say nothing."""
LARGEST = 1e9


def rounded(value: float | None, digits: int = DIGITS) -> Decimal | None:
    """A number with so many significant digits; None stays None, and so does what no decimal can hold."""
    if value is None or not math.isfinite(value) or abs(value) >= LARGEST:
        return None
    if value == 0:
        return Decimal(0)
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return Decimal(f"{value:.{min(9, max(0, places))}f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the batches of one arm add up to. None where a counter was absent in any of them."""

    tokens: float | None
    """Decoded tokens: all but the first of each request."""
    steps: float | None
    seconds: float | None
    drafts: float | None
    drafted: float | None
    accepted: float | None
    v0_emitted: float | None
    finished: float | None
    failed: float | None
    length: float
    """Seconds covered."""
    replicas: float
    """Mean replicas."""

    @property
    def tpot(self) -> float | None:
        """Seconds per output token."""
        return _over(self.seconds, self.tokens)

    @property
    def acceptance(self) -> float | None:
        """Accepted / drafted."""
        return _over(self.accepted, self.drafted)

    @property
    def draft_length(self) -> float | None:
        """Drafted tokens per drafting step."""
        return _over(self.drafted, self.drafts)

    @property
    def counts_per_token(self) -> bool:
        """Whether this engine observes inter-token latency per token and not per step.

        Then tokens per observation is 1 although drafts are accepted, and step times cannot be told.
        """
        observed, accepted = _over(self.tokens, self.steps), _over(self.accepted, self.steps)
        return observed is not None and accepted is not None and accepted > 0.1 and observed < 1 + accepted / 2

    @property
    def tokens_per_step(self) -> float | None:
        """E: tokens emitted per request and step, undrafted steps included."""
        if self.counts_per_token:
            ratio = _over(self.accepted, self.drafts)
            return None if ratio is None else 1 + ratio
        return _over(self.tokens, self.steps)

    @property
    def step_seconds(self) -> float | None:
        """Mean time of one step as a request sees it."""
        return None if self.counts_per_token else _over(self.seconds, self.steps)

    @property
    def load(self) -> float | None:
        """Output tokens per second and replica."""
        if self.tokens is None or self.length <= 0 or self.replicas <= 0:
            return None
        return self.tokens / self.length / self.replicas


def sums(batches: Sequence[Batch]) -> Sums:
    """Add up one arm."""
    length = math.fsum(b.end - b.start for b in batches)
    return Sums(
        tokens=_sum([decode_tokens(b.totals) for b in batches]),
        steps=_sum([b.totals.decode_steps for b in batches]),
        seconds=_sum([b.totals.decode_seconds for b in batches]),
        drafts=_sum([b.totals.drafts for b in batches]),
        drafted=_sum([b.totals.drafted for b in batches]),
        accepted=_sum([b.totals.accepted for b in batches]),
        v0_emitted=_sum([b.totals.v0_emitted for b in batches]),
        finished=_sum([_finished(b.totals) for b in batches]),
        failed=_sum([b.totals.failed for b in batches]),
        length=length,
        replicas=math.fsum(b.replicas * (b.end - b.start) for b in batches) / length if length > 0 else 0.0,
    )


def figures(
    off: Sums | None,
    on: Sums | None,
    speedup: LogRatio | None,
    *,
    source: Source | None,
    verdict: str,
    until: float | None,
    message: str,
) -> EvidenceStatus:
    """What is reported about two arms; either may be unknown."""
    inflation = _over(on.step_seconds if on else None, off.step_seconds if off else None)
    length = on.draft_length if on else None
    break_even = None if inflation is None or not length else (inflation - 1) / length
    return EvidenceStatus(
        source=source,
        verdict=verdict,
        speedup=rounded(speedup.value) if speedup else None,
        speedup_lower=rounded(speedup.lower()) if speedup else None,
        speedup_upper=rounded(speedup.upper()) if speedup else None,
        tokens_per_step=rounded(on.tokens_per_step if on else None),
        inflation=rounded(inflation),
        acceptance=rounded(on.acceptance if on else None),
        break_even_acceptance=rounded(break_even),
        tpot_off_ms=rounded(_ms(off.tpot if off else None)),
        tpot_on_ms=rounded(_ms(on.tpot if on else None)),
        requests=_requests(off, on),
        load=rounded(on.load if on else None, 3),
        replicas_saved=rounded(_saved(on, speedup.value if speedup else None), 3),
        replicas_saved_lower=rounded(_saved(on, speedup.lower() if speedup else None), 3),
        control_cost_tokens_per_day=rounded(_control_cost(off, speedup), 3),
        window_end=None if until is None else datetime.fromtimestamp(until, UTC).replace(microsecond=0),
        message=message,
    )


def _requests(off: Sums | None, on: Sums | None) -> int | None:
    counts = [arm.finished for arm in (off, on) if arm is not None]
    if not counts or any(count is None for count in counts):
        return None
    return round(min(count for count in counts if count is not None))


def _saved(on: Sums | None, speedup: float | None) -> float | None:
    return None if on is None or speedup is None else on.replicas * (speedup - 1)


def _control_cost(off: Sums | None, speedup: LogRatio | None) -> float | None:
    if off is None or off.load is None or speedup is None:
        return None
    return max(0.0, off.load * off.replicas * (speedup.value - 1)) * 86400


def _finished(totals: Totals) -> float | None:
    return totals.finished if totals.finished is not None else totals.first_tokens


def _sum(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return math.fsum(present) if present and len(present) == len(values) else None


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None or b <= 0 else a / b


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def inflation_of(off: Sums | None, on: Sums | None) -> float | None:
    """R: step time with speculation over that without; None when either is unknown."""
    if off is None or on is None or not off.step_seconds or not on.step_seconds:
        return None
    return on.step_seconds / off.step_seconds

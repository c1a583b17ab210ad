"""The one estimator: figures of an arm, and of two arms side by side, from the increase of the counters.

What cannot be determined is None. Formulas and the meaning of each counter: docs/metrics.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from breakeven.api.status import EvidenceStatus, Source
from breakeven.domain.counters.observation import Batch, Buckets, Gauges, Totals
from breakeven.domain.measures.latency import quantile_of
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


MORE_TOKENS = 1.05
"""Emitted tokens may pass steps + accepted tokens by this factor before they contradict each other: counters of one
scrape are not read at one instant."""
NO_DRAFT_COUNTERS = "no speculation counters: speculation is off, or the engine does not export them"
NO_ACCEPTANCE_ON_V0 = "a V0 engine adds running totals to its draft counters, so they cannot be used"
NO_LENGTHS_ON_V0 = (
    "a V0 engine that speculates counts one token a step, whatever it emits, and its request_generation_tokens or "
    "request_decode_time_seconds (0.6.6 and newer) is missing"
)
TOO_MANY_TOKENS = (
    "there are more tokens than steps and accepted drafts explain: this is no vLLM, its draft counters are missing, or "
    "a counter is counted twice"
)
LEAST_ACCEPTED = 0.1
"""Accepted tokens a step below which both readings of inter-token latency give nearly the same."""


class StepMeaning(StrEnum):
    """What one observation of inter-token latency is."""

    PER_STEP = "PerStep"
    """One request, one engine step with output: every release up to 0.33.0."""
    PER_TOKEN = "PerToken"
    """One token: proposed upstream. Then steps cannot be counted."""
    UNKNOWN = "Unknown"
    """Nothing was accepted, so both readings give the same."""


def step_meaning(tokens: float | None, steps: float | None, accepted: float | None) -> StepMeaning:
    """Tell per-step from per-token observations: tokens a step should be 1 + accepted / steps, and are 1 when counted.

    Accepted tokens that `max_tokens` cut off make the first smaller than the second, hence half of them is enough.
    """
    observed, gained = _over(tokens, steps), _over(accepted, steps)
    if observed is None or gained is None or gained <= LEAST_ACCEPTED:
        return StepMeaning.UNKNOWN
    return StepMeaning.PER_TOKEN if observed < 1 + gained / 2 else StepMeaning.PER_STEP


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
    preemptions: float | None = None
    prefix_queries: float | None = None
    prefix_hits: float | None = None
    kv_usage: float | None = None
    """Highest share of the KV cache in use on any replica."""
    waiting: float | None = None
    """Mean requests that wait on a replica."""

    @property
    def prefix_hit_rate(self) -> float | None:
        """Share of the prompt tokens looked up that the prefix cache had."""
        return _over(self.prefix_hits, self.prefix_queries)

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

        Then tokens per observation is 1 although drafts are accepted, and step times cannot be determined.
        """
        return self.step_meaning is StepMeaning.PER_TOKEN

    @property
    def step_meaning(self) -> StepMeaning:
        """What one observation of inter-token latency is on this engine."""
        return step_meaning(self.tokens, self.steps, self.accepted)

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
        preemptions=_sum([b.totals.preemptions for b in batches]),
        prefix_queries=_sum([b.totals.prefix_queries for b in batches]),
        prefix_hits=_sum([b.totals.prefix_hits for b in batches]),
        kv_usage=max((b.gauges.kv_usage for b in batches if b.gauges.kv_usage is not None), default=None),
        waiting=_over(_sum([b.gauges.waiting for b in batches]), len(batches)),
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
        kv_usage_off=rounded(off.kv_usage if off else None, 3),
        kv_usage_on=rounded(on.kv_usage if on else None, 3),
        prefix_hit_rate_off=rounded(off.prefix_hit_rate if off else None, 3),
        prefix_hit_rate_on=rounded(on.prefix_hit_rate if on else None, 3),
        preemptions_off=_whole(off.preemptions if off else None),
        preemptions_on=_whole(on.preemptions if on else None),
        waiting_off=rounded(off.waiting if off else None, 3),
        waiting_on=rounded(on.waiting if on else None, 3),
        requests=_requests(off, on),
        load=rounded(on.load if on else None, 3),
        replicas_saved=rounded(_saved(on, speedup.value if speedup else None), 3),
        replicas_saved_lower=rounded(_saved(on, speedup.lower() if speedup else None), 3),
        control_cost_tokens_per_day=rounded(_control_cost(off, speedup), 3),
        window_end=None if until is None else datetime.fromtimestamp(until, UTC).replace(microsecond=0),
        message=message,
    )


def _whole(count: float | None) -> int | None:
    """A count as the status may hold it; None where it is unknown, or more than any engine can have counted."""
    return round(count) if count is not None and 0 <= count < LARGEST else None


def _requests(off: Sums | None, on: Sums | None) -> int | None:
    counts = [arm.finished for arm in (off, on) if arm is not None]
    if not counts or any(count is None for count in counts):
        return None
    return _whole(min(count for count in counts if count is not None))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Figures of one arm over one interval. Times in seconds."""

    acceptance: float | None = None
    """Accepted / drafted tokens."""
    survival: tuple[float, ...] = ()
    """Share of drafts that accepted at least position i + 1."""
    conditional: tuple[float | None, ...] = ()
    """Share accepted at position i + 1 of the drafts accepted up to i."""
    draft_length: float | None = None
    """Drafted tokens per draft."""
    tokens_per_step: float | None = None
    """E: tokens emitted per request and step, the first token of each request left out."""
    step: float | None = None
    """Mean time of a step, as a request sees it."""
    tpot: float | None = None
    """Mean time per output token, weighted by tokens."""
    request_tpot: float | None = None
    """Mean over finished requests of their own mean time per output token."""
    ttft: float | None = None
    """Mean time to first token."""
    ttft_p50: float | None = None
    ttft_p95: float | None = None
    tpot_p50: float | None = None
    tpot_p99: float | None = None
    step_meaning: StepMeaning = StepMeaning.UNKNOWN
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is None, by its name here."""


class _Figures:
    """Collects figures and the reasons of those that are missing."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.absent: dict[str, str] = {}

    def ratio(self, name: str, over: float | None, under: float | None, missing: str, none: str) -> None:
        if over is None or under is None:
            self.absent[name] = missing
        elif under <= 0:
            self.absent[name] = none
        else:
            self.values[name] = over / under

    def drop(self, *names: str, why: str) -> None:
        for name in names:
            self.values.pop(name, None)
            self.absent[name] = why

    def quantile(self, name: str, buckets: Buckets, q: float) -> None:
        value, why = quantile_of(buckets, q)
        if value is None:
            self.absent[name] = why
        else:
            self.values[name] = value


def emits_too_much(totals: Totals) -> bool:
    """Whether a step gave more than its one token and the drafts accepted in it, which no vLLM does."""
    tokens, steps = totals.decode_tokens, totals.steps
    if totals.drafts_on_v0 or not tokens or not steps:
        return False
    return tokens > MORE_TOKENS * (steps + (totals.accepted or 0.0))


def estimate(totals: Totals) -> Estimate:
    """All figures that the increase of the counters gives, by the same formulas as `sums`. Never raises."""
    t, f = totals, _Figures()
    summed = sums((Batch(start=0.0, end=0.0, totals=totals, gauges=Gauges(), replicas=1),))
    no_spec = NO_ACCEPTANCE_ON_V0 if t.drafts_on_v0 else NO_DRAFT_COUNTERS
    f.ratio("acceptance", summed.accepted, summed.drafted, no_spec, "nothing was drafted")
    f.ratio("draft_length", summed.drafted, summed.drafts, no_spec, "nothing was drafted")
    no_itl = NO_LENGTHS_ON_V0 if t.drafts_on_v0 else "inter-token latency or the token counters are missing"
    none = "no request finished" if t.drafts_on_v0 else "no tokens after the first were emitted"
    f.ratio("tpot", summed.seconds, summed.tokens, no_itl, none)
    if summed.counts_per_token:
        f.ratio("tokens_per_step", summed.tokens_per_step, 1.0, "drafting steps are not counted", "")
        f.absent["step"] = "inter-token latency counts tokens on this engine, not steps"
    else:
        f.ratio("tokens_per_step", summed.tokens, summed.steps, no_itl, "no step gave output")
        f.ratio("step", summed.seconds, summed.steps, no_itl, "no step gave output")
    missing = "request time per output token is exported from 0.11.0 on"
    f.ratio("request_tpot", t.finished_tpot_seconds, t.finished_tpot_count, missing, "no request finished")
    f.ratio("ttft", t.ttft_seconds, t.first_tokens, "time to first token is missing", "no request had a first token")
    if emits_too_much(t):
        f.drop("tokens_per_step", "step", "tpot", why=TOO_MANY_TOKENS)
    f.quantile("ttft_p50", t.ttft_buckets, 0.50)
    f.quantile("ttft_p95", t.ttft_buckets, 0.95)
    f.quantile("tpot_p50", t.tpot_buckets, 0.50)
    f.quantile("tpot_p99", t.tpot_buckets, 0.99)
    survival = _survival(t)
    if not survival:
        f.absent["survival"] = no_spec if t.drafted is None else "no counters by position, or nothing was drafted"
    return Estimate(
        **f.values,
        survival=survival,
        conditional=_conditional(survival),
        step_meaning=summed.step_meaning,
        absent=f.absent,
    )


def _survival(totals: Totals) -> tuple[float, ...]:
    if not totals.drafts or not totals.accepted_at:
        return ()
    return tuple(at / totals.drafts for at in totals.accepted_at)


def _conditional(survival: tuple[float, ...]) -> tuple[float | None, ...]:
    before = (1.0, *survival)
    return tuple(s / b if b > 0 else None for s, b in zip(survival, before, strict=False))

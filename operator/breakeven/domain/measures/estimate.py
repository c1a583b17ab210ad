"""Point estimates from the increase of the counters. What cannot be told is None, with the reason beside it.

Formulas and the meaning of each counter: docs/metrics.md. Bounds are not made here but in `domain.statistics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from breakeven.domain.counters.observation import Buckets, Totals

RESOLUTION = 0.30
"""Widest bucket, as a share of the quantile that falls into it, from which a quantile is read. vLLM's default bounds
are wider than this below 40 ms per token."""

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


class StepMeaning(StrEnum):
    """What one observation of inter-token latency is."""

    PER_STEP = "PerStep"
    """One request, one engine step with output: every release up to 0.33.0."""
    PER_TOKEN = "PerToken"
    """One token: proposed upstream. Then steps cannot be counted."""
    UNKNOWN = "Unknown"
    """Nothing was accepted, so both readings give the same."""


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


def step_meaning(totals: Totals) -> StepMeaning:
    """Tell per-step from per-token observations: E should be 1 + accepted / steps, and is 1 when tokens are counted.

    Accepted tokens that `max_tokens` cut off make the left side smaller than the right one, hence the quarter.
    """
    tokens, steps, accepted = totals.decode_tokens, totals.decode_steps, totals.accepted
    if tokens is None or not steps or not accepted or accepted / steps < 0.05:
        return StepMeaning.UNKNOWN
    gained = tokens / steps - 1.0
    return StepMeaning.PER_STEP if gained > 0.25 * accepted / steps else StepMeaning.PER_TOKEN


def emits_too_much(totals: Totals) -> bool:
    """Whether a step gave more than its one token and the drafts accepted in it, which no vLLM does."""
    tokens, steps = totals.decode_tokens, totals.steps
    if totals.drafts_on_v0 or not tokens or not steps:
        return False
    return tokens > MORE_TOKENS * (steps + (totals.accepted or 0.0))


def quantile(buckets: Buckets, q: float) -> tuple[float | None, str]:
    """A quantile by linear interpolation in its bucket, and why there is none.

    There is none when the bucket is wider than `RESOLUTION` of the value, or when it is the last, open one.
    """
    if not buckets:
        return None, "the histogram is not there"
    count = buckets[-1][1]
    if count <= 0:
        return None, "nothing was observed"
    rank = q * count
    low, below = 0.0, 0.0
    for bound, cumulative in buckets:
        if cumulative >= rank and cumulative > below:
            break
        low, below = bound, cumulative
    if bound == float("inf"):
        return None, f"it lies above the last bound, {low:g} s"
    value = low + (bound - low) * (rank - below) / (cumulative - below)
    if bound - low > RESOLUTION * value:
        return None, f"its bucket reaches from {low:g} to {bound:g} s, too wide to read {value:.4g} s from it"
    return value, ""


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
        value, why = quantile(buckets, q)
        if value is None:
            self.absent[name] = why
        else:
            self.values[name] = value


def estimate(totals: Totals) -> Estimate:
    """All figures that the increase of the counters gives. Never raises."""
    t, f = totals, _Figures()
    meaning = step_meaning(t)
    tokens, seconds, steps = t.decode_tokens, t.decode_seconds, t.decode_steps
    no_spec = NO_ACCEPTANCE_ON_V0 if t.drafts_on_v0 else NO_DRAFT_COUNTERS
    f.ratio("acceptance", t.accepted, t.drafted, no_spec, "nothing was drafted")
    f.ratio("draft_length", t.drafted, t.drafts, no_spec, "nothing was drafted")
    no_itl = NO_LENGTHS_ON_V0 if t.drafts_on_v0 else "inter-token latency or the token counters are missing"
    none = "no request finished" if t.drafts_on_v0 else "no tokens after the first were emitted"
    f.ratio("tpot", seconds, tokens, no_itl, none)
    f.ratio("tokens_per_step", tokens, steps, no_itl, "no step gave output")
    f.ratio("step", seconds, steps, no_itl, "no step gave output")
    missing = "request time per output token is exported from 0.11.0 on"
    f.ratio("request_tpot", t.finished_tpot_seconds, t.finished_tpot_count, missing, "no request finished")
    f.ratio("ttft", t.ttft_seconds, t.first_tokens, "time to first token is missing", "no request had a first token")
    if meaning is StepMeaning.PER_TOKEN:
        _per_token(f)
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
        step_meaning=meaning,
        absent=f.absent,
    )


def _per_token(f: _Figures) -> None:
    why = "inter-token latency counts tokens on this engine, not steps"
    f.drop("tokens_per_step", "step", "tpot", why=why)
    if "request_tpot" in f.values:
        f.values["tpot"] = f.values["request_tpot"]
        del f.absent["tpot"]


def _survival(totals: Totals) -> tuple[float, ...]:
    if not totals.drafts or not totals.accepted_at:
        return ()
    return tuple(at / totals.drafts for at in totals.accepted_at)


def _conditional(survival: tuple[float, ...]) -> tuple[float | None, ...]:
    before = (1.0, *survival)
    return tuple(s / b if b > 0 else None for s, b in zip(survival, before, strict=False))

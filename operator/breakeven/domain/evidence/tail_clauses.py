"""Tails that speculation must not make worse: P99 of the time per output token, P95 of the time to first token.

They act by evidence: in a trial a promotion waits for the requests that a percentile takes, where those come before the
trial is over, and afterwards the same clauses are asked about the last windows for as long as there is a live control.
Buckets too wide to read a percentile still tell between which bounds it lies; where that is not enough, a condition
says what to change. With `Goodput` the user's own bounds take their place, and with `Throughput` nobody waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from breakeven.api.changes import EvidenceChange, revised
from breakeven.api.spec import ObjectiveKind
from breakeven.api.status import EvidenceStatus, Source
from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Batch, Buckets, Totals
from breakeven.domain.counters.windows import LEVELS
from breakeven.domain.evidence import tails
from breakeven.domain.evidence.judgement import Judged, Objection
from breakeven.domain.measures import latency
from breakeven.domain.measures.attainment import quantile_between
from breakeven.domain.measures.end_to_end import mean_seconds
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.latency import TailRatio
from breakeven.domain.measures.statistics import ONE_SIDED
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation

OF_THE_WHOLE = 0.05
"""A first token that is later by less than this share of a whole request is nothing to who waits for its end."""
WHILE_SERVING = 1e-5
"""Error of one look while speculation serves: it is asked in every window for months, and in a trial a few times."""
FIRST_TOKEN = "P95 TTFT"
BURSTS = "each switch gives the engine that wakes all requests at once that it held, more of them after a slow one"
"""What waits while the other variant finishes is as much as that variant's answers are long, so the tail of the first
token would tell one from the other whatever the engines do. Its mean is in the time to the last token."""
COARSE = (
    "P99 TPOT and P95 TTFT (spec.thresholds.latency) are known only to lie between two bounds of the engine's own"
    " histograms, and a rise within them is not seen: from vLLM 0.32.0 on (spec.engine.image) finer ones are rendered"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """One percentile and what it may rise by."""

    name: str
    q: float
    buckets: Callable[[Totals], Buckets]
    limit: float
    """Largest ratio of both arms."""
    slack: float = 0.0
    """Seconds that are nothing, whatever ratio they make."""
    allowed: str
    """The same in words."""

    def passed(self, off: float, on: float) -> bool:
        """Whether it rose by more than may be."""
        return on > self.limit * off and on - off > self.slack


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one clause says."""

    note: str
    tail: TailRatio | None = None
    objection: str = ""
    awaits: str = ""


def weighed(situation: Situation, judgement: Judged) -> Judged:
    """The judgement with what the tails object to, what they wait for, and what cannot be read."""
    if situation.spec.objective.kind is not ObjectiveKind.LATENCY or not judgement.live_control:
        return judgement
    if situation.on_trial and judgement.verdict != Verdict.PAYS:
        return judgement
    if not (tails.has_histograms(judgement, tails.TPOT) or tails.has_histograms(judgement, tails.TTFT)):
        return judgement
    off, on = tails.recent(situation, judgement, LEVELS[-1])
    found = [_look(situation, judgement, clause, off, on) for clause in _clauses(situation, off)]
    objection = next((f.objection for f in found if f.objection), "")
    coarse = any(latency.coarse(off, each.buckets) for each in (tails.TPOT[0], tails.TTFT[0]))
    awaits = next((f.awaits for f in found if f.awaits), "")
    judgement = replace(judgement, unread=COARSE if coarse else "", awaits=awaits)
    if objection:
        judgement = replace(judgement, objection=Objection(reason=Reason.LATENCY_REGRESSION, message=objection))
    return replace(judgement, report=_reported(situation, judgement, found))


def _clauses(situation: Situation, off: Sequence[Batch]) -> tuple[_Clause, _Clause]:
    limits = situation.spec.thresholds.latency
    tpot, ttft = limits.max_p99_tpot_regression_percent, limits.max_ttft_regression_percent
    return (
        _Clause(
            name="P99 TPOT",
            q=tails.TPOT[1].q,
            buckets=tails.TPOT[1].buckets,
            limit=1 + tpot / 100,
            allowed=f"the {tpot} % allowed (spec.thresholds.latency.maxP99TPOTRegressionPercent)",
        ),
        _Clause(
            name=FIRST_TOKEN,
            q=tails.TTFT[1].q,
            buckets=tails.TTFT[1].buckets,
            limit=1 + ttft / 100,
            slack=OF_THE_WHOLE * (mean_seconds(off) or 0.0),
            allowed=f"the {ttft} % allowed (spec.thresholds.latency.maxTTFTRegressionPercent), and than"
            f" {OF_THE_WHOLE:.0%} of a whole request",
        ),
    )


def _look(
    situation: Situation, judgement: Judged, clause: _Clause, off: Sequence[Batch], on: Sequence[Batch]
) -> _Found:
    if judgement.source is Source.ALTERNATING and clause.name == FIRST_TOKEN:
        return _Found(note=f"{FIRST_TOKEN} not judged: {BURSTS}")
    if not situation.on_trial:
        rose = latency.plain_ratio(off, on, clause.q, clause.buckets)
        if rose is not None and rose <= clause.limit:
            return _Found(note="")  # its bounds are most of the work, and would not be told
    tail = latency.tail_ratio(off, on, clause.q, clause.buckets)
    if isinstance(tail, str):
        return _unread(situation, judgement, clause, off, on, why=tail)
    words = f"{clause.name} {tail.in_words()}"
    sure = tail.longer_beyond(ONE_SIDED if situation.on_trial else WHILE_SERVING)
    worse = f"{words} is worse than {clause.allowed}" if sure and clause.passed(tail.off, tail.on) else ""
    return _Found(note=words, tail=tail, objection=worse)


def _unread(
    situation: Situation,
    judgement: Judged,
    clause: _Clause,
    off: Sequence[Batch],
    on: Sequence[Batch],
    *,
    why: str,
) -> _Found:
    """A percentile that cannot be read: it may lie between two bounds, or be known later."""
    ours, theirs = (quantile_between(arm, clause.q, clause.buckets) for arm in (on, off))
    enough = latency.counted(off, on, clause.buckets) >= latency.fewest(clause.q)
    if enough and ours is not None and theirs is not None:
        if clause.passed(theirs[1], ours[0]):
            words = f"{clause.name} is above {ours[0]:g} s, and at most {theirs[1]:g} s without speculation"
            return _Found(note=words, objection=f"{words}: worse than {clause.allowed}")
        if not clause.passed(theirs[0], ours[1]):
            return _Found(note=f"{clause.name} is at most {ours[1]:g} s, and above {theirs[0]:g} s without speculation")
    few = situation.on_trial and _comes_in_time(situation, judgement, clause, off, on)
    return _Found(
        note=f"{clause.name} not judged: {why}",
        awaits=f"{clause.name} takes {latency.fewest(clause.q)} requests an arm" if few else "",
    )


def _comes_in_time(
    situation: Situation, judgement: Judged, clause: _Clause, off: Sequence[Batch], on: Sequence[Batch]
) -> bool:
    """Whether the requests that a percentile takes are there before the trial is over, at the rate of this span."""
    count, needed = latency.counted(off, on, clause.buckets), latency.fewest(clause.q)
    memory, length = situation.memory, judgement.span.end - judgement.span.start
    if memory.since is None or count <= 0 or count >= needed or length <= 0:
        return False
    if latency.coarse(off, clause.buckets):
        return False
    began = max(moment for moment in (memory.since, memory.evidence_after) if moment is not None)
    left = (began + situation.evidence.trial_timeout - situation.time).total_seconds()
    longest = LEVELS[-1] * situation.evidence.window.total_seconds()
    return left > 0 and count / length * min(longest, length + left) >= needed


def _reported(situation: Situation, judgement: Judged, found: Sequence[_Found]) -> EvidenceStatus:
    """The report with the figures of the tails; their words where a promotion hangs on them."""
    notes = [f.note for f in found] if situation.on_trial else [f.objection for f in found if f.objection]
    shown: EvidenceChange = {"message": "; ".join([judgement.report.message, *notes])[:1024]}
    tpot, ttft = (f.tail for f in found)
    if tpot is not None:
        shown |= {"tpot_p99_off_ms": rounded(tpot.off * 1000), "tpot_p99_on_ms": rounded(tpot.on * 1000)}
    if ttft is not None:
        shown |= {"ttft_p95_off_ms": rounded(ttft.off * 1000), "ttft_p95_on_ms": rounded(ttft.on * 1000)}
    return revised(judgement.report, **shown)

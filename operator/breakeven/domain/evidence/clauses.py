"""Clauses beside the speed-up: the user's own acceptance thresholds, and tail latency.

A floor that the user sets is honoured whatever the speed-up says, and the evidence says that it decided. Tail latency
stands in the way of a promotion when it is shown to be worse than allowed; where it cannot be determined it does not.
"""

from dataclasses import replace

from breakeven.api.changes import EvidenceChange, revised
from breakeven.api.status import EvidenceStatus, Source
from breakeven.api.vocabulary import Reason
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, Objection
from breakeven.domain.measures import latency
from breakeven.domain.measures.acceptance import acceptance_ratio
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation


def weighed(situation: Situation, judgement: Judgement) -> Judgement:
    """The judgement with every clause that applies."""
    judgement = _fixed(situation, judgement)
    return _latency(situation, judgement) if isinstance(judgement, Judged) else judgement


def _fixed(situation: Situation, judgement: Judgement) -> Judgement:
    limits = situation.spec.thresholds.acceptance
    if not judgement.on_batches or (limits.floor is None and limits.healthy is None):
        return judgement
    measured = acceptance_ratio(judgement.on_batches)
    if measured is None or judgement.report is None:
        return judgement
    if limits.floor is not None and measured.upper() < float(limits.floor):
        words = (
            f"accepted / drafted {measured.value:.3f} is below spec.thresholds.acceptance.floor {limits.floor}"
            f" (upper bound {measured.upper():.3f})"
        )
        speedup = judgement.speedup if isinstance(judgement, Judged) else None
        if speedup is not None and speedup.value > 1:
            words += f", although S is {speedup.value:.3f}"
        report = revised(judgement.report, source=Source.FIXED, verdict=Verdict.HURTS.value, message=words)
        return _below_floor(judgement, report)
    if limits.healthy is None or not situation.on_trial or not isinstance(judgement, Judged):
        return judgement
    if measured.value < float(limits.healthy):
        message = (
            f"accepted / drafted {measured.value:.3f} is below spec.thresholds.acceptance.healthy {limits.healthy}"
        )
        return replace(judgement, objection=Objection(reason=Reason.BELOW_HEALTHY, message=message))
    return judgement


def _below_floor(judgement: Judgement, report: EvidenceStatus) -> Judgement:
    """The user's floor decides, whether or not there was a verdict."""
    if isinstance(judgement, Judged):
        return replace(judgement, verdict=Verdict.HURTS, source=Source.FIXED, report=report)
    if not isinstance(judgement, Held) or judgement.span is None or judgement.on is None:
        return judgement
    return Judged(
        verdict=Verdict.HURTS,
        source=Source.FIXED,
        span=judgement.span,
        on=judgement.on,
        off=judgement.off,
        on_batches=judgement.on_batches,
        off_batches=judgement.off_batches,
        report=report,
        speedup=None,
        windows=judgement.windows,
        next_end=judgement.next_end,
        suspects=judgement.suspects,
    )


def _latency(situation: Situation, judgement: Judged) -> Judged:
    """Look at the tails where a promotion hangs on them."""
    if not (situation.on_trial and judgement.verdict == Verdict.PAYS and judgement.live_control):
        return judgement
    limits = situation.spec.thresholds.latency
    tpot = latency.tail_ratio(judgement.off_batches, judgement.on_batches, 0.99, latency.tpot_buckets)
    ttft = latency.tail_ratio(judgement.off_batches, judgement.on_batches, 0.95, latency.ttft_buckets)
    notes, objection = [judgement.report.message], judgement.objection
    for name, tail, limit in (
        ("P99 TPOT", tpot, limits.max_p99_tpot_regression_percent),
        ("P95 TTFT", ttft, limits.max_ttft_regression_percent),
    ):
        if isinstance(tail, str):
            notes.append(f"{name} not judged: {tail}")
            continue
        words = f"{name} x{tail.value:.2f} [{tail.lower:.2f}, {tail.upper:.2f}]"
        notes.append(words)
        if tail.value > 1 + limit / 100 and tail.lower > 1:
            message = f"{words} is worse than the {limit} % allowed"
            objection = Objection(reason=Reason.LATENCY_REGRESSION, message=message)
    shown: EvidenceChange = {"message": "; ".join(notes)[:1024]}
    if not isinstance(tpot, str):
        shown |= {"tpot_p99_off_ms": rounded(tpot.off * 1000), "tpot_p99_on_ms": rounded(tpot.on * 1000)}
    if not isinstance(ttft, str):
        shown |= {"ttft_p95_off_ms": rounded(ttft.off * 1000), "ttft_p95_on_ms": rounded(ttft.on * 1000)}
    report = revised(judgement.report, **shown)
    return replace(judgement, objection=objection, report=report)

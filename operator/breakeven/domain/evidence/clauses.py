"""Clauses beside the speed-up: the user's own acceptance thresholds, and tail latency.

A floor that the user sets is honoured whatever the speed-up says, and the evidence says that it decided. Tail latency
stands in the way of a promotion when it is shown to be worse than allowed; where it cannot be told it does not.
"""

from dataclasses import replace

from breakeven.api.status import Source
from breakeven.domain.evidence.judge import Hold, Judgement
from breakeven.domain.measures import latency
from breakeven.domain.measures.acceptance import acceptance_ratio
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation


def weighed(situation: Situation, judgement: Judgement) -> Judgement:
    """The judgement with every clause that applies."""
    return _latency(situation, _fixed(situation, judgement))


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
        if judgement.speedup is not None:
            words += f", although S is {judgement.speedup.value:.3f}" if judgement.speedup.value > 1 else ""
        report = judgement.report.model_copy(
            update={"source": Source.FIXED, "verdict": Verdict.HURTS.value, "message": words}
        )
        return replace(judgement, hold=None, verdict=Verdict.HURTS, source=Source.FIXED, report=report)
    if limits.healthy is not None and situation.on_trial and measured.value < float(limits.healthy):
        message = (
            f"accepted / drafted {measured.value:.3f} is below spec.thresholds.acceptance.healthy {limits.healthy}"
        )
        return replace(judgement, objection=Hold(reason="BelowHealthy", message=message))
    return judgement


def _latency(situation: Situation, judgement: Judgement) -> Judgement:
    """Look at the tails where a promotion hangs on them."""
    if not (
        situation.on_trial
        and judgement.verdict == Verdict.PAYS
        and judgement.live_control
        and judgement.report is not None
    ):
        return judgement
    limits = situation.spec.thresholds.latency
    tpot = latency.tail_ratio(judgement.off_batches, judgement.on_batches, 0.99, latency.tpot_buckets)
    ttft = latency.tail_ratio(judgement.off_batches, judgement.on_batches, 0.95, latency.ttft_buckets)
    notes, objection = [judgement.report.message], judgement.objection
    shown: dict[str, object] = {}
    for name, tail, limit, keys in (
        ("P99 TPOT", tpot, limits.max_p99_tpot_regression_percent, ("tpot_p99_off_ms", "tpot_p99_on_ms")),
        ("P95 TTFT", ttft, limits.max_ttft_regression_percent, ("ttft_p95_off_ms", "ttft_p95_on_ms")),
    ):
        if isinstance(tail, str):
            notes.append(f"{name} not judged: {tail}")
            continue
        shown[keys[0]], shown[keys[1]] = rounded(tail.off * 1000), rounded(tail.on * 1000)
        words = f"{name} x{tail.value:.2f} [{tail.lower:.2f}, {tail.upper:.2f}]"
        notes.append(words)
        if tail.value > 1 + limit / 100 and tail.lower > 1:
            objection = Hold(reason="LatencyRegression", message=f"{words} is worse than the {limit} % allowed")
    report = judgement.report.model_copy(update={**shown, "message": "; ".join(notes)[:1024]})
    return replace(judgement, objection=objection, report=report)

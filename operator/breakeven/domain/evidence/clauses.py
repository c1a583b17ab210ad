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


def weighed(now: Situation, found: Judgement) -> Judgement:
    """The judgement with every clause that applies."""
    return _latency(now, _fixed(now, found))


def _fixed(now: Situation, found: Judgement) -> Judgement:
    limits = now.spec.thresholds.acceptance
    if not found.on_batches or (limits.floor is None and limits.healthy is None):
        return found
    measured = acceptance_ratio(found.on_batches)
    if measured is None or found.report is None:
        return found
    if limits.floor is not None and measured.upper() < float(limits.floor):
        words = (
            f"accepted / drafted {measured.value:.3f} is below spec.thresholds.acceptance.floor {limits.floor}"
            f" (upper bound {measured.upper():.3f})"
        )
        if found.speedup is not None:
            words += f", although S is {found.speedup.value:.3f}" if found.speedup.value > 1 else ""
        report = found.report.model_copy(
            update={"source": Source.FIXED, "verdict": Verdict.HURTS.value, "message": words}
        )
        return replace(found, hold=None, verdict=Verdict.HURTS, source=Source.FIXED, report=report)
    if limits.healthy is not None and now.on_trial and measured.value < float(limits.healthy):
        message = (
            f"accepted / drafted {measured.value:.3f} is below spec.thresholds.acceptance.healthy {limits.healthy}"
        )
        return replace(found, objection=Hold(reason="BelowHealthy", message=message))
    return found


def _latency(now: Situation, found: Judgement) -> Judgement:
    """Look at the tails where a promotion hangs on them."""
    if not (now.on_trial and found.verdict == Verdict.PAYS and found.live_control and found.report is not None):
        return found
    limits = now.spec.thresholds.latency
    tpot = latency.tail_ratio(found.off_batches, found.on_batches, 0.99, latency.tpot_buckets)
    ttft = latency.tail_ratio(found.off_batches, found.on_batches, 0.95, latency.ttft_buckets)
    notes, objection = [found.report.message], found.objection
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
    report = found.report.model_copy(update={**shown, "message": "; ".join(notes)[:1024]})
    return replace(found, objection=objection, report=report)

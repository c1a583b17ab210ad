"""Clauses beside what is judged: the user's own acceptance thresholds, and tail latency (`tail_clauses`).

A floor that the user sets is honoured whatever the speed-up says, and the evidence says that it decided.
"""

from dataclasses import replace

from breakeven.api.changes import revised
from breakeven.api.status import EvidenceStatus, Source
from breakeven.api.vocabulary import Reason
from breakeven.domain.evidence import tail_clauses
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, Objection
from breakeven.domain.measures.acceptance import acceptance_ratio
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation


def weighed(situation: Situation, judgement: Judgement) -> Judgement:
    """The judgement with every clause that applies."""
    judgement = _fixed(situation, judgement)
    return tail_clauses.weighed(situation, judgement) if isinstance(judgement, Judged) else judgement


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

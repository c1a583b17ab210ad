"""Why speculation does worse than it did: told apart from what is done about it, and remembered with its figures.

Nothing here changes what runs. A cause is written down when it is found and when another one or none takes its
place, so a steady state writes nothing.
"""

from collections.abc import Callable

from breakeven.api.changes import changed
from breakeven.api.status import DiagnosisStatus, EvidenceStatus, Memory, PlainPair
from breakeven.api.vocabulary import Reason
from breakeven.domain.diagnosis import causes, not_as_configured
from breakeven.domain.diagnosis.causes import Cause
from breakeven.domain.diagnosis.quantized_pairs import made_from, pair_of, quantized, reference_of
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.situation import Situation

LONGEST_NAME = 253
"""Characters of the name of a pod."""
IN_ORDER: tuple[tuple[Reason, Callable[..., Cause | None]], ...] = (
    (Reason.DRAFT_MISMATCH, causes.draft_mismatch),
    (Reason.OUTLIER_REPLICA, causes.lagging_replica),
    (Reason.QUANTIZATION_PENALTY, causes.quantization_penalty),
    (Reason.DEGRADED_UNTIL_RESTART, causes.degraded),
    (Reason.LOAD, causes.load),
    (Reason.MIXED_TRAFFIC, causes.mixed_traffic),
    (Reason.TEMPERATURE_SHIFT, causes.temperature_shift),
    (Reason.STEP_TIME_ROSE, causes.step_time),
    (Reason.OUTLIER_REPLICA, causes.leading_replica),
)
"""The most specific first: each later one also holds where an earlier one does."""


def examined(situation: Situation, judgement: Judgement) -> Memory:
    """The memory with the cause that this pass shows; unchanged when it shows none or the same."""
    memory, before = situation.memory, situation.memory.diagnosis
    shown = _shown(situation, judgement)
    plain = not situation.wished.speculates and not situation.stable.speculates
    if plain and (shown is None or shown.reason is not Reason.DRAFTS_UNASKED):
        return memory if before is None else changed(memory, diagnosis=None)
    if shown is not None:
        return _remembered(situation, shown)
    if before is None or not _refuted(situation, judgement, before.reason):
        return memory
    return changed(memory, diagnosis=None)


def cause_in_words(situation: Situation) -> str:
    """The message of the present cause; empty when nothing was found."""
    return situation.memory.diagnosis.message if situation.memory.diagnosis is not None else ""


def unquantized(situation: Situation, report: EvidenceStatus | None) -> PlainPair | None:
    """What a promotion says about the pair without quantization; what was known before when it says nothing."""
    canary = situation.memory.canary
    known = situation.memory.unquantized
    if canary is None or not canary.speculates or quantized(situation, canary):
        return known
    if report is None or report.acceptance is None:
        return known
    return PlainPair(
        pair=pair_of(canary, made_from(situation, canary)),
        acceptance=report.acceptance,
        measured_at=situation.time,
    )


def penalty_unknown(situation: Situation) -> str:
    """Why no quantization penalty can be determined, in words; empty when it can, or nothing is quantized."""
    on = causes.speculating(situation)
    if on is None or not quantized(situation, on) or reference_of(situation, on) is not None:
        return ""
    return (
        "a quantization penalty is unknown: this pair was never verified without quantization; "
        "name the pair it was made from, or its acceptance, as spec.quantizationReference"
    )


def _shown(situation: Situation, judgement: Judgement) -> Cause | None:
    fault = causes.engine_fault(situation)
    if fault is not None:
        return fault
    unlike = not_as_configured.not_as_configured(situation)
    if unlike is not None:
        return unlike
    before = situation.memory.diagnosis.reason if situation.memory.diagnosis is not None else ""
    idle = causes.idle(situation, judgement, held=before == Reason.IDLE)
    if idle is not None or not judgement.on_batches or causes.speculating(situation) is None:
        return idle
    for reason, look in IN_ORDER:
        cause = look(situation, judgement, held=before == reason)
        if cause is not None:
            return cause
    return None


def _remembered(situation: Situation, cause: Cause) -> Memory:
    before = situation.memory.diagnosis
    if before is not None and (before.reason, before.subject) == (cause.reason, cause.subject[:LONGEST_NAME]):
        return situation.memory
    fresh = DiagnosisStatus(
        reason=cause.reason,
        subject=cause.subject[:LONGEST_NAME],
        message=cause.message[:1024],
        since=situation.time,
    )
    return changed(situation.memory, diagnosis=fresh)


def _refuted(situation: Situation, judgement: Judgement, reason: str) -> bool:
    """Whether a cause is shown to be over: silence does not, and what stopped speculation stays until a trial."""
    if reason == Reason.ENGINE_FAULT:
        on = causes.speculating(situation)
        fleet = situation.fleet(on) if on is not None else None
        return fleet is not None and fleet.ready > 0 and fleet.settled_since is not None
    if reason in not_as_configured.REASONS:
        return not_as_configured.over(situation, reason)
    if reason == Reason.IDLE:
        return judgement.on is not None
    return isinstance(judgement, Judged)

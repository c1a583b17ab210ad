"""Conditions that deciding finds: reported, not acted on."""

from breakeven.api.conditions import ConditionType, Reason
from breakeven.api.spec import Mode
from breakeven.api.text import sentence
from breakeven.domain import capacity
from breakeven.domain.counters.observation import Answers
from breakeven.domain.decision import Finding
from breakeven.domain.diagnosis.diagnosis import penalty_unknown
from breakeven.domain.evidence.judgement import Judged, Judgement, verdict_of
from breakeven.domain.measures.acceptance import in_words
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.report.sentences import CAUSES, speed
from breakeven.domain.rules import economics
from breakeven.domain.situation import Situation


def findings(situation: Situation, judgement: Judgement) -> tuple[Finding, ...]:
    """All of them, in a fixed order."""
    each = (
        _capacity(situation, judgement) or _not_worth(situation, judgement),
        _acceptance(situation, judgement),
        _objective(situation, judgement),
        _lossless(situation),
        _diagnosis(situation),
    )
    return tuple(finding for finding in each if finding is not None)


def _capacity(situation: Situation, judgement: Judgement) -> Finding | None:
    """What is needed to act on a verdict or to reach one."""
    if situation.policy.mode != Mode.AUTO or capacity.can_try(situation) or situation.spec.replicas == 0:
        return None
    waiting = not situation.stable.speculates and situation.wished.speculates
    if waiting or (situation.stable.speculates and verdict_of(judgement) == Verdict.HURTS):
        message = capacity.needs(situation)
        if judgement.report is not None and verdict_of(judgement) == Verdict.HURTS:
            much = speed(judgement.report, "with the draft", bound=False) or "below break-even"
            message = f"Left on, and nothing was stopped: {much}. {sentence(message)}; {judgement.report.message}"
        return Finding(type=ConditionType.CAPACITY_AVAILABLE, status=False, reason=Reason.LAST_REPLICA, message=message)
    return None


def _not_worth(situation: Situation, judgement: Judgement) -> Finding | None:
    """A verdict that stands without being carried out, because the switch would cost more than it gains."""
    balance = economics.not_worth(situation, judgement) if situation.policy.mode == Mode.AUTO else None
    if balance is None or judgement.report is None:
        return None
    much = speed(judgement.report, "with the draft", bound=False) or "below the bound"
    message = f"It is {much}, and nothing is switched: {balance}; {judgement.report.message}"
    reason = Reason.SWITCH_DOES_NOT_PAY
    return Finding(type=ConditionType.CAPACITY_AVAILABLE, status=True, reason=reason, message=message)


def _acceptance(situation: Situation, judgement: Judgement) -> Finding | None:
    """Accepted / drafted against the user's own bounds, the unquantized pair and break-even."""
    kind = ConditionType.ACCEPTANCE_HEALTHY
    if judgement.on is None or judgement.on.acceptance is None:
        if not situation.stable.speculates and not situation.on_trial:
            return Finding(type=kind, status=None, reason=Reason.NOT_SPECULATING, message="nothing is drafted")
        if situation.memory.evidence is None:
            return Finding(type=kind, status=None, reason=Reason.NO_DATA, message="nothing was judged yet")
        return None
    limits, value = situation.spec.thresholds.acceptance, judgement.on.acceptance
    for name, limit, reason in (
        ("floor", limits.floor, Reason.BELOW_FLOOR),
        ("caution", limits.caution, Reason.BELOW_CAUTION),
    ):
        if limit is not None and value < float(limit):
            message = f"{_accepted(value)}, below spec.thresholds.acceptance.{name} {limit}"
            return Finding(type=kind, status=False, reason=reason, message=message)
    cause = situation.memory.diagnosis
    if cause is not None and cause.reason == Reason.QUANTIZATION_PENALTY:
        return Finding(type=kind, status=False, reason=Reason.QUANTIZATION_PENALTY, message=cause.message)
    break_even = judgement.report.break_even_acceptance if judgement.report is not None else None
    if verdict_of(judgement) == Verdict.HURTS and break_even is not None and value < float(break_even):
        message = f"{_accepted(value)}, below break-even {break_even}"
        return Finding(type=kind, status=False, reason=Reason.BELOW_BREAK_EVEN, message=message)
    spread = in_words(situation.memory.evidence) if situation.memory.evidence is not None else ""
    # Spreads are those of the written evidence, so that their coming and going is no news by itself.
    message = "; ".join(part for part in (_accepted(value), spread) if part)
    return Finding(type=kind, status=True, reason=Reason.HEALTHY, message=message)


def _accepted(value: float) -> str:
    return f"Accepted {100 * value:.0f} % of what was drafted: accepted / drafted {value:.3f}"


def _objective(situation: Situation, judgement: Judgement) -> Finding | None:
    """What is asked for and cannot be read. What was said stays while no histogram is read."""
    kind = ConditionType.OBJECTIVE_READABLE
    if not situation.stable.speculates and not situation.on_trial:
        return Finding(type=kind, status=True, reason=Reason.READABLE, message="nothing speculates")
    if not isinstance(judgement, Judged) or judgement.unread is None:
        return None
    if not judgement.unread:
        return Finding(type=kind, status=True, reason=Reason.READABLE, message="everything asked for can be read")
    return Finding(type=kind, status=False, reason=Reason.BUCKETS_TOO_WIDE, message=judgement.unread)


def _lossless(situation: Situation) -> Finding | None:
    """What comparing the answers of a canary came to. It stays until another canary was asked."""
    told = {Answers.ALIKE: (True, Reason.ANSWERS_ALIKE), Answers.DIFFERENT: (False, Reason.ANSWERS_DIFFER)}
    for fleet in situation.observation.fleet.values():
        if fleet.answers_message:
            status, reason = told.get(fleet.answers, (None, Reason.NOT_COMPARED))
            message = fleet.answers_message
            return Finding(type=ConditionType.LOSSLESS, status=status, reason=reason, message=message)
    return None


def _diagnosis(situation: Situation) -> Finding | None:
    """The cause that was found, or that none stands out."""
    known = situation.memory.diagnosis
    if known is not None:
        words = CAUSES.get(known.reason)
        message = f"Likely cause: {words}: {known.message}" if words else known.message
        return Finding(type=ConditionType.DIAGNOSIS, status=True, reason=known.reason, message=message)
    if not situation.wished.speculates and not situation.stable.speculates:
        return None
    unknown = penalty_unknown(situation)
    if unknown:
        return Finding(type=ConditionType.DIAGNOSIS, status=None, reason=Reason.PENALTY_UNKNOWN, message=unknown)
    if situation.memory.evidence is None:
        message = "nothing was judged yet"
        return Finding(type=ConditionType.DIAGNOSIS, status=None, reason=Reason.NO_DATA, message=message)
    message = "nothing stands out in the judged windows"
    return Finding(type=ConditionType.DIAGNOSIS, status=False, reason=Reason.NOTHING_FOUND, message=message)

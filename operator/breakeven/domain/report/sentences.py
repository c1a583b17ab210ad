"""What a decision says first: one plain sentence for three in the morning, made here from typed figures.

"Switched off: 26 % slower with the draft (at least 8 %). Accepted 15 %, needs 32 %. Likely cause: temperature. Next try
23:35 UTC." What the rule wrote, with its symbols, comes after it. Every action has its words in `LEADS`; reasons that
rest on figures have theirs in `WHY`, and for all others the rule's own message says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from breakeven.api.evidence import EvidenceStatus, JudgedBy
from breakeven.api.scalars import format_duration
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain.answer import Transition
from breakeven.domain.evidence.judgement import Judgement
from breakeven.domain.rules.cooldown import DAY
from breakeven.domain.rules.transitions import drafting
from breakeven.domain.situation import Situation

LEADS: Mapping[Action, tuple[str, str]] = {
    Action.BEGIN: ("Serving begins", "Serving would begin"),
    Action.START_TRIAL: ("Trial begins", "A trial would begin"),
    Action.PROMOTE: ("Promoted", "Would promote"),
    Action.END_TRIAL: ("Trial failed", "The trial would fail"),
    Action.ROLL_BACK: ("Rolled back", "Would roll back"),
    Action.ABANDON_TRIAL: ("Trial given up", "The trial would be given up"),
    Action.DISABLE: ("Switched off", "Would switch off"),
    Action.FREEZE: ("Left on", "Would be left on"),
    Action.KEEP_CONTROL: ("Live control kept again", "Would keep a live control again"),
    Action.RETURN_CONTROL: ("Live control returned to speculation", "Would return the live control to speculation"),
    Action.VERIFY_ROLLBACK: ("Rollback closed", "Would close the rollback"),
    Action.REPLACE: ("Model replaced", "Would replace the model"),
    Action.PIN: ("Pinned", "Would pin"),
    Action.RESTART: ("Restarting replicas", "Would restart replicas"),
    Action.RETRY: ("Ready to try again", "Would try again"),
}
"""What was done, and with mode Advise what would be."""
CAUSES: Mapping[str, str] = {
    Reason.LOAD: "load",
    Reason.MIXED_TRAFFIC: "mixed traffic, some requests gain and others lose",
    Reason.TEMPERATURE_SHIFT: "temperature, or other traffic",
    Reason.DRAFT_MISMATCH: "the draft does not fit the target or this traffic (temperature)",
    Reason.QUANTIZATION_PENALTY: "quantization",
    Reason.DEGRADED_UNTIL_RESTART: "acceptance decays with uptime",
    Reason.STEP_TIME_ROSE: "slower steps, the engine or its node",
    Reason.OUTLIER_REPLICA: "one replica unlike the others",
    Reason.ENGINE_FAULT: "replicas do not come up",
    Reason.NOT_DRAFTING: "the draft is not in use",
    Reason.DRAFTS_UNASKED: "the control drafts as well",
    Reason.NOTHING_ACCEPTED: "the draft is broken, or another one",
    Reason.EVERYTHING_ACCEPTED: "drafts may not be verified",
    Reason.IDLE: "no traffic",
}
"""Causes in a few words."""
LOSSES = frozenset({Action.DISABLE, Action.END_TRIAL, Action.ROLL_BACK, Action.FREEZE, Action.RESTART})
"""Actions that a cause is named for."""
SOON = timedelta(minutes=5)
"""Waits shorter than this are told with seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a sentence is made from."""

    situation: Situation
    """Before the decision."""
    decided: Transition
    report: EvidenceStatus

    @property
    def between_two_drafts(self) -> bool:
        """Whether what is compared is two variants of which the control is not just the same without its draft."""
        memory = self.situation.memory
        if memory.canary is None or not self.situation.on_trial:
            return False
        return self.situation.stable.speculates or memory.canary.baseline != self.situation.stable.baseline


def worded(
    situation: Situation, decided: Transition, judgement: Judgement | None, *, advised: bool = False
) -> Transition:
    """The decision with its sentence before the message of the rule."""
    report = judgement.report if judgement is not None and judgement.report is not None else EvidenceStatus()
    told = Told(situation=situation, decided=decided, report=report)
    phrase = WHY.get(decided.reason)
    why = phrase(told) if phrase is not None else ""
    parts = [f"{_lead(told, advised=advised)}: {why or decided.message.rstrip('.')}."]
    if why:
        parts.append(_accepted(told))
    if decided.action in LOSSES:
        parts.append(_cause(situation))
    if not advised:
        parts.append(_next(told))
    if why:
        parts.append(decided.message)
    return replace(decided, message=" ".join(part for part in parts if part))


def speed(report: EvidenceStatus, against: str = "", *, bound: bool = True) -> str:
    """How much faster or slower, with the bound that holds at least; empty when S was not measured.

    `bound` False leaves the bound out, where words that come and go with it would be news.
    """
    value, lower, upper, measure = _judged(report)
    if value is None or value <= 0:
        return ""
    faster = value >= 1
    limit = lower if faster else upper
    much = f"{_percent(abs(value - 1))} {'faster' if faster else 'slower'}"
    least = abs(limit - 1) if bound and limit is not None and (limit > 1) == faster and limit != 1 else None
    words = f"{much} {against}" if against else much
    words = f"{words} (at least {_percent(least)})" if least is not None and least >= Decimal("0.005") else words
    return f"{words}{measure}"


def _judged(report: EvidenceStatus) -> tuple[Decimal | None, Decimal | None, Decimal | None, str]:
    """The ratio that decided, its bounds, and which it is where it is not S; S beside it where it says otherwise."""
    said, decoding = report.objective, report.speedup
    ratio = said.throughput or said.end_to_end if said is not None else None
    if said is None or ratio is None or said.judged_by not in (JudgedBy.END_TO_END, JudgedBy.THROUGHPUT):
        return decoding, report.speedup_lower, report.speedup_upper, ""
    measure = (
        " to the last token" if said.judged_by is JudgedBy.END_TO_END else " in tokens per second while requests wait"
    )
    if decoding is not None and (decoding >= 1) != (ratio.value >= 1):
        much = f"{_percent(abs(decoding - 1))} {'faster' if decoding >= 1 else 'slower'}"
        measure += f", although decoding alone is {much}"
    return ratio.value, ratio.lower, ratio.upper, measure


def clock(moment: datetime, now: datetime) -> str:
    """A moment in UTC: without its date on the same day, with seconds when it is near."""
    moment, now = moment.astimezone(UTC), now.astimezone(UTC)
    form = "%H:%M:%S" if moment - now < SOON else "%H:%M"
    return f"{moment:{form if moment.date() == now.date() else '%Y-%m-%d ' + form}} UTC"


def _lead(told: Told, *, advised: bool) -> str:
    done, would = LEADS[told.decided.action]
    canary, stable = told.situation.memory.canary, told.situation.memory.stable
    if told.decided.action == Action.PROMOTE and stable is not None and not stable.speculates:
        serves = told.decided.changes.get("stable") or canary
        if serves is not None and serves.speculates:
            done, would = "Switched on", "Would switch on"
    if told.decided.action == Action.END_TRIAL and told.decided.reason in (Reason.COMMANDED, Reason.UNDECIDED):
        done, would = "Trial ended", "The trial would end"
    return would if advised else done


def _measured(told: Told) -> str:
    return speed(told.report, "than what serves" if told.between_two_drafts else "with the draft")


def _but(addition: str) -> Callable[[Told], str]:
    """The speed, and what stands against it."""

    def phrase(told: Told) -> str:
        measured = _measured(told)
        return f"{measured}, {addition}" if measured else ""

    return phrase


def _frozen(told: Told) -> str:
    limit = told.situation.policy.max_transitions_per_day
    return _but(f"and the {limit} changes of 24 h are used up (spec.policy.maxTransitionsPerDay)")(told)


def _undecided(told: Told) -> str:
    limit = format_duration(told.situation.evidence.trial_timeout)
    words, (_, low, high, _) = speed(told.report), _judged(told.report)
    if words and low is not None and high is not None:
        words = f", between {_signed(low)} and {_signed(high)}"
    return f"no verdict within {limit} (spec.evidence.trialTimeout){words}"


def _below(bound: str) -> Callable[[Told], str]:
    """Acceptance against the user's own bound."""

    def phrase(told: Told) -> str:
        limit = getattr(told.situation.spec.thresholds.acceptance, bound)
        accepted = told.report.acceptance
        if limit is None or accepted is None:
            return ""
        name = f"spec.thresholds.acceptance.{bound}"
        return f"accepted {_percent(accepted)} of what was drafted, and {name} is {_percent(Decimal(limit))}"

    return phrase


def _missed(told: Told) -> str:
    """Requests within the user's bounds, of those bounds that are missed."""
    said = told.report.objective
    parts = []
    for name, each in (("TTFT", said.ttft if said else None), ("TPOT", said.tpot if said else None)):
        if each is None or each.on >= each.quantile:
            continue
        against = f", {_share(each.off)} without" if each.off is not None else ""
        parts.append(f"{_share(each.on)} of the requests keep {name} {each.seconds} s with the draft{against}")
    return ", and ".join(parts)


def _waiting(told: Told) -> str:
    """A queue that was judged by the time to the last token; the guard against queues has its own message."""
    if told.report.objective is None or told.report.objective.judged_by is not JudgedBy.END_TO_END:
        return ""
    measured = _measured(told)
    return f"requests wait with the draft and not without, {measured}" if " slower" in measured else ""


def _verified(told: Told) -> str:
    measured = _measured(told)
    return f"{drafting(told.situation.stable)} serves again and was measured again, {measured}" if measured else ""


WHY: Mapping[Reason, Callable[[Told], str]] = {
    Reason.PAYS: _measured,
    Reason.BELOW_BREAK_EVEN: _measured,
    Reason.NOT_BETTER: _but("so not shown to be better"),
    Reason.ROLLBACK_REGRESSED: _but("and it was what was rolled back to"),
    Reason.ROLLBACK_VERIFIED: _verified,
    Reason.TOO_MANY_TRANSITIONS: _frozen,
    Reason.UNDECIDED: _undecided,
    Reason.SWITCH_DOES_NOT_PAY: _but("but the switch would lose more than it gains"),
    Reason.LATENCY_REGRESSION: _but("but a tail latency rose more than spec.thresholds.latency allows"),
    Reason.CONTRADICTION: _but("by the stored control, which is not enough to rely on"),
    Reason.DEGRADED_UNTIL_RESTART: _measured,
    Reason.OBJECTIVE_MISSED: _missed,
    Reason.THROUGHPUT_LOST: _measured,
    Reason.QUEUE_GROWTH: _waiting,
    Reason.BELOW_ACCEPTANCE_FLOOR: _below("floor"),
    Reason.BELOW_HEALTHY: _below("healthy"),
}
"""Why, from figures; empty where they were not measured, and then the message of the rule says it."""


def _accepted(told: Told) -> str:
    """Accepted / drafted, and what it would take for S to be 1."""
    report = told.report
    if report.acceptance is None or told.decided.reason in (Reason.BELOW_ACCEPTANCE_FLOOR, Reason.BELOW_HEALTHY):
        return ""
    words, needed = f"Accepted {_percent(report.acceptance)}", report.break_even_acceptance
    if needed is None or needed <= 0 or told.between_two_drafts:
        return f"{words}."
    return f"{words}, needs {_percent(needed)}." if needed <= 1 else f"{words}, and no acceptance would be enough."


def _cause(situation: Situation) -> str:
    cause = situation.memory.diagnosis
    words = CAUSES.get(cause.reason) if cause is not None else None
    return f"Likely cause: {words}." if words else ""


def _next(told: Told) -> str:
    """What comes next, and when."""
    situation, decided = told.situation, told.decided
    until = decided.changes.get("cooldown_until")
    if until is not None and decided.action in (
        Action.DISABLE,
        Action.END_TRIAL,
        Action.ROLL_BACK,
        Action.ABANDON_TRIAL,
    ):
        return f"Next try {clock(until, situation.time)}." if until > situation.time else "Next try at once."
    if decided.action == Action.FREEZE:
        limit = situation.policy.max_transitions_per_day
        recent = sorted(situation.memory.transitions)[-limit:] if limit else []
        return f"Next change {clock(recent[0] + DAY, situation.time)}." if recent else ""
    if decided.action == Action.START_TRIAL:
        return f"Measured for {format_duration(situation.evidence.trial_timeout)} at most."
    return ""


def _percent(share: Decimal) -> str:
    return f"{100 * share:.0f} %" if share >= Decimal("0.005") or share == 0 else "less than 1 %"


def _share(share: Decimal) -> str:
    return f"{100 * share:.4g} %"


def _signed(speedup: Decimal) -> str:
    return f"{_percent(abs(speedup - 1))} {'faster' if speedup >= 1 else 'slower'}"

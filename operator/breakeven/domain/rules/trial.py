"""The rules of a trial: when it begins, and how it ends."""

from pydantic.alias_generators import to_camel

from breakeven.api.scalars import format_duration
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant
from breakeven.domain import capacity
from breakeven.domain.diagnosis.diagnosis import cause_in_words
from breakeven.domain.evidence.judge import Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules import cooldown, crossing, economics, remedies
from breakeven.domain.rules.ladder import next_candidate, tuned_length
from breakeven.domain.rules.transitions import abandon_trial, describe, fail_trial, present_load, promote, start_trial
from breakeven.domain.situation import Situation

LOAD_FELL = 2.0
"""A load this many times lower than at the last failure is another question."""
RESTING = (State.BASELINE, State.COOLDOWN, State.FROZEN, State.SPECULATING)


def candidate(situation: Situation) -> Variant | None:
    """What should be tried next; None when what serves is what is wanted."""
    stable, wished = situation.stable, situation.wished
    if wished.baseline != stable.baseline:
        return _changed(situation)
    if stable.speculates:
        return wished if wished.speculates and _unverified(situation) else None
    return next_candidate(situation) if wished.speculates else None


def _changed(situation: Situation) -> Variant:
    """The declared engine: with its draft, or without when that alone already failed or nothing speculates yet."""
    wished = situation.wished
    if not situation.stable.speculates or wished.name in situation.memory.tried:
        return wished.baseline
    return wished


def _unverified(situation: Situation) -> bool:
    """Whether the user declared another draft than the one that serves, and the latter was not chosen in its place."""
    return situation.wished.draft != situation.stable.draft and situation.memory.answers != situation.wished.name


def begin_trial(situation: Situation) -> Memory | None:
    """Start a trial when there is something to try, it may be tried, and what serves is settled and seen."""
    memory = situation.memory
    if memory.state not in RESTING or memory.canary is not None or situation.spec.replicas == 0:
        return None
    if memory.cooldown_until is not None and situation.time < memory.cooldown_until and not _load_fell(situation):
        return None
    if memory.unverified_since is not None or crossing.waits(situation):
        return None
    wanted = candidate(situation)
    if wanted is None or not capacity.can_try(situation) or not _serving(situation):
        return None
    if situation.observation.outage is not None or not _within_budget(situation):
        return None
    if capacity.one_after_the_other(situation) and not memory.profile:
        return None
    message = f"try {describe(wanted)} against {describe(situation.stable)}"
    if wanted.baseline != situation.stable.baseline:
        message += f": {changes(situation.stable, wanted)}"
    if capacity.one_after_the_other(situation):
        message += "; one replica, so one after the other, with wider bounds"
    known = economics.loading(situation)
    if known is not None:
        message += f"; each replica of the canary loads {known[0]:.1f} min ({known[1]})"
    return start_trial(situation, wanted, _why(situation), message)


def changes(old: Variant, new: Variant) -> str:
    """Which fields differ besides the draft, in words; plain values with both."""
    parts = []
    for part in ("engine", "target", "hardware"):
        before, after = getattr(old, part), getattr(new, part)
        for name, value in after:
            if getattr(before, name) == value:
                continue
            said = f" is {value} instead of {getattr(before, name)}" if isinstance(value, str) else " changed"
            parts.append(f"spec.{part}.{to_camel(name)}{said}")
    if old.pod_template != new.pod_template:
        parts.append("spec.podTemplate changed")
    return ", ".join(parts)[:400]


def end_trial(situation: Situation, judgement: Judgement) -> Memory | None:
    """Promote, fail or give up."""
    memory = situation.memory
    if not situation.on_trial or memory.canary is None or memory.since is None:
        return None
    if not capacity.can_try(situation):
        return abandon_trial(situation, "NoCapacity", capacity.needs(memory))
    if judgement.verdict == Verdict.HURTS and judgement.windows >= min(
        situation.evidence.leave_windows, situation.evidence.promote_windows
    ):
        length = tuned_length(judgement.on_batches, judgement.off, judgement.on)
        words = "; ".join(part for part in (_figures(judgement), cause_in_words(situation)) if part)
        if situation.memory.state == State.TUNING:
            return remedies.end_rescue(situation, judgement, "NotBetter", words)
        return fail_trial(situation, "BelowBreakEven", words, tuned_length=length)
    if judgement.verdict == Verdict.PAYS and judgement.windows >= situation.evidence.promote_windows:
        if judgement.objection:
            return fail_trial(
                situation, judgement.objection.reason, f"{_figures(judgement)}; {judgement.objection.message}"
            )
        if not cooldown.may_switch(situation.policy, memory, situation.time):
            return None
        if economics.not_worth(situation, judgement) is None:
            words = f"{_figures(judgement)}{economics.in_words(economics.promotion(situation, judgement))}"
            return promote(situation, "Pays", words, judgement.report)
    if remedies.out_of_patience(situation, judgement):
        return remedies.end_rescue(situation, judgement, "NotBetter", f"not shown to be better: {_figures(judgement)}")
    began = max(moment for moment in (memory.since, memory.evidence_after) if moment is not None)
    if situation.time - began >= situation.evidence.trial_timeout:
        return _out_of_time(situation, judgement)
    return None


def _out_of_time(situation: Situation, judgement: Judgement) -> Memory:
    limit = situation.evidence.trial_timeout
    balance = economics.not_worth(situation, judgement)
    if balance is not None:
        words = f"{_figures(judgement)}; {balance}, and that did not change within {format_duration(limit)}"
        return fail_trial(situation, "SwitchDoesNotPay", words)
    figures = _figures(judgement) or (judgement.hold.message if judgement.hold else "nothing could be measured")
    return fail_trial(
        situation, "Undecided", f"no verdict within {format_duration(limit)} (spec.evidence.trialTimeout): {figures}"
    )


def _load_fell(situation: Situation) -> bool:
    """Whether the load is far below that of the last failure, and the shortest cooldown is over.

    Break-even moves with load more than with anything else, so a failure at the peak says little about the night.
    """
    memory = situation.memory
    if (
        memory.failed_at_load is None
        or memory.since is None
        or situation.time - memory.since < situation.policy.cooldown
    ):
        return False
    load, factor = present_load(situation), crossing.LOAD_WAS_WHY if crossing.explained(situation) else LOAD_FELL
    return load is not None and 0 < load * factor < float(memory.failed_at_load)


def _serving(situation: Situation) -> bool:
    fleet = situation.fleet(situation.stable)
    return fleet is not None and fleet.ready > 0 and fleet.settled_since is not None


def _within_budget(situation: Situation) -> bool:
    return cooldown.may_switch_on(situation.policy, situation.memory, situation.time)


def _why(situation: Situation) -> str:
    if situation.wished.baseline != situation.stable.baseline or situation.stable.speculates:
        return "SpecChanged"
    return "Rearm" if situation.memory.state in (State.COOLDOWN, State.FROZEN) else "NotYetProven"


def _figures(judgement: Judgement) -> str:
    return judgement.report.message if judgement.report is not None else ""

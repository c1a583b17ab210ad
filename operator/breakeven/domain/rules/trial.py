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


def candidate(now: Situation) -> Variant | None:
    """What should be tried next; None when what serves is what is wanted."""
    stable, wished = now.stable, now.wished
    if wished.baseline != stable.baseline:
        return _changed(now)
    if stable.speculates:
        return wished if wished.speculates and _unverified(now) else None
    return next_candidate(now) if wished.speculates else None


def _changed(now: Situation) -> Variant:
    """The declared engine: with its draft, or without when that alone already failed or nothing speculates yet."""
    wished = now.wished
    if not now.stable.speculates or wished.name in now.memory.tried:
        return wished.baseline
    return wished


def _unverified(now: Situation) -> bool:
    """Whether the user declared another draft than the one that serves, and the latter was not chosen in its place."""
    return now.wished.draft != now.stable.draft and now.memory.answers != now.wished.name


def begin_trial(now: Situation) -> Memory | None:
    """Start a trial when there is something to try, it may be tried, and what serves is settled and seen."""
    memory = now.memory
    if memory.state not in RESTING or memory.canary is not None or now.spec.replicas == 0:
        return None
    if memory.cooldown_until is not None and now.now < memory.cooldown_until and not _load_fell(now):
        return None
    if memory.unverified_since is not None or crossing.waits(now):
        return None
    wanted = candidate(now)
    if wanted is None or not capacity.can_try(now) or not _serving(now):
        return None
    if now.observation.outage is not None or not _within_budget(now):
        return None
    if capacity.one_after_the_other(now) and not memory.profile:
        return None
    message = f"try {describe(wanted)} against {describe(now.stable)}"
    if wanted.baseline != now.stable.baseline:
        message += f": {changes(now.stable, wanted)}"
    if capacity.one_after_the_other(now):
        message += "; one replica, so one after the other, with wider bounds"
    known = economics.loading(now)
    if known is not None:
        message += f"; each replica of the canary loads {known[0]:.1f} min ({known[1]})"
    return start_trial(now, wanted, _why(now), message)


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


def end_trial(now: Situation, found: Judgement) -> Memory | None:
    """Promote, fail or give up."""
    memory = now.memory
    if not now.on_trial or memory.canary is None or memory.since is None:
        return None
    if not capacity.can_try(now):
        return abandon_trial(now, "NoCapacity", capacity.needs(memory))
    if found.verdict == Verdict.HURTS and found.windows >= min(
        now.evidence.leave_windows, now.evidence.promote_windows
    ):
        length = tuned_length(found.on_batches, found.off, found.on)
        words = "; ".join(part for part in (_figures(found), cause_in_words(now)) if part)
        if now.memory.state == State.TUNING:
            return remedies.end_rescue(now, found, "NotBetter", words)
        return fail_trial(now, "BelowBreakEven", words, tuned_length=length)
    if found.verdict == Verdict.PAYS and found.windows >= now.evidence.promote_windows:
        if found.objection:
            return fail_trial(now, found.objection.reason, f"{_figures(found)}; {found.objection.message}")
        if not cooldown.may_switch(now.policy, memory, now.now):
            return None
        if economics.not_worth(now, found) is None:
            words = f"{_figures(found)}{economics.in_words(economics.promotion(now, found))}"
            return promote(now, "Pays", words, found.report)
    if remedies.out_of_patience(now, found):
        return remedies.end_rescue(now, found, "NotBetter", f"not shown to be better: {_figures(found)}")
    began = max(moment for moment in (memory.since, memory.evidence_after) if moment is not None)
    if now.now - began >= now.evidence.trial_timeout:
        return _out_of_time(now, found)
    return None


def _out_of_time(now: Situation, found: Judgement) -> Memory:
    limit = now.evidence.trial_timeout
    balance = economics.not_worth(now, found)
    if balance is not None:
        words = f"{_figures(found)}; {balance}, and that did not change within {format_duration(limit)}"
        return fail_trial(now, "SwitchDoesNotPay", words)
    figures = _figures(found) or (found.hold.message if found.hold else "nothing could be measured")
    return fail_trial(
        now, "Undecided", f"no verdict within {format_duration(limit)} (spec.evidence.trialTimeout): {figures}"
    )


def _load_fell(now: Situation) -> bool:
    """Whether the load is far below that of the last failure, and the shortest cooldown is over.

    Break-even moves with load more than with anything else, so a failure at the peak says little about the night.
    """
    memory = now.memory
    if memory.failed_at_load is None or memory.since is None or now.now - memory.since < now.policy.cooldown:
        return False
    load, factor = present_load(now), crossing.LOAD_WAS_WHY if crossing.explained(now) else LOAD_FELL
    return load is not None and 0 < load * factor < float(memory.failed_at_load)


def _serving(now: Situation) -> bool:
    fleet = now.fleet(now.stable)
    return fleet is not None and fleet.ready > 0 and fleet.settled_since is not None


def _within_budget(now: Situation) -> bool:
    return cooldown.may_switch_on(now.policy, now.memory, now.now)


def _why(now: Situation) -> str:
    if now.wished.baseline != now.stable.baseline or now.stable.speculates:
        return "SpecChanged"
    return "Rearm" if now.memory.state in (State.COOLDOWN, State.FROZEN) else "NotYetProven"


def _figures(found: Judgement) -> str:
    return found.report.message if found.report is not None else ""

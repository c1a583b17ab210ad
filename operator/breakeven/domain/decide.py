"""Decide: from what is declared, remembered and observed to what should run, what to remember and what to say.

The rules stand in the order in which they are asked; the first one that wants a change gets it, and the next pass sees
the world after it. Orders of people come first, then faults, then measurement. docs/decisions.md has the argument.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from breakeven.api.spec import Mode
from breakeven.api.status import LastGood, Memory, State
from breakeven.domain import capacity
from breakeven.domain.counters.observation import Observation
from breakeven.domain.counters.windows import batch_length
from breakeven.domain.decision import Decision, Declared
from breakeven.domain.diagnosis.diagnosis import examined
from breakeven.domain.evidence.clauses import weighed
from breakeven.domain.evidence.judge import Judgement, judge
from breakeven.domain.evidence.loss_alarm import alarmed
from breakeven.domain.report import publication
from breakeven.domain.report.conditions import findings
from breakeven.domain.report.value import counted
from breakeven.domain.rules import faults, orders, remedies, rollback, switch_off, trial
from breakeven.domain.rules.ledger import written_since
from breakeven.domain.rules.transitions import describe
from breakeven.domain.situation import Situation, situation_at

ORDERS: tuple[Callable[[Situation], Memory | None], ...] = (
    orders.mend,
    orders.begin,
    orders.follow_spec,
    orders.obey_mode,
    orders.obey_command,
)
FAULTS: tuple[Callable[[Situation], Memory | None], ...] = (
    faults.guard_canary,
    faults.guard_stable,
    faults.guard_storm,
)
MEASURED: tuple[Callable[[Situation, Judgement], Memory | None], ...] = (
    trial.end_trial,
    rollback.verify,
    switch_off.leave,
    switch_off.doubt,
    switch_off.settle_streak,
    switch_off.buy_control_when_blind,
    remedies.lengthen,
)
SOONEST = timedelta(seconds=1)
LATEST = timedelta(seconds=15)


def decide(declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
    """Decide one pass. Pure: the same input gives the same answer, and no input makes it raise."""
    start = situation_at(declared, memory, observation, now)
    here = start.with_memory(_seen_again(start))
    for order in ORDERS:
        changed = order(here)
        if changed is not None:
            here = here.with_memory(changed)
    here = here.with_memory(_verified(here))
    found = weighed(here, alarmed(here, judge(here)))
    here = here.with_memory(examined(here, found))
    here = judged = here.with_memory(counted(here, found))
    acting = declared.spec.policy.mode in (Mode.AUTO, Mode.ADVISE) and not declared.spec.policy.paused
    if acting and declared.spec.replicas > 0:
        after = _measured(here, found)
        here = here.with_memory(_advised(here, after) if declared.spec.policy.mode == Mode.ADVISE else after)
    news = written_since(memory, here.memory)
    kept = publication.renewed(
        here.memory,
        found.report,
        now,
        transition=bool(news),
        windows=found.windows,
        completed=publication.in_full(judged, found),
    )
    here = here.with_memory(kept)
    return Decision(
        memory=here.memory,
        placements=capacity.placements(here),
        news=news,
        findings=findings(here, found),
        evidence=found.report,
        hold=_hold(here, found),
        look_again=max(SOONEST, min(LATEST, batch_length(declared.spec.evidence))),
        next_window=found.next_end,
        suspects=found.suspects,
    )


def _measured(here: Situation, judgement: Judgement) -> Memory:
    """The memory after the first rule that wants a change, and after what was learned."""
    learned = switch_off.learn(here, judgement)
    if learned is not None:
        here = here.with_memory(learned)
    for fault in FAULTS:
        changed = fault(here)
        if changed is not None:
            return changed
    for rule in MEASURED:
        changed = rule(here, judgement)
        if changed is not None:
            return changed
    for quiet in (switch_off.return_control, switch_off.learn_alone, trial.begin_trial):
        changed = quiet(here)
        if changed is not None:
            return changed
    return here.memory


def _advised(before: Situation, after: Memory) -> Memory:
    """What would have been done, written down once; what runs stays as it is."""
    kept = {
        "streak": after.streak,
        "streak_verdict": after.streak_verdict,
        "last_window_end": after.last_window_end,
        "profile": after.profile,
        "profile_grew_at": after.profile_grew_at,
    }
    news = written_since(before.memory, after)
    same = before.memory.model_copy(update=kept)
    if not news or news[-1].action == before.memory.advice:
        return same
    record = news[-1].model_copy(update={"action": f"Would{news[-1].action}"})
    return same.model_copy(update={"advice": news[-1].action, "decisions": [record, *before.memory.decisions][:20]})


def _seen_again(situation: Situation) -> Memory:
    """Remember since when there is no evidence, and that what came before its return does not count."""
    memory, outage = situation.memory, situation.observation.outage
    if outage is not None and memory.blind_since is None:
        return memory.model_copy(update={"blind_since": situation.time})
    if outage is None and memory.blind_since is not None:
        forgotten = {"streak": 0, "streak_verdict": "", "last_window_end": None}
        return memory.model_copy(update={"blind_since": None, "evidence_after": situation.time, **forgotten})
    return memory


def _verified(situation: Situation) -> Memory:
    """The first variant that serves is where a rollback goes, until something better is measured."""
    memory, stable = situation.memory, situation.memory.stable
    if memory.last_good is not None or stable is None or situation.on_trial:
        return memory
    fleet = situation.fleet(stable)
    if fleet is None or fleet.ready == 0 or fleet.settled_since is None:
        return memory
    reason = f"{describe(stable)} serves; nothing was measured against it yet"
    return memory.model_copy(update={"last_good": LastGood(variant=stable, verified_at=situation.time, reason=reason)})


def _hold(situation: Situation, judgement: Judgement) -> str:
    if situation.policy.paused:
        return "Paused: spec.policy.paused is true"
    if situation.spec.replicas == 0:
        return "ScaledToZero: no replica is declared"
    if judgement.hold is not None:
        return str(judgement.hold)
    blocked = situation.memory.state in (State.BASELINE, State.COOLDOWN) and situation.wished.speculates
    if blocked and situation.policy.mode == Mode.AUTO and not capacity.can_try(situation):
        return f"NoCapacity: {capacity.needs(situation.memory)}"
    return ""

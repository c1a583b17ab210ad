"""Decide: from what is declared, remembered and observed to what should run, what to remember and what to say."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from breakeven.api.changes import changed
from breakeven.api.spec import Mode
from breakeven.api.status import DecisionRecord, LastGood, Memory, State
from breakeven.api.vocabulary import HoldReason, StayReason
from breakeven.domain import capacity, quiet
from breakeven.domain.answer import Answer, Note, Stay, Transition
from breakeven.domain.counters.observation import Observation
from breakeven.domain.counters.windows import batch_length
from breakeven.domain.decision import Decision, Declared, Hold
from breakeven.domain.diagnosis.diagnosis import examined
from breakeven.domain.evidence.clauses import weighed
from breakeven.domain.evidence.judge import judge
from breakeven.domain.evidence.judgement import Held, Judgement
from breakeven.domain.evidence.loss_alarm import alarmed
from breakeven.domain.report import publication
from breakeven.domain.report.conditions import findings
from breakeven.domain.report.sentences import worded
from breakeven.domain.report.value import with_value
from breakeven.domain.rules import (
    bursts,
    bystander,
    different_answers,
    faults,
    hours,
    live_control,
    orders,
    remedies,
    rollback,
    switch_off,
    trial,
    unused,
)
from breakeven.domain.rules.ledger import apply, record_of, with_record
from breakeven.domain.rules.slots import slots
from breakeven.domain.rules.transitions import drafting
from breakeven.domain.situation import Situation, situation_at

ORDERS: tuple[Callable[[Situation], Answer], ...] = (
    orders.mend,
    orders.begin,
    orders.forget_tries,
    orders.supersede,
    orders.follow_spec,
    orders.obey_mode,
    orders.obey_command,
)
"""What people ask for. All are asked, one after the other, each with what the one before it changed."""
FAULTS: tuple[Callable[[Situation], Answer], ...] = (
    faults.guard_canary,
    different_answers.guard_answers,
    unused.guard_unused,
    faults.guard_stable,
    faults.guard_storm,
)
"""What acts within minutes and needs no statistics."""
MEASURED: tuple[Callable[[Situation, Judgement], Answer], ...] = (
    bystander.lost,
    trial.end_trial,
    rollback.verify,
    switch_off.leave,
    live_control.doubt,
    live_control.buy_when_blind,
    remedies.lengthen,
)
"""What the judgement says."""
LEARNED: tuple[Callable[[Situation, Judgement], Note | None], ...] = (
    live_control.learn,
    hours.learn,
    bursts.waited_out,
)
"""What is remembered of it, before anything is decided."""
UNHURRIED: tuple[Callable[[Situation], Answer], ...] = (
    live_control.return_control,
    live_control.learn_alone,
    trial.begin_trial,
)
"""What has time until nothing else wants a change."""
SOONEST = timedelta(seconds=1)
LATEST = timedelta(seconds=15)


def decide(declared: Declared, memory: Memory, observation: Observation, now: datetime) -> Decision:
    """Decide one pass. Pure: the same input gives the same answer, and no input makes it raise.

    1. The end of an outage is noted; then every rule of `ORDERS` is asked and applied, one after the other.
    2. The windows are judged, the sequential alarm and the user's own clauses may overrule that, a cause is looked for,
       and the value of what was judged is added up.
    3. Unless paused, pinned, or scaled to zero: what the live control measured is learned; then `FAULTS`, `MEASURED`
       and `UNHURRIED` are asked in this order until one answers with a transition, a note, or a `Stay` that ends the
       pass. The next pass sees the world after it. With mode Advise, a transition is written down and not carried out.
    4. Why nothing was changed, conditions and figures are reported.
    """
    start = situation_at(declared, memory, observation, now)
    here, ordered = _obeyed(start.with_memory(_after_outage(start)))
    here = here.with_memory(_verified(here))
    judgement = weighed(here, alarmed(here, judge(here)))
    here = here.with_memory(examined(here, judgement))
    here = judged = here.with_memory(with_value(here, judgement))
    stay = _idle(here)
    done: tuple[DecisionRecord, ...] = ()
    if stay is None:
        here, done, stay = _acted(here, judgement)
    news = (*ordered, *done)
    report = publication.Fresh(live=judgement.report, windows=judgement.windows, transition=bool(news))
    kept = publication.renewed(here.memory, report, now, in_full=publication.in_full(judged, judgement))
    here = here.with_memory(kept)
    return Decision(
        memory=here.memory,
        placements=capacity.placements(here),
        rota=capacity.rota(here),
        slots=slots(here),
        news=news,
        findings=findings(here, judgement),
        evidence=judgement.report,
        hold=_hold(here, judgement),
        stay=None if news else stay or _not_judged(judgement),
        look_again=max(SOONEST, min(LATEST, batch_length(declared.spec.evidence))),
        next_window=judgement.next_end,
        suspects=judgement.suspects,
        asks=None if judgement.suspects else quiet.watch(here, judgement).asks,
    )


def _obeyed(situation: Situation) -> tuple[Situation, tuple[DecisionRecord, ...]]:
    """What people ask for, carried out."""
    news: tuple[DecisionRecord, ...] = ()
    for order in ORDERS:
        answer = order(situation)
        if isinstance(answer, Transition | Note):
            situation, lines = apply(situation, _worded(situation, answer, None))
            news += lines
    return situation, news


def _acted(situation: Situation, judgement: Judgement) -> tuple[Situation, tuple[DecisionRecord, ...], Stay | None]:
    """What was learned, and the answer of the first rule that ends the pass; the first reason to stay, if it does."""
    for learned in (rule(situation, judgement) for rule in LEARNED):
        if learned is not None:
            situation, _ = apply(situation, learned)
    stay = _advice(situation)
    for answer in _answers(situation, judgement):
        if isinstance(answer, Stay):
            stay = stay or answer
            if answer.ends:
                return situation, (), stay
            continue
        if situation.policy.mode == Mode.ADVISE and isinstance(answer, Transition):
            return _advised(situation, answer, judgement)
        applied = apply(situation, _worded(situation, answer, judgement))
        return *applied, stay if isinstance(answer, Note) else None
    return situation, (), stay


def _answers(situation: Situation, judgement: Judgement) -> Iterator[Transition | Note | Stay]:
    """The answers of the rules, in the order asked; a rule is asked only when the answer is wanted."""
    yield from filter(None, (fault(situation) for fault in FAULTS))
    yield from filter(None, (rule(situation, judgement) for rule in MEASURED))
    yield from filter(None, (rule(situation) for rule in UNHURRIED))


def _worded(situation: Situation, answer: Transition | Note, judgement: Judgement | None) -> Transition | Note:
    """A decision begins with a sentence; a note is as it is."""
    return worded(situation, answer, judgement) if isinstance(answer, Transition) else answer


def _advised(
    situation: Situation, wanted: Transition, judgement: Judgement
) -> tuple[Situation, tuple[DecisionRecord, ...], Stay | None]:
    """What would have been done, written down once; what runs stays as it is, and what was measured is kept."""
    before = situation.memory
    memory = changed(
        before,
        profile_grew_at=wanted.changes.get("profile_grew_at", before.profile_grew_at),
    )
    if wanted.action == before.advice:
        return situation.with_memory(memory), (), _advice(situation)
    record = record_of(situation, worded(situation, wanted, judgement, advised=True), advised=True)
    return situation.with_memory(with_record(changed(memory, advice=wanted.action.value), record)), (record,), None


def _advice(situation: Situation) -> Stay | None:
    """What stands as advice, as long as nothing else was advised."""
    advice = situation.memory.advice
    if situation.policy.mode != Mode.ADVISE or not advice:
        return None
    message = f"spec.policy.mode is Advise: the last advice is {advice}, with its figures in status.history"
    return Stay(reason=StayReason.ADVISE_ONLY, message=message)


def _after_outage(situation: Situation) -> Memory:
    """Remember since when there is no evidence, and that what came before its return does not count."""
    memory, outage = situation.memory, situation.observation.outage
    if outage is not None and memory.blind_since is None:
        return changed(memory, blind_since=situation.time)
    if outage is None and memory.blind_since is not None:
        return changed(memory, blind_since=None, evidence_after=situation.time)
    return memory


def _verified(situation: Situation) -> Memory:
    """The first variant that serves is where a rollback goes, until something better is measured."""
    memory, stable = situation.memory, situation.memory.stable
    if memory.last_good is not None or stable is None or situation.on_trial:
        return memory
    fleet = situation.fleet(stable)
    if fleet is None or fleet.ready == 0 or fleet.settled_since is None:
        return memory
    reason = f"{drafting(stable)} serves; nothing was measured against it yet"
    return changed(memory, last_good=LastGood(variant=stable, verified_at=situation.time, reason=reason))


def _idle(situation: Situation) -> Stay | None:
    """Why no rule is asked at all."""
    mode = situation.policy.mode
    if situation.policy.paused:
        return Stay(reason=StayReason.PAUSED, message="spec.policy.paused is true")
    if mode in (Mode.ALWAYS_ON, Mode.ALWAYS_OFF):
        return Stay(reason=StayReason.PINNED, message=f"spec.policy.mode is {mode}")
    if situation.spec.replicas == 0:
        return Stay(reason=StayReason.SCALED_TO_ZERO, message="no replica is declared")
    return None


def _not_judged(judgement: Judgement) -> Stay | None:
    """Nothing was wanted, but nothing was judged either."""
    if not isinstance(judgement, Held):
        return None
    return Stay(reason=StayReason.NOT_JUDGED, message="nothing is judged at the moment; status.hold says why")


def _hold(situation: Situation, judgement: Judgement) -> Hold | None:
    if situation.policy.paused:
        return Hold(reason=HoldReason.PAUSED, message="spec.policy.paused is true")
    if situation.spec.replicas == 0:
        return Hold(reason=HoldReason.SCALED_TO_ZERO, message="no replica is declared")
    if isinstance(judgement, Held):
        return judgement.hold
    blocked = situation.memory.state in (State.BASELINE, State.COOLDOWN) and situation.wished.speculates
    if blocked and situation.policy.mode == Mode.AUTO and not capacity.can_try(situation):
        return Hold(reason=HoldReason.NO_CAPACITY, message=capacity.needs(situation))
    return None

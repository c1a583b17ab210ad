"""The line that `kubectl get` shows of a resource: what is wrong now, else what was decided last. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from breakeven.api.conditions import ConditionType, Reason, find_condition
from breakeven.api.status import Condition, Memory, ValueReport, ValueStatus
from breakeven.api.text import first_sentence, plain, sentence

LONGEST = 160
"""Characters of the message: a line of a wide terminal with the other columns."""
_WRONG: tuple[tuple[ConditionType, str], ...] = (
    (ConditionType.STALLED, "True"),
    (ConditionType.READY, "False"),
    (ConditionType.METRICS_AVAILABLE, "False"),
    (ConditionType.CAPACITY_AVAILABLE, "False"),
    (ConditionType.FOREIGN_OBJECTS, "True"),
    (ConditionType.PAUSED, "True"),
)
"""What comes before the last decision, the worst first."""
_ON_THEIR_WAY = Reason.REPLICAS_UNREADY
"""Replicas that load are no fault; the column READY counts them."""


class Headline(NamedTuple):
    """Reason and message of one condition, short."""

    reason: str
    message: str


def headline(conditions: Sequence[Condition]) -> Headline:
    """What is wrong now, else what SpeculationActive says; empty before anything was reported."""
    wrong = (_wrong(find_condition(conditions, kind), status) for kind, status in _WRONG)
    shown = next((c for c in wrong if c is not None), find_condition(conditions, ConditionType.SPECULATION_ACTIVE))
    if shown is None:
        return Headline("", "")
    return Headline(shown.reason[:64], plain(first_sentence(sentence(shown.message)), LONGEST))


def _wrong(condition: Condition | None, status: str) -> Condition | None:
    if condition is None or condition.status != status or condition.reason == _ON_THEIR_WAY:
        return None
    return condition


def present_speedup(memory: Memory) -> Decimal | None:
    """S of what serves, or of a canary against no speculation; None while it was not measured since that began.

    A promotion rests on figures of the variant that serves from then on.
    """
    stable, evidence = memory.stable, memory.evidence
    if stable is None or evidence is None or evidence.window_end is None or memory.since is None:
        return None
    speculates = stable.speculates if memory.canary is None else memory.canary.speculates and not stable.speculates
    good, reference = memory.last_good, memory.reference
    promoted = good is not None and good.verified_at == memory.since and reference is not None
    return evidence.speedup if speculates and (promoted or evidence.window_end > memory.since) else None


def command_answer(memory: Memory) -> str:
    """What became of the annotation breakeven.dev/command; empty when there is none."""
    if not memory.command:
        return ""
    if memory.command_refused:
        return f"{memory.command}: refused, {memory.command_refused}"
    return f"{memory.command}: carried out"


def value_report(value: ValueStatus | None) -> ValueReport | None:
    """The sums without the hours that they are made of."""
    if value is None:
        return None
    return ValueReport(
        counted_until=value.counted_until, since=value.since, since_verdict=value.since_verdict, day=value.day
    )

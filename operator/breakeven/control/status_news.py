"""Whether a status says anything new: what is worth a write, and what is worth an Event. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from breakeven.api.base import StatusModel
from breakeven.api.conditions import ConditionType, Reason, find_condition
from breakeven.api.status import Condition, DecisionRecord, Details, Memory, State, Status, VariantStatus
from breakeven.api.vocabulary import Action
from breakeven.domain.report.value import worth_writing

_DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
_TEXTS = ("conditions", "hold", "message")
_SUMS = "value"
"""Grows with every batch, and `gain` says it in words; `worth_writing` says when that is news."""
_PARTS = ("memory", "details")
_ROTA = ("awake", "arms")
"""What follows the rota of warm replicas: no news where what serves takes turns with its control all day."""
_ELSEWHERE = {*_TEXTS, *_PARTS, *_ROTA, "gain"}
_EXACT = tuple(f for f in Status.model_fields if f not in _ELSEWHERE)
"""Fields in which every difference is news."""
_REMEMBERED = tuple(f for f in Memory.model_fields if f != _SUMS)
"""The same of the memory."""
_SWITCHED = ("switching", "variants")
"""The same in the details."""
_DETAILED = tuple(f for f in Details.model_fields if f not in (_SUMS, *_SWITCHED))
"""The same of the details."""
_STANDS_OUT = (Action.DISABLE, Action.ROLL_BACK, Action.FREEZE)
_NEED_A_PERSON = (
    Reason.OUTLIER_REPLICA,
    Reason.NOT_DRAFTING,
    Reason.DRAFTS_UNASKED,
    Reason.NOTHING_ACCEPTED,
    Reason.EVERYTHING_ACCEPTED,
)
"""Causes with an Event of their own; the others stand in the decisions they lead to."""
_BAD = {
    ConditionType.STALLED: "True",
    ConditionType.CAPACITY_AVAILABLE: "False",
    ConditionType.METRICS_AVAILABLE: "False",
    ConditionType.CONFIGURATION_VALID: "False",
    ConditionType.FOREIGN_OBJECTS: "True",
    ConditionType.WARM_SWITCHING: "False",
}


def is_news(new: Status, old: Status) -> bool:
    """Whether the new status is worth a write.

    In what `decide` remembers every difference is news, but for the sums of value, which grow with every batch. Digits
    inside the texts of conditions and of `hold` are none, or a steady resource would write on every pass. They are
    renewed with the next write.
    """
    if worth_writing(new.memory.value, old.memory.value) or _arms(new) != _arms(old):
        return True
    same = _same(new, old, _EXACT) and _same(new.memory, old.memory, _REMEMBERED)
    if same and _same(new.details, old.details, _DETAILED):
        return bool(_without_digits(new) != _without_digits(old))
    # Equal values can look different here and the same when written, such as times with microseconds.
    return bool(_as_written(new) != _as_written(old))


def _arms(status: Status) -> Sequence[VariantStatus]:
    """Replicas by variant; which of two in a replica is awake only where it stays so, and in a trial."""
    takes_turns = status.state is State.SPECULATING and status.memory.holdback
    return [v.model_copy(update={"awake": None}) if takes_turns else v for v in status.details.variants]


def stands_out(decision: DecisionRecord) -> bool:
    """Whether the Event of a decision is a Warning: what served better is gone, or an engine failed."""
    return decision.action in _STANDS_OUT or decision.reason in (Reason.ENGINE_FAILING, Reason.ANSWERS_DIFFER)


def turned_bad(new: Status, old: Status) -> Sequence[Condition]:
    """Conditions that turned bad in this pass and deserve an Event of their own."""
    bad = dict(_BAD)
    diagnosis = find_condition(new.conditions, ConditionType.DIAGNOSIS)
    if diagnosis and diagnosis.reason in _NEED_A_PERSON:
        bad[ConditionType.DIAGNOSIS] = "True"
    turned = []
    for kind, value in bad.items():
        now, before = find_condition(new.conditions, kind), find_condition(old.conditions, kind)
        if now and now.status == value and (before is None or (before.status, before.reason) != (value, now.reason)):
            turned.append(now)
    return turned


def _same(new: StatusModel, old: StatusModel, fields: Sequence[str]) -> bool:
    return all(a is b or a == b for a, b in ((getattr(new, f), getattr(old, f)) for f in fields))


def _as_written(status: Status) -> Any:
    return (
        status.model_dump(mode="json", exclude_none=True, exclude=_ELSEWHERE),
        status.memory.model_dump(mode="json", exclude_none=True, exclude={_SUMS}),
        status.details.model_dump(mode="json", exclude_none=True, exclude={_SUMS, *_SWITCHED}),
        _without_digits(status),
    )


def _without_digits(status: Status) -> Any:
    return (
        _DIGITS.sub("#", status.hold),
        _DIGITS.sub("#", status.message),
        [(c.type, c.status, c.reason, _DIGITS.sub("#", c.message)) for c in status.conditions],
        {c.observed_generation for c in status.conditions},
    )

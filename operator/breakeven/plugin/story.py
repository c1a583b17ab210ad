"""The whole answer to "why?": the decision in full, what holds it, every condition that says something. Pure."""

from datetime import datetime

from breakeven.api.conditions import CONDITIONS, ConditionType, meaning_of
from breakeven.api.status import Condition
from breakeven.plugin.moments import since
from breakeven.plugin.outlook import outlook
from breakeven.plugin.resources import Found

DECISIONS = 3
"""Of the ledger, in full; `history` has the others."""


def story(found: Found, now: datetime) -> list[tuple[str, str]]:
    """Labelled paragraphs, in the order in which one asks."""
    status, ahead = found.status, outlook(found.name, found.spec, found.status, now)
    told = [(f"{c.type}={c.status}", _told(c, now)) for c in status.conditions if _says_something(c)]
    decided = [
        (f"{d.action} {d.reason}", f"{since(d.at, now)}: {d.message}") for d in status.memory.decisions[:DECISIONS]
    ]
    lines = [
        ("now", status.message),
        *told,
        ("not judged", status.hold),
        ("waits", status.waiting),
        ("figures", status.figures),
        ("plan", status.outlook),
        ("remarks", status.remarks),
        ("unread", found.unread),
        ("next", ahead.next),
        ("changes it", ahead.changes),
        *decided,
    ]
    return [(label, text) for label, text in lines if text]


def _says_something(condition: Condition) -> bool:
    return bool(condition.message) and condition.type != ConditionType.RECONCILING


def _told(condition: Condition, now: datetime) -> str:
    """The reason with its meaning, when that is not what the message says anyway."""
    known = condition.type in tuple(CONDITIONS)
    meaning = meaning_of(ConditionType(condition.type), condition.reason) if known else ""
    words = (
        condition.message if not meaning or condition.message.startswith(meaning) else f"{meaning} {condition.message}"
    )
    return f"{condition.reason}, since {since(condition.last_transition_time, now)}: {words}"

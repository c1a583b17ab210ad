"""One screen about one resource: state, why, figures, what comes next, and what would change it. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from breakeven.api.conditions import ConditionType, Reason, find_condition
from breakeven.api.price import Price
from breakeven.api.scalars import format_time
from breakeven.api.status import Condition, Status
from breakeven.api.value import ValueSums
from breakeven.plugin.moments import clock, since
from breakeven.plugin.outlook import outlook
from breakeven.plugin.resources import Found

_WRONG: tuple[tuple[ConditionType, str], ...] = (
    (ConditionType.STALLED, "True"),
    (ConditionType.CONFIGURATION_VALID, "False"),
    (ConditionType.READY, "False"),
    (ConditionType.METRICS_AVAILABLE, "False"),
    (ConditionType.CAPACITY_AVAILABLE, "False"),
    (ConditionType.FOREIGN_OBJECTS, "True"),
)
"""Conditions that may need a person, the worst first."""
_PASSING = (Reason.REPLICAS_UNREADY, Reason.OUTSIDE_WINDOW)
"""Reasons that pass by themselves: replicas load, or a switch waits for its hour."""
_WARNS: tuple[tuple[ConditionType, str], ...] = (
    (ConditionType.DIAGNOSIS, "True"),
    (ConditionType.ACCEPTANCE_HEALTHY, "False"),
    (ConditionType.MEMORY_BUDGET, "False"),
    (ConditionType.ENGINE_VERSION_KNOWN, "False"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What `status` shows. Texts are sentences for people; `figures` are numbers for programs."""

    namespace: str
    name: str
    state: str
    since: str
    """When the state was entered, RFC 3339; empty before anything was reported."""
    mode: str
    ready: str
    """Replicas that serve / declared ones."""
    engine: str
    """Version of vLLM that the arguments are rendered for."""
    speculating: bool
    why: str
    replicas: Sequence[str]
    """One line a variant."""
    figures: dict[str, Any]
    """S, its bounds, E, R, acceptance and break-even, as far as they were measured."""
    measured: str
    """The same in words."""
    gained: str
    hold: str
    """Why nothing is judged; empty while judging."""
    waiting: str
    """Why nothing is changed; empty when something was, or nothing is wanted."""
    next: str
    changes: str
    attention: Sequence[str]
    """What a person should look at, the worst first."""
    command: str
    """What became of the last one-shot command."""
    remarks: str
    needs_person: bool
    """Whether anything is wrong, as `--exit-code` reports it."""

    def document(self) -> dict[str, Any]:
        """The card for programs."""
        return asdict(self)


def card(found: Found, now: datetime, *, gpu_hour: Price | None = None) -> Card:
    """The card of a resource. `gpu_hour` is OpenCost's price, for where the operator has none."""
    status, spec = found.status, found.spec
    ahead, attention = outlook(found.name, spec, status, now), _attention(found)
    active = find_condition(status.conditions, ConditionType.SPECULATION_ACTIVE)
    return Card(
        namespace=found.namespace,
        name=found.name,
        state=str(status.state) if found.reported else "",
        since=format_time(status.since) if status.since else "",
        mode=str(spec.policy.mode) if spec else "",
        ready=status.ready,
        engine=status.engine_version,
        speculating=bool(status.memory.stable and status.memory.stable.speculates),
        why=active.message if active else status.message,
        replicas=status.arms,
        figures=_figures(status),
        measured=status.figures,
        gained=gained(status, gpu_hour),
        hold=status.hold,
        waiting=status.waiting,
        next=ahead.next,
        changes=ahead.changes,
        attention=[line for line, _ in attention],
        command=status.command,
        remarks=status.remarks,
        needs_person=not found.reported or any(wrong for _, wrong in attention),
    )


def gained(status: Status, price: Price | None) -> str:
    """The gain in words; with OpenCost's price, where the operator has none, in money too."""
    value = status.details.value
    if value is None or price is None or status.details.price is not None:
        return status.gain
    worth = price.shown(price.of(value.day.replica_hours))
    return f"{status.gain} Worth {worth} at {price.shown(price.gpu_hour)} a GPU-hour (OpenCost)."


def _figures(status: Status) -> dict[str, Any]:
    evidence, value = status.details.evidence, status.details.value
    shown: dict[str, Any] = {}
    if evidence is not None:
        fields = (
            "speedup", "speedup_lower", "speedup_upper", "tokens_per_step", "inflation", "acceptance",
            "break_even_acceptance", "tpot_off_ms", "tpot_on_ms", "load", "requests",
        )  # fmt: skip
        shown = {name: _number(getattr(evidence, name)) for name in fields if getattr(evidence, name) is not None}
        if evidence.window_end is not None:
            shown["window_end"] = format_time(evidence.window_end)
    if value is not None:
        shown["day"] = {name: _number(getattr(value.day, name)) for name in ValueSums.model_fields}
    return shown


def _number(value: Decimal | int) -> float | int:
    return float(value) if isinstance(value, Decimal) else value


def _attention(found: Found) -> list[tuple[str, bool]]:
    """What a person should look at, and whether that is wrong or only worth knowing."""
    lines: list[tuple[str, bool]] = []
    if found.unread:
        lines.append((found.unread, True))
    if found.reported and found.outdated:
        lines.append(("The spec is newer than this report: the operator has not looked at it yet.", False))
    for kinds, wrong in ((_WRONG, True), (_WARNS, False)):
        for kind, bad in kinds:
            condition = find_condition(found.status.conditions, kind)
            if condition is not None and condition.status == bad:
                lines.append((_line(condition), wrong and condition.reason not in _PASSING))
    return _without_repeats(lines)


def _line(condition: Condition) -> str:
    return f"{condition.type}={condition.status} {condition.reason}: {condition.message}"


def _without_repeats(lines: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """A refused spec says the same in three conditions; the first is enough."""
    seen: set[str] = set()
    kept = []
    for line, wrong in lines:
        message = line.partition(": ")[2]
        if message not in seen:
            kept.append((line, wrong))
        seen.add(message)
    return kept


def rows(card: Card, now: datetime, status: Status) -> list[tuple[str, str]]:
    """The card as labelled lines, those that have something to say."""
    entered = f" since {since(status.since, now)}" if status.since else ""
    facts = [
        f"{card.ready} ready" if card.ready else "",
        f"vLLM {card.engine}" if card.engine else "",
        f"mode {card.mode}",
    ]
    lines = [
        ("state", f"{card.state or 'not reported'}{entered}; " + ", ".join(f for f in facts if f)),
        ("why", card.why),
        *[("replicas" if place == 0 else "", line) for place, line in enumerate(card.replicas)],
        ("figures", card.measured),
        ("gained", card.gained),
        ("not judged", card.hold),
        ("waits", card.waiting),
        ("next", card.next),
        ("changes it", card.changes),
        ("command", card.command),
        (
            "remarks",
            f"{card.remarks.count('; ') + 1}: `kubectl breakeven why {card.name}` has them" if card.remarks else "",
        ),
        *[("look at" if place == 0 else "", line) for place, line in enumerate(card.attention)],
    ]
    return [(label, text) for label, text in lines if text]


def fleet_row(found: Found, now: datetime) -> list[str]:
    """One resource in the table of several."""
    status = found.status
    entered = clock(status.since, now) if status.since else ""
    speedup = f"{status.speedup}" if status.speedup is not None else ""
    state = str(status.state) if found.reported else "not reported"
    return [found.namespace, found.name, status.ready, state, entered, speedup, status.reason, status.message]


FLEET_COLUMNS = ("namespace", "name", "ready", "state", "since", "speedup", "reason", "message")

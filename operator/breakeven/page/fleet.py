"""The table of all resources: one line each. Read without the memory, which is the larger part of a status."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from breakeven.api.conditions import ConditionType, find_condition
from breakeven.api.status import Status
from breakeven.page.text import NONE, Html, Table, element, joined, said, table
from breakeven.plugin.card import card
from breakeven.plugin.moments import since
from breakeven.plugin.resources import Found

COLUMNS = (
    "Resource", "State", "S [bounds]", "Acceptance / break-even", "Replicas by variant", "Gained in 24 h",
    "Last decision", "Why",
)  # fmt: skip


def fleet(bodies: Sequence[Mapping[str, Any]], now: datetime) -> Html:
    """The table, those that need a person first, then by namespace and name."""
    if not bodies:
        return joined(
            [
                element("h1", said("No SpeculativeDeployment yet")),
                element("p", said("This operator watches and has found none. It shows up here once one is applied.")),
            ]
        )
    found = sorted((without_memory(body) for body in bodies), key=lambda f: (f.namespace, f.name))
    wrong = {(f.namespace, f.name): card(f, now).needs_person for f in found}
    ordered = sorted(found, key=lambda f: not wrong[f.namespace, f.name])
    rows = [_row(each, now, wrong=wrong[each.namespace, each.name]) for each in ordered]
    on = sum(speculates(each.status) for each in found)
    many = f"{len(found)} resource{'' if len(found) == 1 else 's'}, {on} with speculation"
    headline = f"{many}, {sum(wrong.values())} to look at" if any(wrong.values()) else many
    kind = "bad" if any(wrong.values()) else "good"
    return joined([element("h1", said(headline), kind), table(Table("All resources", COLUMNS, rows))])


def without_memory(body: Mapping[str, Any]) -> Found:
    """A resource as the fleet shows it: neither spec nor memory are read, so that a thousand are quick."""
    given, metadata, unread = body.get("status"), body["metadata"], ""
    status = Status()
    try:
        status = Status.model_validate({k: v for k, v in given.items() if k != "memory"} if given else {})
    except (ValidationError, AttributeError, TypeError):
        unread = "status: it was written by another release of the operator, or by hand"
    return Found(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata.get("name", "")),
        body={"metadata": metadata},
        spec=None,
        status=status,
        unread=unread,
    )


def speculates(status: Status) -> bool:
    """Whether what serves speculates."""
    active = find_condition(status.conditions, ConditionType.SPECULATION_ACTIVE)
    return active is not None and active.status == "True"


def state_tag(found: Found, *, wrong: bool) -> Html:
    """The state, marked by colour and, where a person is needed, in words."""
    state = str(found.status.state) if found.reported else "Not reported"
    kind = "wrong" if wrong else "on" if speculates(found.status) else ""
    return Html(f"<span class='tag {kind}'>{said(state)}{', look at it' if wrong else ''}</span>")


def _row(found: Found, now: datetime, *, wrong: bool) -> list[Html]:
    status = found.status
    entered = f"<br><span class='caption'>{said(since(status.since, now))}</span>" if status.since else ""
    address = f"/{quote(found.namespace, safe='')}/{quote(found.name, safe='')}"
    return [
        Html(f"<a href='{address}'>{said(found.namespace)}/{said(found.name)}</a>"),
        Html(f"{state_tag(found, wrong=wrong)}{entered}"),
        _speedup(status),
        _acceptance(status),
        Html("<br>".join(said(line) for line in status.arms)) or NONE,
        said(status.gain) or NONE,
        said(status.history[0]) if status.history else NONE,
        said(found.unread or why(status)) or NONE,
    ]


def why(status: Status) -> str:
    """Why it is as it is: what is wrong, else what holds it, else what it waits for, else what was decided."""
    return status.message or status.hold or status.waiting


def _speedup(status: Status) -> Html:
    evidence = status.details.evidence
    if evidence is None or evidence.speedup is None:
        return NONE
    bounds = f"[{_shown(evidence.speedup_lower)}, {_shown(evidence.speedup_upper)}]"
    return Html(f"{said(evidence.speedup)}<br><span class='caption'>{said(bounds)}</span>")


def _acceptance(status: Status) -> Html:
    evidence = status.details.evidence
    if evidence is None or evidence.acceptance is None:
        return NONE
    return said(f"{evidence.acceptance} / {_shown(evidence.break_even_acceptance)}")


def _shown(value: Decimal | None) -> str:
    return "–" if value is None else str(value)

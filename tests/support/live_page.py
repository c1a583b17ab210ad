"""What a live page is made of: a resource in every state, its past, and one whose every text is a script."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.support.fake_kubectl import resource as sample
from tests.support.reports import NOW, full_reports

from breakeven.api.status import Condition, State, Status
from breakeven.page.history import Sample

LATER = NOW + timedelta(minutes=12)
REPORTS: Mapping[State, Status] = full_reports(sample()["spec"])
HOSTILE = "<script>\"'\x1b\u202e"
"""As short as the shortest text may be."""


def body(state: State, **metadata: Any) -> dict[str, Any]:
    return sample(REPORTS[state], **metadata)


def refused(message: str) -> dict[str, Any]:
    made = [
        Condition(type=kind, status=status, reason="InvalidConfiguration", message=message, last_transition_time=NOW)
        for kind, status in (("Stalled", "True"), ("ConfigurationValid", "False"))
    ]
    return sample(Status(conditions=made, message=message, reason="InvalidConfiguration"))


def past() -> list[Sample]:
    def at(minutes: float) -> Any:
        return NOW + timedelta(minutes=minutes)

    return [
        Sample(at(-30), 0, 4),
        Sample(at(-20), 1, 3, at(-20), 1.4, 1.2, 1.6, 0.6, 0.25, 900.0),
        Sample(at(-10), 3, 1, at(-10), 1.5, 1.3, 1.7, 0.65, 0.25, 950.0),
        Sample(at(-5), 0, 4),
        Sample(at(0), 3, 1, at(0), 1.3, 1.2, 1.4, 0.55, 0.3, 800.0),
    ]


def spoiled(part: Any, texts: frozenset[str]) -> Any:
    """The same with a script in every one of these texts, wherever they are."""
    if isinstance(part, dict):
        return {k: (_script(v) if k in texts else spoiled(v, texts)) for k, v in part.items()}
    return [spoiled(each, texts) for each in part] if isinstance(part, list) else part


def _script(value: Any) -> Any:
    return [HOSTILE for _ in value] if isinstance(value, list) else HOSTILE


def hostile() -> dict[str, Any]:
    made = sample(REPORTS[State.SPECULATING], namespace=HOSTILE, name=HOSTILE)
    status = made["status"]
    memory, details = (json.loads(status.pop(name)) for name in ("memory", "details"))
    words = frozenset({"message", "reason", "action", "verdict"})
    memory["decisions"] = spoiled(memory["decisions"], words)
    report = spoiled(
        status, words | {"arms", "history", "gain", "hold", "waiting", "remarks", "ready", "engineVersion"}
    )
    made["status"] = {**report, "memory": memory, "details": spoiled(details, words | {"name", "speculation"})}
    return made

"""Which variant serves, as a status says it, and what the load generator counted: for the story of warm replicas."""

import json
from collections.abc import Mapping
from typing import Any

from breakeven.demo.details import details

Status = Mapping[str, Any]


def serves(status: Status, *, speculating: bool) -> bool:
    """Whether the operator wants speculation on, or off, and every replica that serves does so: by what is awake in
    warm replicas.
    """
    if status.get("state") != ("Speculating" if speculating else "Baseline"):
        return False
    there = {True: 0, False: 0}
    for variant in details(status).get("variants") or []:
        awake = variant.get("awake")
        there[bool(variant["speculates"])] += variant["ready"] if awake is None else awake
    return there[speculating] > 0 and there[not speculating] == 0


def counted(log: str) -> tuple[int, int]:
    """Requests that ended, and those of them that failed, as `breakeven load` said at its end; none when it did not."""
    at = log.find("{")
    total = json.loads(log[at:])["total"] if at >= 0 else {}
    return total.get("finished", 0) + total.get("failed", 0), total.get("failed", 0)

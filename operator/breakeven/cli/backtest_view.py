"""How `breakeven backtest` shows its result."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from breakeven.api.scalars import format_time
from breakeven.backtest.recorded import RecordedArm
from breakeven.domain.replay import ASSUMPTIONS, Held, Replay


def as_json(replay: Replay, arms: Sequence[RecordedArm], *, begins: datetime, ends: datetime) -> str:
    """The result for programs."""
    document: dict[str, Any] = {
        "from": format_time(begins),
        "to": format_time(ends),
        "arms": {name: _arm(arm) for name, arm in zip(("on", "off"), arms, strict=True)},
        "decisions": [
            {
                **d.record.model_dump(mode="json", by_alias=True),
                "state": d.state.value,
                "evidence": _plain(d.evidence),
            }
            for d in replay.decided
        ],
        "holds": [
            {
                "since": format_time(h.since),
                "until": format_time(h.until),
                "reason": h.why.reason,
                "message": str(h.why),
            }
            for h in replay.held
        ],
        "hoursIn": {state.value: round(seconds / 3600, 3) for state, seconds in replay.seconds_in.items()},
        "state": replay.memory.state.value,
        "speculating": bool(replay.memory.stable is not None and replay.memory.stable.speculates),
        "evidence": _plain(replay.evidence),
        "assumptions": list(ASSUMPTIONS),
    }
    return json.dumps(document, indent=2)


def _plain(evidence: Any) -> Any:
    return evidence.model_dump(mode="json", by_alias=True, exclude_none=True) if evidence is not None else None


def _arm(arm: RecordedArm) -> dict[str, Any]:
    nodes = sorted(set(arm.nodes.values()))
    return {"selector": arm.matchers, "replicas": sorted(arm.seen), "nodes": nodes, "samples": arm.samples}


def show(replay: Replay, arms: Sequence[RecordedArm], *, begins: datetime, ends: datetime) -> None:
    """Print the decisions in order of time, then what held them back, then where it would stand."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{format_time(begins)} to {format_time(ends)}, touching nothing", style="dim")
    for name, arm in zip(("on", "off"), arms, strict=True):
        where = f" on {len(set(arm.nodes.values()))} nodes" if arm.nodes else ""
        console.print(f"{name:>3}: {len(arm.seen)} replicas{where}, {{{arm.matchers}}}", style="dim", markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("at", "decision", "then", "why"):
        table.add_column(column, no_wrap=column != "why")
    for d in replay.decided:
        why = f"{d.record.reason}: {d.record.message}"
        table.add_row(format_time(d.record.at), d.record.action, d.state.value, why)
    console.print(table if replay.decided else "nothing would have been decided")
    for reason, (count, hours) in _held(replay.held).items():
        console.print(f"held {count} times, {hours:.1f} h in all: {reason}", style="dim", markup=False)
    spent = ", ".join(f"{s.value} {t / 3600:.1f} h" for s, t in replay.seconds_in.items())
    console.print(f"time in each state: {spent}")
    for speed in replay.memory.nodes:
        console.print(f"node {speed.node}: a step takes {speed.factor} ± {speed.error} of a usual node's", markup=False)
    if replay.evidence is not None and (by := replay.evidence.nodes) is not None:
        console.print(f"S was corrected by {by.correction} ± {by.error} for the nodes of both arms")
    elif not any(arm.nodes for arm in arms):
        console.print(f"nodes are not known: no series has the label {arms[0].node_label} (--node-label)", markup=False)
    for text in ASSUMPTIONS:
        console.print(f"assumed: {text}", style="dim", soft_wrap=True)


def _held(held: Sequence[Held]) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = {}
    for stretch in held:
        why = str(stretch.why)
        count, hours = found.get(why, (0, 0.0))
        spent = (stretch.until - stretch.since).total_seconds() / 3600
        found[why] = count + 1, hours + spent
    return found

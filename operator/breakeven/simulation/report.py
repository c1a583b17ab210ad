"""Scores as a table for people and as a document for programs. Both say that they are simulated."""

import math
from collections.abc import Sequence
from typing import Any

from breakeven.simulation.run import Run
from breakeven.simulation.scenario import Scenario
from breakeven.simulation.scores import Scores

COLUMNS = (
    "policy",
    "false/30d",
    "missed",
    "median min",
    "p95 min",
    "bound min",
    "ratio",
    "better",
    "delivered",
    "goodput",
    "restarts/d",
    "changes/d",
)


SCRAPE = 0.25
"""Minutes between two scrapes: nothing is known sooner, whatever Lorden's bound says."""


def row(found: Scores) -> tuple[str, ...]:
    """One line of the table; a dash where there is nothing to say."""
    bound = max(SCRAPE, found.lorden) if found.lorden is not None else None
    ratio = found.median_delay / bound if found.median_delay is not None and bound else None
    return (
        found.policy,
        f"{found.false_per_30_days:.1f}",
        f"{found.misses}/{found.losses}" if found.losses else "-",
        _number(found.median_delay, 1),
        _number(found.p95_delay, 1),
        _number(found.lorden, 2),
        _number(ratio, 1),
        f"{found.in_better_state:.1%}",
        f"{found.delivered:.1%}",
        "-" if found.goodput is None else f"{found.goodput:.1%}",
        f"{found.restarts_per_day:.1f}",
        f"{found.changes_per_day:.1f}",
    )


def table(scores: Sequence[Scores]) -> str:
    """A table in plain text; numbers to the right."""
    lines = [COLUMNS, *(row(found) for found in scores)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def document(scenario: Scenario, scores: Sequence[Scores], runs: Sequence[Run]) -> dict[str, Any]:
    """Everything as plain data; times in minutes."""
    return {
        "simulated": True,
        "title": scenario.title,
        "proves": scenario.proves,
        "requestsPerSecond": scenario.requests_per_second,
        "scores": [scores_document(found) for found in scores],
        "runs": [
            {
                "policy": r.policy,
                "seed": r.seed,
                "days": r.minutes / 1440,
                "holdMinutes": r.holds,
                "decisions": [
                    {"minute": c.minute, "action": c.action, "reason": c.reason, "trueSpeedup": round(c.speedup, 4)}
                    for c in r.changes
                ],
            }
            for r in runs
        ],
    }


def scores_document(found: Scores) -> dict[str, Any]:
    """One policy's figures."""
    return {
        "policy": found.policy,
        "days": found.days,
        "falsePer30Days": round(found.false_per_30_days, 3),
        "losses": found.losses,
        "misses": found.misses,
        "medianDelayMinutes": found.median_delay,
        "p95DelayMinutes": found.p95_delay,
        "lordenMinutes": None if found.lorden is None else round(found.lorden, 4),
        "inBetterState": round(found.in_better_state, 4),
        "delivered": round(found.delivered, 4),
        "trials": found.trials,
        "promotions": found.promotions,
        "switchOffs": found.switch_offs,
        "goodput": None if found.goodput is None else round(found.goodput, 4),
        "restartsPerDay": round(found.restarts_per_day, 2),
        "changesPerDay": round(found.changes_per_day, 2),
    }


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"

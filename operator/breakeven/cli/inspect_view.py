"""How `breakeven inspect` shows its result."""

import json
from collections.abc import Sequence
from typing import Any

from breakeven.domain.evidence.node_speeds import NO_SHIFT
from breakeven.domain.inspection import Reading, Speedup

_COUNTS = {
    "finished": "requests finished",
    "failed": "requests aborted or failed",
    "emitted_tokens": "tokens emitted",
    "steps": "request-steps",
    "drafts": "drafts",
    "drafted": "tokens drafted",
    "accepted": "tokens accepted",
    "preemptions": "preemptions",
}
_FIGURES = {
    "acceptance": ("acceptance (accepted / drafted)", 1.0, "{:.3f}"),
    "draft_length": ("drafted tokens per draft", 1.0, "{:.2f}"),
    "tokens_per_step": ("tokens per step, E", 1.0, "{:.3f}"),
    "step": ("step time", 1000.0, "{:.2f} ms"),
    "tpot": ("time per output token, TPOT", 1000.0, "{:.2f} ms"),
    "request_tpot": ("TPOT, mean over requests", 1000.0, "{:.2f} ms"),
    "tpot_p50": ("TPOT P50, over requests", 1000.0, "{:.2f} ms"),
    "tpot_p99": ("TPOT P99, over requests", 1000.0, "{:.2f} ms"),
    "ttft": ("time to first token, TTFT", 1000.0, "{:.1f} ms"),
    "ttft_p50": ("TTFT P50", 1000.0, "{:.1f} ms"),
    "ttft_p95": ("TTFT P95", 1000.0, "{:.1f} ms"),
}
_JSON = {
    "acceptance": "acceptance",
    "draft_length": "draftLength",
    "tokens_per_step": "tokensPerStep",
    "step": "stepMs",
    "tpot": "tpotMs",
    "request_tpot": "requestTpotMs",
    "tpot_p50": "tpotP50Ms",
    "tpot_p99": "tpotP99Ms",
    "ttft": "ttftMs",
    "ttft_p50": "ttftP50Ms",
    "ttft_p95": "ttftP95Ms",
}
_COUNTS_JSON = {
    "finished": "requestsFinished",
    "failed": "requestsFailed",
    "emitted_tokens": "generationTokens",
    "steps": "steps",
    "drafts": "drafts",
    "drafted": "draftedTokens",
    "accepted": "acceptedTokens",
    "preemptions": "preemptions",
}


def as_json(
    server: Reading, control: Reading | None, speedup: Speedup | None, remarks: Sequence[str], *, timed: bool
) -> str:
    """The result for programs. A figure that could not be measured is null and has its reason under `absent`."""
    document: dict[str, Any] = {
        "seconds": round(server.batches[-1].end - server.batches[0].start, 3) if timed else None,
        "server": _side(server),
        "control": _side(control) if control is not None else None,
        "speedup": _speedup(speedup) if speedup is not None else None,
        "remarks": list(remarks),
    }
    return json.dumps(document, indent=2)


def _side(reading: Reading) -> dict[str, Any]:
    figures = reading.figures
    side: dict[str, Any] = {name: getattr(reading.totals, field) for field, name in _COUNTS_JSON.items()}
    for field, name in _JSON.items():
        value = getattr(figures, field)
        side[name] = value * _FIGURES[field][1] if value is not None else None
    side["survival"] = list(figures.survival)
    side["conditional"] = list(figures.conditional)
    side["running"], side["waiting"] = reading.gauges.running, reading.gauges.waiting
    side["kvUsage"] = reading.gauges.kv_usage
    side["interTokenLatencyCounts"] = figures.step_meaning.value
    side["absent"] = {_JSON.get(field, field): why for field, why in figures.absent.items()}
    return side


def _speedup(speedup: Speedup) -> dict[str, Any]:
    return {
        "value": speedup.value,
        "lower": speedup.lower,
        "upper": speedup.upper,
        "probability": speedup.probability,
        "inflation": speedup.inflation,
        "breakEvenAcceptance": speedup.break_even,
        "toLastToken": speedup.to_last,
        "toLastTokenLower": speedup.to_last_lower,
        "toLastTokenUpper": speedup.to_last_upper,
        "nodes": _nodes(speedup),
        "absent": speedup.why or None,
    }


def _nodes(speedup: Speedup) -> dict[str, float] | None:
    nodes = speedup.nodes
    return None if nodes == NO_SHIFT else {"correction": nodes.factor, "error": nodes.error}


def show(
    server: Reading, control: Reading | None, speedup: Speedup | None, remarks: Sequence[str], *, timed: bool
) -> None:
    """Print a table, and under it what to know of it, and what is absent and why."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if timed:
        console.print(f"measured for {server.batches[-1].end - server.batches[0].start:.0f} s", style="dim")
    table = Table(box=None, pad_edge=False, show_header=control is not None)
    table.add_column("")
    table.add_column("server", justify="right")
    if control is not None:
        table.add_column("control", justify="right")
    sides = [r for r in (server, control) if r is not None]
    for field, label in _COUNTS.items():
        table.add_row(label, *(_count(getattr(r.totals, field)) for r in sides))
    table.add_section()
    for field, (label, scale, form) in _FIGURES.items():
        table.add_row(label, *(_figure(getattr(r.figures, field), scale, form) for r in sides))
        if field == "acceptance":
            table.add_row("  survival by position", *(_row(r.figures.survival) for r in sides))
            table.add_row("  conditional by position", *(_row(r.figures.conditional) for r in sides))
    console.print(table)
    if speedup is not None:
        console.print(_sentence(server, speedup), soft_wrap=True)
    for remark in remarks:
        console.print(f"note: {remark}", soft_wrap=True)
    for name, reading in (("server", server), ("control", control)):
        if reading is not None:
            for why, fields in _reasons(reading).items():
                where = f"{name}: " if control is not None else ""
                console.print(f"absent: {where}{', '.join(fields)}: {why}", style="dim", soft_wrap=True)


def _reasons(reading: Reading) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for field, why in reading.figures.absent.items():
        label = _FIGURES[field][0] if field in _FIGURES else "acceptance by position"
        grouped.setdefault(why, []).append(label)
    return grouped


def _sentence(server: Reading, speedup: Speedup) -> str:
    if speedup.value is None:
        return f"S cannot be told: {speedup.why}"
    text = f"speed-up S = {speedup.value:.3f}"
    if speedup.lower is not None and speedup.upper is not None:
        text += f", between {speedup.lower:.3f} and {speedup.upper:.3f} (each bound wrong at most once in "
        text += f"{1 / speedup.probability:.0f})"
    else:
        text += f" without bounds: {speedup.why}"
    if speedup.inflation is not None:
        text += f"; a step takes {speedup.inflation:.2f} times the control's"
    if speedup.break_even is not None and speedup.break_even > 1:
        text += ", more than any acceptance could make up for"
    elif speedup.break_even is not None and server.figures.acceptance is not None:
        text += f", so break-even is at acceptance {speedup.break_even:.3f}; measured {server.figures.acceptance:.3f}"
    return text + _to_last(speedup) + _of_nodes(speedup)


def _of_nodes(speedup: Speedup) -> str:
    """What the nodes made of it."""
    nodes = speedup.nodes
    return "" if nodes == NO_SHIFT else f"; corrected by {nodes.factor:.3f} ± {nodes.error:.3f} for the two nodes"


def _to_last(speedup: Speedup) -> str:
    """What a request gains from its arrival to its last token."""
    if speedup.to_last is None:
        return ""
    text = f"; from request to last token {speedup.to_last:.3f}"
    if speedup.to_last_lower is not None and speedup.to_last_upper is not None:
        text += f", between {speedup.to_last_lower:.3f} and {speedup.to_last_upper:.3f}"
    return text


def _count(value: float | None) -> str:
    return "absent" if value is None else f"{value:,.0f}"


def _figure(value: float | None, scale: float, form: str) -> str:
    return "absent" if value is None else form.format(value * scale)


def _row(values: tuple[float | None, ...]) -> str:
    return " ".join("–" if v is None else f"{v:.3f}" for v in values) or "absent"

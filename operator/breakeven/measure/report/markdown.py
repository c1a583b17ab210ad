"""The report as Markdown, short enough for a pull request; what is long is folded."""

from collections.abc import Sequence

from breakeven.measure.report.content import Report
from breakeven.measure.report.tables import Table, acceptances, latencies, speedups, throughput


def as_markdown(report: Report) -> str:
    """The whole report."""
    parts = [f"# {report.title}", f"**{report.verdict.headline}**", _list(report.verdict.lines)]
    if report.remarks:
        parts += ["## Before you trust it", _list(report.remarks)]
    head, rows = speedups(report.figures, report.bounds)
    if rows:
        parts += ["## Where it pays", _table((head, rows))]
    for name, table in (
        ("Acceptance", acceptances(report.figures)),
        ("Latency by the clients", latencies(report.figures)),
        ("Throughput, memory, failures", throughput(report.figures)),
    ):
        if table[1]:
            parts += [f"<details><summary>{name}</summary>", _table(table), "</details>"]
    parts += ["## How it was measured", _table((("what", "value"), [(k, v) for k, v in report.method.items()]))]
    parts.append(f"It ended because {report.ending}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _table(table: Table) -> str:
    head, rows = table
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in cells)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")

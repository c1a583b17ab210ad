"""The report as one HTML file: no script, nothing from elsewhere, light and dark, and fit for paper."""

from collections.abc import Sequence
from html import escape
from importlib import resources

from breakeven.measure.report import pictures, tables
from breakeven.measure.report.content import Report
from breakeven.measure.report.tables import Table
from breakeven.measure.verdict import Kind

_TONE = {Kind.USE: "good", Kind.LEAVE_OFF: "bad", Kind.UNDECIDED: "open", Kind.ONE_SIDE: "open"}


def as_html(report: Report) -> str:
    """The whole report."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    body = "\n".join(part for part in _parts(report) if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def _parts(report: Report) -> list[str]:
    return [
        f"<header><p class='kicker'>{escape(report.title)}</p>"
        f"<h1 class='{_TONE.get(report.verdict.kind, 'partly')}'>{escape(report.verdict.headline)}</h1></header>",
        _list(report.verdict.lines),
        _remarks(report.remarks),
        *_maps(report),
        _curves(report),
        _advice(report),
        _histograms(report),
        _tables(report),
        _method(report),
    ]


def _remarks(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return (
        f"<section class='warn' aria-labelledby='trust'><h2 id='trust'>Before you trust it</h2>{_list(lines)}</section>"
    )


def _maps(report: Report) -> list[str]:
    found = [pictures.the_map(report.figures, report.bounds, arrivals=arrivals) for arrivals in (False, True)]
    names = ("Where it pays", "Where it pays, by rate of arrivals")
    note = (
        "<p class='caption'>S = TPOT without / with speculation, and its bounds at 95 %. ▲ pays: the lower bound is "
        "above "
        f"{report.bounds.promote:g}. ▼ loses: the upper bound is below {report.bounds.leave:g}. ■ no gain: in between. "
        "? open: the bounds enclose a threshold.</p>"
    )
    return [_figure(name, picture, note, "map") for name, picture in zip(names, found, strict=True) if picture]


def _curves(report: Report) -> str:
    speedups = pictures.speedup_curves(report.figures, report.bounds)
    needed = pictures.break_even_curves(report.figures)
    return _figure("Speed-up by load", speedups, "") + _figure(
        "Acceptance needed, and acceptance measured",
        needed,
        "<p class='caption'>Bold: the acceptance at which S is 1, (R − 1)/k. It pays where a curve is above it. Fixed "
        "lines do not move with the load.</p>",
    )


def _advice(report: Report) -> str:
    advice, lines = report.advice, []
    if advice.better_k is not None:
        lines.append(
            f"<code>numSpeculativeTokens: {advice.better_k}</code> – predicted to be "
            f"{100 * ((advice.gain or 1) - 1):.0f} % "
            f"faster than {advice.k}, which was measured, from acceptance by position and a straight line for R"
        )
    elif advice.k is not None:
        lines.append(
            f"<code>numSpeculativeTokens: {advice.k}</code> – as measured; no shorter draft is predicted to be "
            "clearly faster"
        )
    if advice.disable_above is not None:
        lines.append(f"<code>disableAboveBatchSize: {advice.disable_above}</code> – where S crosses 1")
    if advice.caution is not None:
        lines.append(
            f"<code>thresholds.acceptance.caution: {advice.caution:.2f}</code> – the break-even acceptance at the "
            "busiest load at which it pays: a warning, never a switch"
        )
    if advice.mode is not None:
        lines.append(f"<code>policy.mode: {advice.mode}</code>")
    if not lines:
        return ""
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<section><h2>What follows for the resource</h2><ul>{items}</ul></section>"


def _histograms(report: Report) -> str:
    found = pictures.histograms(report.figures)
    if not found:
        return ""
    inside = "".join(f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>" for name, svg in found)
    return f"<section><h2>Requests, one by one</h2><div class='pair'>{inside}</div></section>"


def _tables(report: Report) -> str:
    parts = (
        ("Speed-up", tables.speedups(report.figures, report.bounds)),
        ("Acceptance", tables.acceptances(report.figures)),
        ("Latency by the clients", tables.latencies(report.figures)),
        ("Throughput, memory, failures", tables.throughput(report.figures)),
    )
    made = [f"<h3>{escape(name)}</h3>{_table(table)}" for name, table in parts if table[1]]
    return f"<section><h2>All figures</h2>{''.join(made)}</section>" if made else ""


def _method(report: Report) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in report.method.items())
    return (
        f"<section><h2>How it was measured</h2><dl>{rows}</dl>"
        f"<p>It ended because {escape(report.ending)}.</p></section>"
    )


def _figure(name: str, picture: str, note: str, kind: str = "") -> str:
    if not picture:
        return ""
    return f"<section class='{kind}'><h2>{escape(name)}</h2><figure>{picture}</figure>{note}</section>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _table(table: Table) -> str:
    head, rows = table
    top = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f"<div class='scroll' tabindex='0'><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"

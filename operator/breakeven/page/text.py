"""Pieces of HTML. Whatever others wrote goes through `said`; nothing else puts text into a page."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple, NewType

from breakeven.api.text import plain

Html = NewType("Html", str)
"""Text that is HTML already. A plain `str` never is."""
NONE = Html("<span class='none'>–</span>")
LONGEST = 4000
"""Characters of one text; no message of the operator's own is as long."""


class Table(NamedTuple):
    """A table: its caption, its columns, and rows of which the first cell is the heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Html]]


def said(text: object) -> Html:
    """What somebody wrote, without its control characters and unable to be anything but text."""
    return Html(escape(plain(str(text), LONGEST), quote=True))


def joined(parts: Sequence[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def element(name: str, inside: Html, kind: str = "") -> Html:
    """An element around HTML; `kind` is its class, from this code and never from others."""
    return Html(f"<{name}{f' class={kind!r}' if kind else ''}>{inside}</{name}>")


def table(what: Table) -> Html:
    """A table that a screen reader can read and a small screen can scroll. Cells: `cell`."""
    head = joined([Html(f"<th scope='col'>{said(column)}</th>") for column in what.columns])
    rows = joined([_row(row) for row in what.rows])
    return Html(
        f"<div class='scroll' role='region' tabindex='0' aria-label='{said(what.caption)}'><table>"
        f"<caption>{said(what.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: Sequence[str]) -> Html:
    heading, *cells = row
    return Html(f"<tr><th scope='row'>{heading}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")


def facts(pairs: Sequence[tuple[str, Html]]) -> Html:
    """Names and what they are; a pair with nothing to say is left out."""
    inside = joined([Html(f"<dt>{said(name)}</dt><dd>{text}</dd>") for name, text in pairs if text])
    return element("dl", inside)


def section(title: str, inside: Html, kind: str = "") -> Html:
    """A part of the page under a heading; nothing where there is nothing inside."""
    return element("section", joined([element("h2", said(title)), inside]), kind) if inside else Html("")


def listed(lines: Sequence[str]) -> Html:
    """Lines, one below the other; nothing where there is none."""
    return element("ul", joined([element("li", said(line)) for line in lines])) if lines else Html("")

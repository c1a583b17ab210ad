"""What the demo shows while it runs: state, replicas by variant, S, acceptance, break-even, and each decision."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from breakeven.demo.details import details
from breakeven.demo.figures import ArmFigures

Resource = Mapping[str, Any]


class View:
    """A live panel on a terminal; one line per change elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(file=sys.stdout)
        if not self._console.is_terminal:
            self._console = Console(file=sys.stdout, width=200)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._started = time.monotonic()
        self._lines: list[str] = []
        self._last_summary = ""
        self._chapter = ""

    def __enter__(self) -> "View":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """One line of progress."""
        stamped = f"{time.monotonic() - self._started:5.0f} s  {line}"
        self._lines = [*self._lines[-9:], stamped]
        self._print(stamped)

    def chapter(self, title: str) -> None:
        """What happens now, in words."""
        self._chapter = title
        self.say(f"── {title}")

    def show(self, resource: Resource) -> None:
        """Bring the resource's state on screen."""
        status = resource.get("status") or {}
        summary = _one_line(status)
        if summary != self._last_summary:
            self._last_summary = summary
            if not self._live:
                self.say(summary)
        if self._live:
            self._live.update(self._panel(status))

    def table(self, spans: Sequence[tuple[str, ArmFigures, ArmFigures]], provenance: str) -> None:
        """The numbers read back from Prometheus, off against on."""
        table = Table(title="read back from Prometheus", caption=provenance)
        for column in ("", "TPOT off ms", "TPOT on ms", "S", "E", "accepted/drafted"):
            table.add_column(column, justify="left" if not column else "right")
        for title, off, on in spans:
            speedup = off.tpot_ms / on.tpot_ms if off.tpot_ms and on.tpot_ms else None
            numbers = (off.tpot_ms, on.tpot_ms, speedup, on.tokens_per_step, on.acceptance)
            table.add_row(title, *("–" if n is None else f"{n:.3g}" for n in numbers))
        self._console.print(table)

    def _print(self, line: str) -> None:
        if self._live:
            self._live.console.print(Text(line))
        else:
            self._console.print(Text(line))

    def _panel(self, status: Mapping[str, Any]) -> Panel:
        variants = Table(expand=True, box=None)
        for column in ("variant", "role", "speculation", "wanted", "ready"):
            variants.add_column(column)
        for variant in details(status).get("variants") or []:
            variants.add_row(
                variant["name"],
                variant["role"],
                variant["speculation"],
                str(variant["wanted"]),
                str(variant["ready"]),
            )
        state = Text.assemble(
            ("state ", "dim"), (status.get("state", "–"), "bold"), ("   hold: ", "dim"), status.get("hold") or "–"
        )
        body = Group(Text(self._chapter, style="bold cyan"), state, Text(_figures(status)), variants)
        return Panel(body, title=self._title, border_style="cyan")


def _figures(status: Mapping[str, Any]) -> str:
    evidence = details(status).get("evidence") or {}
    if not evidence:
        return "S –   acceptance –   break-even –"
    bounds = f" [{evidence.get('speedupLower', '–')}, {evidence.get('speedupUpper', '–')}]"
    return (
        f"S {evidence.get('speedup', '–')}{bounds}   acceptance {evidence.get('acceptance', '–')}"
        f"   break-even {evidence.get('breakEvenAcceptance', '–')}   E {evidence.get('tokensPerStep', '–')}"
        f"   R {evidence.get('inflation', '–')}   ({evidence.get('source', '–')}, {evidence.get('verdict', '–')})"
    )


def _one_line(status: Mapping[str, Any]) -> str:
    replicas = ", ".join(
        f"{v['role']} {v['speculation']} {v['ready']}/{v['wanted']}" for v in details(status).get("variants") or []
    )
    return f"{status.get('state', 'no status yet')} | {replicas or 'no replicas'} | {_figures(status)}"

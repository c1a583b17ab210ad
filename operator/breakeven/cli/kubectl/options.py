"""Options that every command has, and how it answers."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breakeven.plugin.errors import UsageError

if TYPE_CHECKING:
    from breakeven.plugin.kubectl import Kubectl


WITHOUT_TERMINAL = 160
"""Columns where the output is no terminal."""


class Output(StrEnum):
    """How an answer is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def _completed_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of resources for completion; none where the cluster does not answer."""
    from breakeven.plugin.errors import PluginError
    from breakeven.plugin.resources import all_of

    given = ctx.params
    try:
        found = all_of(asked(given.get("namespace"), given.get("context"), given.get("kubeconfig")))
    except PluginError:
        return []
    return [each.name for each in found if each.name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="The resource.", autocompletion=_completed_names)]
MaybeName = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="The resource. Absent: a table of all.", autocompletion=_completed_names),
]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Its namespace. Absent: that of the kubectl context.")
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in all namespaces.")]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig. Absent: the current one.")]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig. Absent: as kubectl finds it.")
]
Format = Annotated[Output, typer.Option("--output", "-o", help="text, json or yaml.")]
Prometheus = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        envvar="BREAKEVEN_PROMETHEUS_URL",
        help="Prometheus that scrapes the operator; NAME.NAMESPACE.svc goes through the API server. Absent: its own.",
    ),
]


def asked(namespace: str | None, context: str | None, kubeconfig: str | None, *, everywhere: bool = False) -> "Kubectl":
    """The cluster that the options name. Raises UsageError for options that contradict each other."""
    from breakeven.plugin.kubectl import Kubectl, Where

    if everywhere and namespace:
        raise UsageError("-A and -n contradict each other: leave one out")
    return Kubectl(Where(namespace=namespace, context=context, kubeconfig=kubeconfig, everywhere=everywhere))


def document(answer: Any, output: Output) -> None:
    """Print an answer for programs."""
    from breakeven.cli.yamltext import yaml_text

    if output is Output.YAML:
        typer.echo(yaml_text([json.loads(json.dumps(answer))]), nl=False)
    else:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def labelled(lines: Sequence[tuple[str, str]]) -> None:
    """Print labels and texts side by side, wrapped to the terminal; without one, wide enough for `grep`."""
    import shutil
    import textwrap

    width = shutil.get_terminal_size((WITHOUT_TERMINAL, 24)).columns
    indent = max((len(label) for label, _ in lines), default=0) + 2
    for label, text in lines:
        wrapped = textwrap.wrap(_shown(text), max(40, width - indent), break_on_hyphens=False) or [""]
        for place, part in enumerate(wrapped):
            typer.echo(f"{label if place == 0 else '':<{indent}}{part}")


def tabulated(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; on a terminal the last column is wrapped, elsewhere each row is one line."""
    import shutil
    import sys
    import textwrap

    shown = [[column.upper() for column in columns], *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in shown) + 2 for place in range(len(columns) - 1)]
    indent = sum(widths)
    room = max(40, shutil.get_terminal_size().columns - indent) if sys.stdout.isatty() else None
    for row in shown:
        head = "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        lines = textwrap.wrap(row[-1], room, break_on_hyphens=False) if room else [row[-1]]
        for place, line in enumerate(lines or [""]):
            typer.echo(f"{head if place == 0 else ' ' * indent}{line}".rstrip())


def note(text: str) -> None:
    """A remark beside the answer: on stderr, so that it is in no document."""
    typer.echo(f"note: {_shown(text)}", err=True)


def _shown(text: str) -> str:
    """What engines and users wrote, without terminal codes."""
    return "".join(c if c.isprintable() else " " for c in text)

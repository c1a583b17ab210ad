"""`breakeven inspect`: what speculation does on a running vLLM, from its own metric page."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.domain.inspection import Reading
    from breakeven.inspect.page import Choice, Page

INTERVALS = 10
"""Intervals a measurement is cut into; their spread gives the bounds."""


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"


def inspect(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="Server to look at, for example http://10.0.0.7:8000.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="URL", help="Server without speculation on the same traffic: the control.")
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long to measure, for example 60s or 10m.")
    ] = "60s",
    before: Annotated[Path | None, typer.Option(metavar="FILE", help="Saved page, instead of URL.")] = None,
    after: Annotated[Path | None, typer.Option(metavar="FILE", help="Later page of the same server.")] = None,
    against_before: Annotated[Path | None, typer.Option(metavar="FILE", help="Saved page of the control.")] = None,
    against_after: Annotated[Path | None, typer.Option(metavar="FILE", help="Later page of the control.")] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Metric prefix such as kserve_vllm:, or '' for none. Default: detected."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to look at, where a page holds several.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Server to look at, where a page holds several, such as pod=a. Repeat."),
    ] = None,
    node_speeds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A resource with its status: S is corrected for nodes it has measured."),
    ] = None,
    node: Annotated[str | None, typer.Option(metavar="NAME", help="Node of the server.")] = None,
    against_node: Annotated[str | None, typer.Option(metavar="NAME", help="Node of the control.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="table or json.")] = Output.TABLE,
) -> None:
    """Measure acceptance, tokens per step, step time and time per output token of any vLLM, from its /metrics.

    With a second server on the same traffic it also tells the speed-up S and its bounds.

    Example: `breakeven inspect http://10.0.0.7:8000 --against http://10.0.0.8:8000 --for 10m`

    Example: `breakeven inspect --before a.prom --after b.prom`

    A node that is 8 % faster looks like S = 1.08. `kubectl get spd llama -o yaml > llama.yaml`, and then
    `--node-speeds llama.yaml --node gpu-1 --against-node gpu-2` takes that out.
    """
    from breakeven.api.text import plain
    from breakeven.cli import inspect_view
    from breakeven.cli.inspect_nodes import node_shift
    from breakeven.domain.inspection import NotComparable, compare
    from breakeven.inspect.belonging import check_control, remarks
    from breakeven.inspect.page import Choice
    from breakeven.inspect.text import PageError

    files = (before, after, against_before, against_after)
    _check_usage(url, against, files)
    nodes = node_shift(node_speeds, node, against_node)
    choice = Choice(prefix=prefix, model=model, labels=_labels(label or ()))
    try:
        if url is not None:
            server, control = _measure(url, against, _seconds(duration), choice)
        else:
            server = _pages(before, after, choice)
            control = _pages(against_before, against_after, choice)
        seen = _named("the server" if control else "", server)
        other = _named("the control", control) if control else None
        if control:
            check_control(server[-1], control[-1])
    except (PageError, NotComparable) as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        raise typer.Exit(2 if isinstance(error, PageError) else 1) from None
    speedup = compare(seen, other, nodes) if other is not None else None
    told = [plain(remark) for remark in remarks(server, control, seen)]
    if output is Output.JSON:
        typer.echo(inspect_view.as_json(seen, other, speedup, told, timed=url is not None))
    else:
        inspect_view.show(seen, other, speedup, told, timed=url is not None)


def _check_usage(url: str | None, against: str | None, files: Sequence[Path | None]) -> None:
    before, after, against_before, against_after = files
    if url is None and before is None:
        raise typer.BadParameter("give the URL of a server, or --before and --after")
    if url is not None and any(f is not None for f in files):
        raise typer.BadParameter("give either URL or saved pages, not both")
    if (before is None) != (after is None) or (against_before is None) != (against_after is None):
        raise typer.BadParameter("--before and --after, --against-before and --against-after come in pairs")
    if url is None and against is not None:
        raise typer.BadParameter("--against needs URL; with saved pages use --against-before and --against-after")


def _seconds(duration: str) -> float:
    from breakeven.api.scalars import parse_duration

    try:
        seconds = parse_duration(duration).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    if not 1 <= seconds <= 86_400:
        raise typer.BadParameter("between 1s and 24h", param_hint="--for")
    return seconds


def _labels(items: Sequence[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    if not all(key and equals for key, equals, _ in pairs):
        raise typer.BadParameter("write KEY=VALUE, for example pod=a", param_hint="--label")
    return {key: value for key, _, value in pairs}


def _pages(before: Path | None, after: Path | None, choice: "Choice") -> "list[Page]":
    from breakeven.inspect.scrape import read_page

    return [read_page(p, at=float(i), choice=choice) for i, p in enumerate((before, after)) if p is not None]


def _measure(url: str, against: str | None, seconds: float, choice: "Choice") -> "tuple[list[Page], list[Page]]":
    """Scrape one server, or two in turn, at equal intervals."""
    import time

    from breakeven.inspect.scrape import PageReader

    readers = [PageReader(address, choice=choice) for address in (url, against) if address]
    pages: list[list[Page]] = [[] for _ in readers]
    begun = time.monotonic()
    try:
        for count in range(INTERVALS + 1):
            pause = begun + seconds * count / INTERVALS - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            for reader, taken in zip(readers, pages, strict=True):
                taken.append(reader.read())
            if 0 < count < INTERVALS:
                left = round(begun + seconds - time.monotonic())
                typer.echo(f"measuring: {count} of {INTERVALS} intervals, about {left} s left", err=True)
    finally:
        for reader in readers:
            reader.close()
    return pages[0], pages[1] if len(pages) > 1 else []


def _named(which: str, pages: "list[Page]") -> "Reading":
    from breakeven.domain.inspection import NotComparable, reading
    from breakeven.inspect.belonging import check_one_server

    try:
        check_one_server(pages)
        return reading([page.scrape for page in pages])
    except NotComparable as error:
        raise NotComparable(f"{which}: {error}" if which else str(error)) from None

"""`breakeven measure`: whether speculation pays on two running servers, by temperature and load, with a report."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.cli.manifests import Resource
    from breakeven.measure.figures import Slo
    from breakeven.measure.grid import Arm, Cell
    from breakeven.measure.report.content import Report
    from breakeven.measure.run import Outcome, Progress
    from breakeven.measure.serve import Command
    from breakeven.measure.session import Request

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class UsageError(Exception):
    """An option cannot be read; the text names it."""


def measure(
    off: Annotated[str | None, typer.Option(metavar="URL", help="Server without speculation.")] = None,
    on: Annotated[str | None, typer.Option(metavar="URL", help="Server with speculation, of the same model.")] = None,
    off_reference: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Server with the same draft and an unquantized target: quantization penalty."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Resource whose servers are measured; - is standard input."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Which resource of the file. Absent: the first.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="With -f: the cluster whose pods are measured. Absent: KUBECONFIG.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="With -f: start its engines on this machine, one after the other.")
    ] = False,
    temperatures: Annotated[str, typer.Option(metavar="LIST", help="Sampling temperatures.")] = "0,0.4,0.8,1.0",
    concurrency: Annotated[str, typer.Option(metavar="LIST", help="Requests kept running at once.")] = "1,8,32,100",
    rates: Annotated[
        str, typer.Option(metavar="LIST", help="Open loop too: requests a second that arrive at random. Absent: none.")
    ] = "",
    prompts: Annotated[
        str, typer.Option(metavar="FILE|NAME", help="JSONL file, or a packaged set: random, assorted.")
    ] = "random",
    output_tokens: Annotated[
        int, typer.Option(min=1, max=100_000, help="Length of an answer, about or at most.")
    ] = 128,
    duration: Annotated[str, typer.Option(metavar="DURATION", help="Longest time of load in all.")] = "30m",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens, asked and answered, in all.")] = None,
    max_rate: Annotated[float | None, typer.Option(min=0.001, help="Most requests started in a second.")] = None,
    warmup: Annotated[str, typer.Option(metavar="DURATION", help="Left out at the begin of each visit.")] = "2s",
    precision: Annotated[str, typer.Option(metavar="PERCENT", help="A cell is done when S is known this well.")] = "3%",
    slo: Annotated[
        str, typer.Option(metavar="LIST", help="What a good request keeps, for example ttft=500ms,tpot=40ms.")
    ] = "",
    model: Annotated[
        str | None, typer.Option(help="Served model name. Absent: the first that the servers list.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of prompts, lengths and arrivals.")] = 0,
    directory: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where everything is kept; the same one goes on.")
    ] = Path("breakeven-measure"),
) -> None:
    """Measure whether speculation pays, by temperature and load, and write a report.

    Writes report.html, report.json, report.md, profile.csv and the fields of the resource that follow. Ctrl-C keeps
    what was measured; the same command goes on. An API key is taken from OPENAI_API_KEY. Exit code 1: a server could
    not be measured, or nothing is decided; 130 after Ctrl-C.

    Example: `breakeven measure --off http://10.0.0.7:8000 --on http://10.0.0.8:8000 -o report`

    Example: `breakeven measure -f spd.yaml --serve --temperatures 0,1 --concurrency 1,16 --duration 10m`
    """
    import asyncio
    import shlex

    from breakeven.inspect.text import PageError
    from breakeven.measure.run import Limits
    from breakeven.measure.session import session
    from breakeven.measure.state import StateError
    from breakeven.measure.visit import Trouble

    try:
        resource = _resource(file, name)
        request = _request(
            resource,
            addresses=_addresses(off, on, off_reference, resource, serve, kubeconfig),
            commands=_commands(resource) if serve else {},
            cells=_cells(temperatures, concurrency, rates),
            prompts=(prompts, output_tokens),
            limits=Limits(
                seconds=_seconds(duration, "--duration"),
                tokens=max_tokens,
                rate=max_rate,
                warmup=_seconds(warmup, "--warmup", least=0.0),
            ),
            precision=_percent(precision),
            slo=_slo(slo),
            directory=directory,
            model=model,
            seed=seed,
            command=shlex.join(["breakeven", *sys.argv[1:]]),
        )
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except Trouble as trouble:
        typer.echo(f"error: {trouble}", err=True)
        raise typer.Exit(1) from None
    _warn_of_haste(request)
    try:
        report, outcome = asyncio.run(session(request, _Lines()))
    except (Trouble, StateError, PageError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1 if isinstance(error, Trouble) else 2) from None
    _finish(report, outcome, resource, directory)


def _warn_of_haste(request: "Request") -> None:
    """Say beforehand when the time cannot be enough for bounds."""
    from breakeven.measure.schedule import LEAST_ROUNDS

    servers = len(request.addresses) or len(request.commands)
    least = request.limits.least(len(request.cells) * servers * LEAST_ROUNDS)
    if least > request.limits.seconds:
        typer.echo(
            f"note: {len(request.cells)} cells on {servers} servers take at least {least / 60:.1f} minutes; ask for "
            f"fewer cells, a longer --duration, or run the same command again to go on",
            err=True,
        )


class _Lines:
    """Progress on stderr: one line that is overwritten on a terminal, one line a visit elsewhere."""

    def __call__(self, progress: "Progress") -> None:
        from breakeven.measure.verdict import with_bounds

        last, figures = progress.last, progress.figures
        known = f", S {with_bounds(figures.speedup)}" if figures is not None and figures.speedup is not None else ""
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        text = (
            f"{progress.done} visits, about {progress.left} to go ({minutes}:{seconds:02d}): {last.cell}, {last.arm}: "
            f"{len(last.answers)} answers{known}"
        )
        if sys.stderr.isatty():
            typer.echo(f"\r\x1b[2K{text}", nl=False, err=True)
        else:
            typer.echo(text, err=True)


def _finish(report: "Report", outcome: "Outcome", resource: "Resource | None", directory: Path) -> None:
    from breakeven.cli.measure_files import calibrated, write
    from breakeven.measure.run import Ending
    from breakeven.measure.verdict import Kind

    if sys.stderr.isatty():
        typer.echo("", err=True)
    if not report.figures:
        typer.echo(f"error: nothing was measured: {outcome.trouble or outcome.ending.value}", err=True)
        for cell, why in outcome.left_out.items():
            typer.echo(f"error: {cell}: {why}", err=True)
        raise typer.Exit(INTERRUPTED if outcome.ending is Ending.STOPPED else 1)
    written = write(report, resource, directory)
    typer.echo(report.verdict.headline)
    for line in report.verdict.lines:
        typer.echo(f"  {line}")
    for remark in report.remarks:
        typer.echo(f"note: {remark}", err=True)
    found = calibrated(report, resource, directory) if resource is not None else None
    if isinstance(found, str):
        typer.echo(f"note: spec.calibration is not written: {found}", err=True)
    typer.echo(f"It ended because {report.ending}. Written: {', '.join(map(str, written))}", err=True)
    if outcome.ending is Ending.STOPPED:
        raise typer.Exit(INTERRUPTED)
    if outcome.trouble:
        typer.echo(f"error: {outcome.trouble}", err=True)
    if outcome.trouble or outcome.left_out or report.verdict.kind is Kind.UNDECIDED:
        raise typer.Exit(1)


def _resource(file: Path | None, name: str | None) -> "Resource | None":
    from breakeven.cli.manifests import read_resources

    if file is None:
        return None
    found = read_resources(file)
    if name is None:
        return found[0]
    named = next((resource for resource in found if resource.name == name), None)
    if named is None:
        raise UsageError(f"--name: {name!r} is none of {', '.join(r.name for r in found)}")
    return named


def _addresses(
    off: str | None,
    on: str | None,
    reference: str | None,
    resource: "Resource | None",
    serve: bool,
    kubeconfig: Path | None,
) -> "dict[Arm, str]":
    from breakeven.measure.grid import Arm
    from breakeven.measure.http import base_url

    given = {Arm.OFF: off, Arm.ON: on, Arm.REFERENCE: reference}
    try:
        addresses = {arm: base_url(url) for arm, url in given.items() if url is not None}
    except ValueError as error:
        raise UsageError(f"--off, --on, --off-reference: {error}") from None
    if serve:
        if resource is None or addresses:
            raise UsageError(
                "--serve starts the engines of -f FILE itself: give -f, and no --off, --on or --off-reference"
            )
        return {}
    if Arm.OFF in addresses or Arm.ON in addresses:
        return addresses
    if resource is None:
        raise UsageError("give --off URL and --on URL, or -f FILE with --kubeconfig or --serve")
    return _in_cluster(resource, kubeconfig) | addresses


def _in_cluster(resource: "Resource", kubeconfig: Path | None) -> "dict[Arm, str]":
    import asyncio

    from breakeven.measure.grid import Arm
    from breakeven.measure.pods import arms, pods_of

    path = kubeconfig or _default_kubeconfig()
    if path is not None and not path.is_file():
        raise UsageError(f"--kubeconfig: {path} is no file")
    chosen = arms(asyncio.run(pods_of(path, resource.namespace, resource.name)))
    for arm, pod in chosen.items():
        typer.echo(f"--{arm}: pod {pod.name}, variant {pod.variant}, {pod.address}", err=True)
    missing = next((arm for arm in (Arm.OFF, Arm.ON) if arm not in chosen), None)
    if missing is not None:
        typer.echo(
            f"note: no ready pod of {resource.name} runs with speculation {missing}: one server is measured, without S",
            err=True,
        )
    return {arm: pod.address for arm, pod in chosen.items()}


def _default_kubeconfig() -> Path | None:
    named = os.environ.get("KUBECONFIG", "")
    home = Path.home() / ".kube" / "config"
    return Path(named.split(os.pathsep)[0]) if named else (home if home.is_file() else None)


def _commands(resource: "Resource | None") -> "dict[Arm, Command]":
    """The engines of a resource, as rendered: without its draft, and with it."""
    from breakeven.api.status import Role
    from breakeven.api.variant import declared_variant
    from breakeven.domain.decision import Placement
    from breakeven.measure.grid import Arm
    from breakeven.measure.serve import command_of
    from breakeven.render import Owner, desired

    assert resource is not None, "--serve was checked to have a resource"
    declared = declared_variant(resource.spec)
    if declared.draft is None:
        raise UsageError("-f: spec.draft is missing: without a draft there is nothing to compare")
    variants = {Arm.OFF: declared.baseline, Arm.ON: declared}
    placements = [Placement(variant=variant, role=Role.STABLE, replicas=1) for variant in variants.values()]
    made = desired(Owner(name=resource.name, namespace=resource.namespace), placements)
    if made.refusals:
        refused = "; ".join(f"spec.{finding.field}: {finding.message}" for finding in made.refusals)
        raise UsageError(f"-f: {refused}")
    return {arm: command_of(made.deployments[variant.name]) for arm, variant in variants.items()}


def _request(resource: "Resource | None", *, prompts: tuple[str, int], slo: "Slo", **given: object) -> "Request":
    from breakeven.api.spec import SpeedupSpec
    from breakeven.domain.measures.verdict import keeping
    from breakeven.measure.prompts import load_prompts
    from breakeven.measure.session import Request

    try:
        asked = load_prompts(prompts[0], output_tokens=prompts[1])
    except ValueError as error:
        raise UsageError(f"--prompts: {error}") from None
    speedup = resource.spec.thresholds.speedup if resource is not None else SpeedupSpec()
    return Request(
        prompts=asked,
        slo=slo,
        bounds=keeping(speedup),
        key=os.environ.get("OPENAI_API_KEY"),
        **given,  # type: ignore[arg-type] # the caller passes Request's own fields
    )


def _cells(temperatures: str, concurrency: str, rates: str) -> "tuple[Cell, ...]":
    from breakeven.measure.grid import HOTTEST, LARGEST_LOAD, grid, numbers

    def read(option: str, text: str, least: float, most: float) -> tuple[float, ...]:
        try:
            return numbers(text, least=least, most=most)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None

    loads = read("--concurrency", concurrency, 1, LARGEST_LOAD) if concurrency else ()
    if any(load != round(load) for load in loads):
        raise UsageError(f"--concurrency: {concurrency!r} must hold whole numbers; rates go to --rates")
    arrivals = read("--rates", rates, 0.001, LARGEST_LOAD) if rates else ()
    if not loads and not arrivals:
        raise UsageError("--concurrency: give at least one load, or --rates")
    return grid(read("--temperatures", temperatures, 0, HOTTEST), loads, arrivals)


def _seconds(text: str, option: str, *, least: float = 1.0) -> float:
    from breakeven.api.scalars import parse_duration

    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    if not least <= seconds <= 86_400:
        raise UsageError(f"{option}: {text!r} must be between {least:g}s and 24h")
    return seconds


def _percent(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        raise UsageError(f"--precision: {text!r} is no percentage; write for example 3%") from None
    if not 0.001 <= value <= 0.5:
        raise UsageError(f"--precision: {text!r} must be between 0.1% and 50%")
    return value


def _slo(text: str) -> "Slo":
    from breakeven.measure.figures import Slo

    limits: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        if name not in ("ttft", "tpot") or not value or name in limits:
            raise UsageError(f"--slo: {part!r} is not understood; write for example ttft=500ms,tpot=40ms")
        limits[name] = _seconds(value, "--slo", least=0.001)
    return Slo(ttft=limits.get("ttft"), tpot=limits.get("tpot"))

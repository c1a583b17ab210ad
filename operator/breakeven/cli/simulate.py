"""`breakeven simulate`: days of simulated traffic through the operator's own decision code."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.simulation.run import Run
    from breakeven.simulation.scenario import Scenario


def simulate(
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", help="Scenario file, or the name of one that is shipped. Absent: list those."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many times, each with other requests.")] = 1,
    rate: Annotated[
        float | None, typer.Option(min=0.001, max=1000, help="Requests per second instead of the scenario's.")
    ] = None,
    compare: Annotated[bool, typer.Option(help="Also run two simple policies on the same requests.")] = True,
    exact: Annotated[
        bool,
        typer.Option(
            help="Scrape each replica every 15 s and cut batches with the operator's own code; slower. Implied by "
            "scenarios that say `exact: true`, because the fast mode has no queue and no histogram."
        ),
    ] = False,
    openmetrics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write every simulated sample for `promtool tsdb create-blocks-from openmetrics`, and the resource to "
            "FILE.yaml for `breakeven backtest`. Implies --exact, one seed and --no-compare.",
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.01, max=400, help="Length in days instead of the scenario's.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the scenario file instead of running it.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
) -> None:
    """Simulate a scenario and say what would have been decided.

    Nothing is measured here: requests, acceptance and step times are drawn as the scenario says, and the operator's own
    code decides. Examples:

        breakeven simulate -f temperature-shift

        breakeven simulate -f mine.yaml --seeds 10 -o json

        breakeven simulate -f outage --days 1 --openmetrics outage.om
    """
    from breakeven.simulation.scenario import ScenarioError, load, load_shipped, shipped

    if output not in ("text", "json"):
        typer.echo("--output must be text or json", err=True)
        raise typer.Exit(2)
    if file is None:
        _list()
        return
    try:
        scenario = load_shipped(file) if file in shipped() else load(Path(file))
    except ScenarioError as error:
        typer.echo(f"--file: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"--file: {error.strerror}: {file}; shipped are {', '.join(shipped())}", err=True)
        raise typer.Exit(2) from None
    if show:
        typer.echo(_text(file), nl=False)
        return
    changed = {"requests_per_second": rate, "days": days}
    scenario = scenario.model_copy(update={name: value for name, value in changed.items() if value is not None})
    if openmetrics is not None and seeds != 1:
        typer.echo("--seeds: only one run can be written with --openmetrics", err=True)
        raise typer.Exit(2)
    try:
        runs = (
            [[_exported(scenario, openmetrics)]]
            if openmetrics
            else _runs(scenario, seeds, compare, exact=exact or scenario.exact)
        )
    except ScenarioError as error:
        typer.echo(f"--exact: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"--openmetrics: {error.strerror}: {openmetrics}", err=True)
        raise typer.Exit(2) from None
    _show(scenario, runs, as_json=output == "json")


def _runs(scenario: "Scenario", seeds: int, compare: bool, *, exact: bool) -> "list[list[Run]]":
    from rich.console import Console
    from rich.progress import track

    from breakeven.simulation.policies import AlwaysOff, AlwaysOn, Article, Breakeven, ThreeBadChecks
    from breakeven.simulation.run import run, scraping_of, world

    simple = [Article, ThreeBadChecks] if scenario.suite == "classic" else [AlwaysOn, AlwaysOff]
    kinds = [Breakeven, *simple] if compare else [Breakeven]
    runs: list[list[Run]] = [[] for _ in kinds]
    bar = Console(stderr=True)
    for seed in track(range(1, seeds + 1), "simulating", console=bar, transient=True, disable=not bar.is_terminal):
        made = world(scenario, seed, exact=exact)
        for found, kind in zip(runs, kinds, strict=True):
            found.append(run(made, kind(made.spec), scraping=scraping_of(made) if exact else None))
    return runs


def _exported(scenario: "Scenario", to: Path) -> "Run":
    """Run once, exactly, and write the samples. Raises OSError."""
    import yaml

    from breakeven.simulation.export import resource, selectors, write
    from breakeven.simulation.run import run, scraping_of, world

    made = world(scenario, 1, exact=True)
    with to.open("w", encoding="utf-8") as file:
        scraping = scraping_of(made, record=True)
        found = run(made, scraping=scraping)
        written = write(scraping.samples or {}, file)
    manifest = to.with_name(f"{to.name}.yaml")
    manifest.write_text(yaml.safe_dump(resource(made.spec), sort_keys=False), encoding="utf-8")
    on, off = selectors(made.spec)
    typer.echo(f"{written} simulated samples in {to}, the resource in {manifest}\non: {on}\noff: {off}", err=True)
    return found


def _show(scenario: "Scenario", runs: "list[list[Run]]", *, as_json: bool) -> None:
    import json

    from breakeven.simulation.report import document, table
    from breakeven.simulation.scores import score

    scores = [score(found) for found in runs]
    if as_json:
        typer.echo(json.dumps(document(scenario, scores, [r for found in runs for r in found]), indent=2))
        return
    typer.echo(f"{scenario.title} (simulated: {scenario.days:g} days, {scenario.requests_per_second:g} requests/s)")
    typer.echo(f"expected: {scenario.proves}\n" if scenario.proves else "")
    typer.echo(table(scores))
    typer.echo("\ndecisions of the first run:")
    for change in runs[0][0].changes:
        day, seconds = divmod(round(60 * change.minute), 86400)
        when = f"day {day} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        typer.echo(f"  {when}  {change.action:<14} {change.reason:<18} true S {change.speedup:.3f}")


def _list() -> None:
    from breakeven.simulation.scenario import load_shipped, shipped

    typer.echo("Shipped scenarios (run one with `breakeven simulate -f NAME`, print it with --print):\n")
    suites = (("classic", ""), ("hostile", "\nWorlds that are built to mislead:\n"), ("warm", "\nFor warm switches:\n"))
    for suite, words in suites:
        typer.echo(words, nl=bool(words))
        for name in shipped(suite):
            typer.echo(f"  {name:<22} {load_shipped(name).title}")


def _text(file: str) -> str:
    from importlib.resources import files

    from breakeven.simulation.scenario import shipped

    if file in shipped():
        return (files("breakeven.simulation") / "scenarios" / f"{file}.yaml").read_text(encoding="utf-8")
    return Path(file).read_text(encoding="utf-8")

"""`breakeven simulate`: days of simulated traffic through the operator's own decision code."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", help="Scenario file, or the name of one that is shipped. Absent: list those."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many times, each with other requests.")] = 1,
    rate: Annotated[
        float | None, typer.Option(min=0.001, max=1000, help="Requests per second instead of the scenario's.")
    ] = None,
    compare: Annotated[bool, typer.Option(help="Also run the two simple rules on the same requests.")] = True,
    show: Annotated[bool, typer.Option("--print", help="Print the scenario file instead of running it.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
) -> None:
    """Simulate a scenario and say what would have been decided.

    Nothing is measured here: requests, acceptance and step times are drawn as the scenario says, and the operator's own
    code decides. Examples:

        breakeven simulate -f temperature-shift

        breakeven simulate -f mine.yaml --seeds 10 -o json
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
    if rate is not None:
        scenario = scenario.model_copy(update={"requests_per_second": rate})
    _run(scenario, seeds=seeds, compare=compare, as_json=output == "json")


def _run(scenario: object, *, seeds: int, compare: bool, as_json: bool) -> None:
    import json

    from breakeven.simulation.policies import Article, Breakeven, ThreeBadChecks
    from breakeven.simulation.report import document, table
    from breakeven.simulation.run import Run, run, world
    from breakeven.simulation.scenario import Scenario
    from breakeven.simulation.scores import score

    assert isinstance(scenario, Scenario)
    kinds = [Breakeven, Article, ThreeBadChecks] if compare else [Breakeven]
    runs: list[list[Run]] = [[] for _ in kinds]
    for seed in range(1, seeds + 1):
        made = world(scenario, seed)
        for found, kind in zip(runs, kinds, strict=True):
            found.append(run(made, kind(made.spec)))
    scores = [score(found) for found in runs]
    if as_json:
        typer.echo(json.dumps(document(scenario, scores, [r for found in runs for r in found]), indent=2))
        return
    typer.echo(f"{scenario.title} (simulated: {scenario.days:g} days, {scenario.requests_per_second:g} requests/s)")
    typer.echo(f"expected: {scenario.proves}\n" if scenario.proves else "")
    typer.echo(table(scores))
    typer.echo("\ndecisions of the first run:")
    for change in runs[0][0].changes:
        day, rest = divmod(change.minute, 1440)
        when = f"day {day} {rest // 60:02d}:{rest % 60:02d}"
        typer.echo(f"  {when}  {change.action:<14} {change.reason:<18} true S {change.speedup:.3f}")


def _list() -> None:
    from breakeven.simulation.scenario import load_shipped, shipped

    typer.echo("Shipped scenarios (run one with `breakeven simulate -f NAME`, print it with --print):\n")
    for name in shipped():
        typer.echo(f"  {name:<22} {load_shipped(name).title}")


def _text(file: str) -> str:
    from importlib.resources import files

    from breakeven.simulation.scenario import shipped

    if file in shipped():
        return (files("breakeven.simulation") / "scenarios" / f"{file}.yaml").read_text(encoding="utf-8")
    return Path(file).read_text(encoding="utf-8")

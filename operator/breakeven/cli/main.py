"""The command table. Each command lives in its own module and imports what is heavy inside its function."""

from typing import Annotated

import typer

from breakeven import __version__
from breakeven.cli import adopt, backtest, crd, demo, inspect, lab, load, measure, plan, render, run, score, simulate

PLAN = "Before anything runs"
MEASURE = "Reading and deciding"
OPERATE = "In the cluster"
LAB = "On this machine"

EXIT_CODES = (
    "Exit codes of every command: 0 done; 1 the answer is no (refused, nothing to judge by, not up, failed); "
    "2 wrong usage, or a file or address that cannot be read."
)

GLOSSARY = (
    "Words: S is the speed-up of decoding, time per output token without speculation over that with it; E tokens "
    "emitted a step; R step time with speculation over that without; k tokens drafted a step; break-even is S = 1, "
    "that is an acceptance of (R - 1)/k. All of them are in docs/glossary.md."
)

app = typer.Typer(
    name="breakeven",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog=f"{EXIT_CODES}\n\n{GLOSSARY}",
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"breakeven {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Keep vLLM speculative decoding on where it pays and off where it does not.

    See it first: `breakeven demo`. Before a resource is applied: `breakeven plan -f spd.yaml`.
    On a vLLM that runs: `breakeven inspect http://HOST:8000 --against http://OTHER:8000`.
    """


app.command("adopt", rich_help_panel=PLAN)(adopt.adopt)
app.command("plan", rich_help_panel=PLAN)(plan.plan)
app.command("score", rich_help_panel=PLAN)(score.score)
app.command("render", rich_help_panel=PLAN)(render.render)
app.command("run", rich_help_panel=OPERATE)(run.run)
app.command("crd", rich_help_panel=OPERATE)(crd.crd)
app.add_typer(lab.app, name="lab", rich_help_panel=LAB)
app.command("demo", rich_help_panel=LAB)(demo.demo)
app.command("load", rich_help_panel=LAB)(load.load)
app.command("inspect", rich_help_panel=MEASURE)(inspect.inspect)
app.command("measure", rich_help_panel=MEASURE)(measure.measure)
app.command("backtest", rich_help_panel=MEASURE)(backtest.backtest)
app.command("simulate", rich_help_panel=MEASURE)(simulate.simulate)


def main() -> None:
    """Run the command line."""
    app()

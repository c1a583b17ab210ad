"""The command table of `kubectl breakeven`, and the edge at which every error becomes a sentence and an exit code."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from breakeven import __version__
from breakeven.cli.kubectl import collect, completion, dashboard, passed_on, show, tell
from breakeven.plugin.errors import FAILED, PluginError

PLUGIN = "kubectl breakeven"
SEE, TELL, MORE = "What it says", "What you tell it", "Before, beside and after"
EXIT_CODES = (
    "Exit codes: 0 done; 1 the cluster refused or did not answer, or the answer is no; 2 wrong usage; 3 there is no "
    "such resource, or the kind is not installed; 4 a person is needed (`status --exit-code`); 130 Ctrl-C."
)
INTERRUPTED = 130


Command = Callable[..., None]


_SEE: tuple[Command, ...] = (show.status, show.why, show.watch, show.history, show.diff, dashboard.dashboard)
_TELL: tuple[Command, ...] = (
    *(tell.promote, tell.abort, tell.retry, tell.restart),
    *(tell.pause, tell.resume, tell.off, tell.on, tell.auto),
)
_MORE: tuple[Command, ...] = (collect.bundle, completion.completion)
_PASSED_ON: tuple[Command, ...] = (passed_on.plan, passed_on.measure, passed_on.adopt)


def careful(command: Command) -> Command:
    """The command with every error as a sentence on stderr and an exit code: people get no traceback."""

    @functools.wraps(command)
    def run(*given: Any, **named: Any) -> None:
        try:
            command(*given, **named)
        except PluginError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge
            words = f"{type(error).__name__}: {error}"[:300]
            typer.echo(f"error: a fault of kubectl breakeven {__version__}, please report it: {words}", err=True)
            raise typer.Exit(FAILED) from None

    return run


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"kubectl breakeven {__version__}")
        raise typer.Exit


def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """See and steer speculative decoding: what each SpeculativeDeployment does, why, and what would change it.

    Begin with `kubectl breakeven status -A`, then `kubectl breakeven status NAME -n NAMESPACE`.
    """


def build(*, completing: bool = False) -> typer.Typer:
    """The commands. `completing`: for answering a shell, which needs options that would only confuse people."""
    app = typer.Typer(
        name=PLUGIN,
        no_args_is_help=True,
        add_completion=completing,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        epilog=EXIT_CODES,
    )
    app.callback()(root)
    for panel, commands in ((SEE, _SEE), (TELL, _TELL), (MORE, _MORE)):
        for command in commands:
            app.command(rich_help_panel=panel)(careful(command))
    for command in _PASSED_ON:
        app.command(rich_help_panel=MORE, context_settings=passed_on.REST)(careful(command))
    return app


def main() -> None:
    """`kubectl-breakeven`, which kubectl finds on PATH as `kubectl breakeven`."""
    completing = completion.VARIABLE in os.environ
    try:
        build(completing=completing)(prog_name=completion.COMMAND if completing else PLUGIN)
    except BrokenPipeError:
        sys.stderr.close()  # `kubectl breakeven … | head`: Python would complain at its end
        sys.exit(FAILED)

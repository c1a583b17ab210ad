"""Completion, for a shell and through kubectl's own.

kubectl completes plugins by running `kubectl_complete-NAME` with the words so far, and takes what cobra prints: a
candidate a line with its description behind a tab, then a colon and a directive
(https://kubernetes.io/docs/reference/kubectl/generated/kubectl_plugin/).
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

COMMAND = "kubectl-breakeven"
VARIABLE = "_KUBECTL_BREAKEVEN_COMPLETE"
"""Tells typer to answer with candidates instead of running."""
_WIDE = "10000"
"""Columns in which no description is broken into lines, which would be candidates."""
_NO_FILES, _FILES = ":4", ":0"
"""cobra's ShellCompDirectiveNoFileComp, and its default, with which the shell completes file names."""


class Shell(StrEnum):
    """Shells that can be completed in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completion of `kubectl-breakeven` for a shell.

    `kubectl breakeven` itself is completed by kubectl's own completion, through `kubectl_complete-breakeven`, which is
    installed beside this command.

    Example: `source <(kubectl breakeven completion bash)`
    """
    typer.echo(_answered({VARIABLE: f"source_{shell}"}))


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word, and the directive, as kubectl wants them."""
    *before, incomplete = words or [""]
    line = shlex.join([COMMAND, *before]) + " " + (shlex.quote(incomplete) if incomplete else "")
    asked = {VARIABLE: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": line}
    found = [text for text in _answered(asked).splitlines() if text.strip()]
    return [*found, _NO_FILES if found else _FILES]


def _answered(asked: Mapping[str, str]) -> str:
    """What typer prints when its variables ask for completion instead of a run."""
    from breakeven.cli.kubectl.app import build

    out, before = io.StringIO(), dict(os.environ)
    os.environ.update(asked, COLUMNS=_WIDE)
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            build(completing=True)(prog_name=COMMAND)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return out.getvalue()


def complete() -> None:
    """`kubectl_complete-breakeven`."""
    typer.echo("\n".join(candidates(sys.argv[1:])))

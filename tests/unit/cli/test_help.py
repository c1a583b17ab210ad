"""`--help` helps: every command has an example, and every option a word."""

from collections.abc import Iterator

import click
import pytest
import typer
from typer.testing import CliRunner

from breakeven.cli.main import EXIT_CODES, app


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ALL = dict(commands(typer.main.get_command(app), "breakeven"))  # type: ignore[arg-type] # it is a group


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_shows_an_example_of_itself(name: str) -> None:
    help_text = " ".join((ALL[name].help or "").split())

    assert name in help_text.partition("xample")[2]


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_option_says_what_it_is_for(name: str) -> None:
    silent = [o.name for o in ALL[name].params if isinstance(o, click.Option) and not o.help]

    assert silent == []


def test_a_file_with_a_resource_is_named_alike_everywhere() -> None:
    takes = {name: o.opts for name, c in ALL.items() for o in c.params if "-f" in o.opts and "logs" not in name}

    assert set(takes) == {
        f"breakeven {name}" for name in ("adopt", "plan", "render", "backtest", "simulate", "measure")
    }
    assert all(set(opts) == {"-f", "--file"} for opts in takes.values())


def test_the_root_says_what_the_exit_codes_mean() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())

    assert EXIT_CODES[:40] in shown
    assert "breakeven demo" in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["plan", "-f", "/none"], 2),
        (["render", "-f", "/none"], 2),
        (["adopt", "-f", "/none"], 2),
        (["backtest", "-f", "/none", "--prometheus", "http://127.0.0.1:1", "--start", "1h"], 2),
        (["simulate", "-f", "/none"], 2),
        (["score", "--cases", "/none"], 2),
        (["inspect", "--before", "/none", "--after", "/none"], 2),
        (["inspect", "http://127.0.0.1:1", "--for", "1s"], 2),
        (["measure", "-f", "/none", "--serve"], 2),
        (["measure", "--on", "http://127.0.0.1:1"], 2),
        (["load", "--url", "http://127.0.0.1:1", "--profile", "/none"], 2),
        (["run", "--kubeconfig", "/none"], 2),
        (["lab", "up", "--settings", "/none"], 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_cannot_be_read_is_exit_code_2_everywhere(arguments: list[str], code: int) -> None:
    result = CliRunner().invoke(app, arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr

"""The offline commands that the README and the pages print do what they are printed for."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLES = sorted(path.name for path in (ROOT / "manifests" / "samples").glob("*.yaml"))
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COMMAND = re.compile(r"^(?:\$ )?breakeven ((?:adopt|plan|render|score) [^#\n]*)", re.MULTILINE)
SCORED = re.compile(r"`breakeven (score --cases benchmarks/[^`]*)`")


def documented() -> list[str]:
    """Commands that name files of this repository; `spd.yaml` and the like stand for the reader's own."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    found = [command.strip() for pattern in (COMMAND, SCORED) for command in pattern.findall(text)]
    return sorted(
        {
            command
            for command in found
            if any(place in command for place in ("manifests/", "benchmarks/", "tests/data/"))
        }
    )


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_succeeds(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, shlex.split(command))

    assert result.exit_code == 0, result.stderr
    assert result.stdout


def test_both_commands_are_documented_and_every_sample_is() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")

    assert {command.split()[0] for command in documented()} >= {"adopt", "plan", "render"}
    assert [name for name in SAMPLES if f"`{name}`" not in readme] == []

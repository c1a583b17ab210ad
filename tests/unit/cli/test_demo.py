"""`breakeven demo` makes its own tools: a fresh machine has none."""

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app
from breakeven.lab.tools import build
from breakeven.lab.tools.pins import Pins, ToolsMissingError


def test_the_demo_builds_its_tools_first_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(pins: Pins, wanted: str) -> None:
        assert pins.select(wanted)
        asked.append(wanted)
        raise ToolsMissingError("Go is not on PATH: install Go")

    monkeypatch.setattr(build, "build", refuse)
    result = CliRunner().invoke(app, ["demo"])
    assert asked == ["demo"]
    assert result.exit_code == 1
    assert "Go is not on PATH" in result.stderr

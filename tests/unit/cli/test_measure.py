"""`breakeven measure` on the command line: what is refused, and how."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app

RUN = CliRunner()
URLS = ["--off", "127.0.0.1:1", "--on", "127.0.0.1:1"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "give --off URL and --on URL, or -f FILE"),
        ([*URLS, "--temperatures", "hot"], "--temperatures: 'hot' is no list of numbers"),
        ([*URLS, "--temperatures", "3"], "--temperatures: '3' must hold numbers from 0 to 2"),
        ([*URLS, "--concurrency", "1.5"], "--concurrency: '1.5' must hold whole numbers; rates go to --rates"),
        ([*URLS, "--concurrency", ""], "--concurrency: give at least one load"),
        ([*URLS, "--rates", "0"], "--rates: '0' must hold numbers from 0.001"),
        ([*URLS, "--prompts", "none.jsonl"], "--prompts: none.jsonl: cannot be read"),
        ([*URLS, "--duration", "soon"], "--duration: 'soon' is not a duration"),
        ([*URLS, "--precision", "0"], "--precision: '0' must be between 0.1% and 50%"),
        ([*URLS, "--slo", "speed=1s"], "--slo: 'speed=1s' is not understood"),
        (["--off", "ftp://x"], "'ftp://x' is no address"),
        (["--serve"], "--serve starts the engines of -f FILE itself"),
    ],
)
def test_an_option_that_cannot_be_read_ends_with_2_and_is_named(options: list[str], complaint: str) -> None:
    result = RUN.invoke(app, ["measure", *options])
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_server_that_is_not_there_ends_with_2_and_leaves_nothing(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["measure", *URLS, "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "error: --off: http://127.0.0.1:1/metrics: cannot be reached" in result.stderr
    assert not (tmp_path / "out").exists()


def test_too_little_time_for_the_grid_is_said_beforehand(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["measure", *URLS, "--duration", "10s", "-o", str(tmp_path / "out")])
    assert "note: 16 cells on 2 servers take at least 9.6 minutes" in result.stderr

"""A metric page comes from whoever answers at an address: no page ends in a traceback or writes to the terminal."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from breakeven.cli.main import app

CPU = Path(__file__).parents[2] / "data" / "vllm-cpu"
BEFORE, AFTER = (CPU / f"draft_model-medium-fixed-{at}.prom" for at in ("before", "t0"))
READ = [
    n for n, line in enumerate(AFTER.read_text().splitlines()) if line.startswith("vllm:") and "_bucket" not in line
]
"""Lines that figures are made of."""
LINES = AFTER.read_text().splitlines()
VALUES = [
    "NaN",
    "+Inf",
    "-Inf",
    "-1",
    "0",
    "1e-300",
    "1e308",
    "1e999",
    "9" * 400,
    "0x10",
    "1_0",
    "",
    "1 2 3",
    "1 99e99",
]
TEXTS = [
    "[/red]",
    "[bold]",
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "a\rb",
    "\\n",
    "\u202e",
    "{",
    '"',
    "\\",
    "x" * 5000,
    "\x00",
    "\u2028",
]


def printed(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    assert result.exit_code in (0, 1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


def assert_plain(text: str) -> None:
    assert not [line for line in text.split("\n") if not line.isprintable()]


@st.composite
def pages(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from(READ))
        name, space, _ = lines[at].rpartition(" ")
        text = draw(st.sampled_from(TEXTS))
        lines[at] = draw(
            st.sampled_from(
                [
                    name + space + draw(st.sampled_from(VALUES)),
                    lines[at].replace('model_name="', f'model_name="{text}'),
                    lines[at].replace('engine="0"', f'engine="{text}"'),
                    lines[at].replace("{", f'{{pod="{text}",', 1),
                    text + lines[at],
                    lines[at][: draw(st.integers(0, 80))],
                    lines[at] + "\n" + lines[at],
                ]
            )
        )
    text = draw(st.sampled_from(["", *TEXTS]))
    everywhere = draw(st.sampled_from(['model_name="', 'engine="', "vllm:"]))
    return "\n".join(line.replace(everywhere, everywhere + text, 1) for line in lines) + "\n"


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(page=pages(), output=st.sampled_from(["table", "json"]), first=st.booleans())
def test_no_page_ends_in_a_traceback_or_reaches_the_terminal(
    tmp_path: Path, page: str, output: str, first: bool
) -> None:
    hostile = tmp_path / "page.prom"
    hostile.write_text(page, encoding="utf-8", newline="")
    before, after = (hostile, AFTER) if first else (BEFORE, hostile)
    assert_plain(printed("--before", before, "--after", after, "-o", output))


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://[x]", "http://a:99999", "http://a\u2100b", "http://\x1b[2J", "ftp://a"]
)
def test_an_address_that_is_none_is_named_without_a_traceback(address: str) -> None:
    text = printed(address, "--for", "1s")
    assert "error:" in text
    assert_plain(text)

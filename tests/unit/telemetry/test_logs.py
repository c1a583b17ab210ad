"""Log lines, whatever somebody else wrote into a message."""

import json
import logging
import sys

import pytest

from breakeven.telemetry.logs import JsonFormatter, TextFormatter

FORGED = "no\n2026-11-26T00:00:00.000Z ERROR   lost\r\x1b[2J\x1b]0;owned\x07\u2028\u202e\x00end"


def record(error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("breakeven.x", logging.WARNING, "x.py", 1, "engine said %s", (FORGED,), info)
    made.key = f"inference/{FORGED}"
    return made


def raised() -> BaseException:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        return error


@pytest.mark.parametrize("form", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_a_message_is_one_printable_line(form: logging.Formatter) -> None:
    line = form.format(record())
    assert line.isprintable()
    assert "ERROR   lost" in line


def test_lines_of_a_traceback_are_indented_and_printable() -> None:
    first, *rest = TextFormatter().format(record(raised())).split("\n")
    assert first.isprintable()
    assert rest
    for line in rest:
        assert line.startswith("    ")
        assert line.isprintable()


def test_a_traceback_stays_in_the_json_of_its_record() -> None:
    (line,) = JsonFormatter().format(record(raised())).splitlines()
    assert "ValueError" in json.loads(line)["exception"]


def test_half_a_surrogate_pair_can_be_written() -> None:
    made = logging.LogRecord("breakeven.x", logging.WARNING, "x.py", 1, "said \ud800", (), None)
    for form in (TextFormatter(), JsonFormatter()):
        form.format(made).encode(sys.getdefaultencoding())

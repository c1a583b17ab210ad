"""Logging: one line a record, as JSON for machines or as text for people."""

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("kopf", "aiohttp.access", "urllib3")
"""Libraries that report their daily work at INFO; kopf one line for each event that we only put into a queue."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what a caller gave as `extra` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(_extra(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, then what was given as `extra`: one line, and a traceback indented below it.

    What engines, API servers and users wrote is in messages: line breaks and terminal codes in it are shown escaped, so
    that nobody can forge a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        text = _escaped(f"{_time(record)} {record.levelname:<7} {record.getMessage()}{extra}")
        if not record.exc_info:
            return text
        traceback = self.formatException(record.exc_info).split("\n")
        return "\n".join([text, *(f"    {_escaped(line)}" for line in traceback)])


def setup(*, form: str, level: str) -> None:
    """Send every record to stderr in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    if not record.name.startswith("breakeven"):
        return {}  # kopf hangs whole objects on its records
    return {n: v for n, v in vars(record).items() if n not in _STANDARD}

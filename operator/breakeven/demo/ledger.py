"""Decisions in the order they were made, from the details of the status: a state can be skipped, a line cannot.

They have the last five lines, and a poll comes every second or so; a story that looks for a line after a mark
finds it however briefly the state that it led to lasted.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from breakeven.demo.details import details

Line = Mapping[str, Any]
"""One decision as in the status: at, action, reason, message."""


class Ledger:
    """Every decision seen so far, oldest first."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._seen: set[tuple[str, str, str]] = set()

    def read(self, status: Mapping[str, Any]) -> list[Line]:
        """Take in a status; returns the lines that are new, oldest first."""
        new = []
        for line in reversed(details(status).get("decisions") or []):
            key = (line["at"], line["action"], line["message"])
            if key not in self._seen:
                self._seen.add(key)
                new.append(line)
        self.lines += new
        return new

    @property
    def mark(self) -> int:
        """The end as it is now; `first` looks for lines after it."""
        return len(self.lines)

    def first(self, actions: Collection[str], *, after: int) -> Line | None:
        """The first line after a mark with one of the actions; None when there is none yet."""
        return next((line for line in self.lines[after:] if line["action"] in actions), None)

    def last(self, actions: Collection[str]) -> Line | None:
        """The newest line with one of the actions; None when there is none."""
        return next((line for line in reversed(self.lines) if line["action"] in actions), None)


def when(line: Line) -> float:
    """When it was decided, unix seconds."""
    return datetime.fromisoformat(line["at"]).timestamp()

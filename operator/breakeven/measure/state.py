"""What has been measured so far, in a file that grows by a line a visit, so that nothing is lost and all goes on."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from breakeven.domain.counters.observation import Gauges, Totals
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.server import Answer
from breakeven.measure.visit import Visit

FILE = "visits.jsonl"
VERSION = 1
"""Of the file's form."""


class StateError(Exception):
    """A directory cannot be used; the message says why and what to do."""


class State:
    """The visits of one measurement, kept in a directory. The first line of the file says what was asked for."""

    def __init__(self, directory: Path, header: Mapping[str, Any]) -> None:
        """Open or begin.

        Raises
        ------
        StateError
            If the directory holds another measurement, or cannot be written.
        """
        self._path = directory / FILE
        self._header = {"version": VERSION, **header}
        self.visits: list[Visit] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
            if lines:
                self._resume(lines)
            else:
                self._path.write_text(json.dumps(self._header) + "\n", encoding="utf-8")
        except OSError as error:
            raise StateError(f"{directory}: cannot be written: {error.strerror or error}") from None

    def add(self, visit: Visit) -> None:
        """Keep one visit. It is on disk when this returns."""
        self.visits.append(visit)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_plain(visit)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _resume(self, lines: Sequence[str]) -> None:
        whole = lines if _is_json(lines[-1]) else lines[:-1]  # the last line may have been cut by a crash
        try:
            header = json.loads(whole[0])
            visits = [read_visit(json.loads(line)) for line in whole[1:]]
        except (ValueError, LookupError, TypeError):
            raise StateError(f"{self._path}: cannot be read; give another -o, or delete it") from None
        differing = sorted(k for k in self._header.keys() | header.keys() if self._header.get(k) != header.get(k))
        if differing:
            raise StateError(
                f"{self._path.parent} holds another measurement (it differs in {', '.join(differing)}); "
                "give another -o, or the same options to go on with it"
            )
        self.visits = visits
        if len(whole) < len(lines):
            self._path.write_text("\n".join(whole) + "\n", encoding="utf-8")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _plain(visit: Visit) -> dict[str, Any]:
    return asdict(visit)


def read_visit(row: Mapping[str, Any]) -> Visit:
    """A visit from one line of the file. Raises ValueError, LookupError or TypeError where it is none."""
    values = {f.name: row[f.name] for f in fields(Visit)}
    totals = dict(values["totals"])
    for name in ("ttft_buckets", "tpot_buckets"):
        totals[name] = tuple((float(bound), count) for bound, count in totals[name])
    totals["accepted_at"] = tuple(totals["accepted_at"])
    return Visit(
        **values
        | {
            "cell": Cell(**values["cell"]),
            "arm": Arm(values["arm"]),
            "totals": Totals(**totals),
            "gauges": Gauges(**values["gauges"]),
            "parts": tuple((a, b) for a, b in values["parts"]),
            "answers": tuple(Answer(**answer) for answer in values["answers"]),
        }
    )

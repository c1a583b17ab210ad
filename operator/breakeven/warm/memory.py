"""Host memory of the engines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")


def resident_bytes(leaders: Iterable[int]) -> int:
    """Resident bytes of processes and all below them. What processes share counts once for each."""
    total, todo = 0, list(leaders)
    while todo:
        process = Path("/proc", str(todo.pop()))
        try:
            found = _RESIDENT.search((process / "status").read_text())
            for thread in (process / "task").iterdir():
                todo += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # ended meanwhile
        total += int(found.group(1)) * 1024 if found else 0
    return total

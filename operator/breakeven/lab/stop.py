"""Takes a lab down from outside: asks its process to end, then makes sure that nothing is left."""

import os
import shutil
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from breakeven.lab.errors import LabError
from breakeven.lab.pace import this_machine
from breakeven.lab.reap import VARIABLE, start_ticks, sweep
from breakeven.lab.state import FILE, LabState, read_state

PATIENCE_SECONDS = 30.0
"""How long a lab's process may take to end in good order before it is killed."""


def stop_lab(directory: Path) -> bool:
    """End the lab in that directory; returns whether there was one. Logs stay, everything else is removed."""
    if not (directory / FILE).exists():
        return False
    try:
        state = read_state(directory)
    except LabError:
        remove_stale(directory)
        return True
    _end(state)
    remove_stale(directory)
    return True


def _end(state: LabState) -> None:
    if not state.alive():
        return
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + this_machine().stretched(PATIENCE_SECONDS)
    while start_ticks(state.pid) == state.started:
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.02)


def remove_stale(directory: Path, keep: Collection[str] = ("logs", "pods")) -> None:
    """Kill what a dead lab left running and remove its files, all logs excepted by default."""
    if not directory.is_dir():
        return
    with suppress(LabError):
        sweep(VARIABLE, read_state(directory).identity)
    for entry in list(directory.iterdir()):
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)

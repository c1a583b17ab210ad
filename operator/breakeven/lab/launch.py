"""Starts the process that runs a lab, and ties its life to the one that asked for it.

The tie is a pipe: the lab's process reads it, and its end means that the other side is gone, however it went. A
detached lab is told so before the pipe is closed.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from breakeven.lab.errors import LabError
from breakeven.lab.pace import this_machine
from breakeven.lab.settings import LabSettings
from breakeven.lab.state import FILE, read_state
from breakeven.lab.stop import remove_stale

SETTINGS = "settings.json"
DETACH = b"detach\n"
READY = "ready"


class Launched:
    """The lab's process and the pipe that it is tied to."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the lab's process."""
        return self._process.pid

    def detach(self) -> None:
        """Let the lab outlive this process."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.write(DETACH)
            self._process.stdin.close()

    def wait(self) -> int:
        """Cut the tie, wait until the lab's process has ended, return its exit status."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            status = self._process.wait(timeout=this_machine().stretched(60))
        except subprocess.TimeoutExpired:
            self._process.kill()  # its guard ends the rest
            status = self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return status


def launch(settings: LabSettings, directory: Path, progress: Callable[[str], None]) -> Launched:
    """Start a lab's process and return when the lab is ready.

    Raises LabError: one is up there already, or it did not come up (with the reason).
    """
    if (directory / FILE).exists() and read_state(directory).alive():
        raise LabError(f"lab {settings.name!r} is up already: `breakeven lab down --name {settings.name}` first")
    remove_stale(directory, keep=())
    (directory / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    (directory / SETTINGS).write_text(settings.model_dump_json(indent=2) + "\n")
    with (directory / "logs" / "lab.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "breakeven.lab.daemon", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    launched = Launched(process)
    try:
        _await_ready(process, progress)
    except BaseException:
        launched.wait()
        raise
    return launched


def _await_ready(process: "subprocess.Popen[bytes]", progress: Callable[[str], None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if "failed" in event:
            raise LabError(event["failed"])
        if event.get("stage") == READY:
            return
        progress(event["stage"])
    raise LabError("the lab's process ended before it was ready")

"""Ends what a lab left behind, and nothing else.

Every process of a lab carries the lab's identity in its environment, and hands it on to its own children, whatever
sessions or groups they make. A process is signalled through a pidfd taken before its environment is read, so that a
pid given to another process in between cannot be hit.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "EMBEDDED_LAB_ID"
"""Carried by every process of a lab."""
POD_VARIABLE = "EMBEDDED_LAB_POD"
"""Carried by every process of one container: pod UID, slash, container name."""


def start_ticks(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None when there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def marked(variable: str, value: str) -> Iterator[int]:
    """Pidfds of this user's processes whose environment holds variable=value. The caller closes each."""
    wanted = f"{variable}={value}".encode()
    mine = os.getuid()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        descriptor = -1
        try:
            if entry.stat().st_uid != mine:
                continue
            descriptor = os.pidfd_open(int(entry.name))
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield descriptor
                descriptor = -1
        except OSError:
            continue  # ended meanwhile, or not ours to read
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def sweep(variable: str, value: str, *, seconds: float = 5.0) -> int:
    """SIGKILL every process so marked, again until none is left. Returns how many were killed."""
    killed = 0
    deadline = time.monotonic() + seconds
    while True:
        found = 0
        for descriptor in marked(variable, value):
            found += 1
            with suppress(OSError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
        killed += found
        if not found or time.monotonic() > deadline:
            return killed
        time.sleep(0.02)  # a killed process keeps its entry until it is reaped

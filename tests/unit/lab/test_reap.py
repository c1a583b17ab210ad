"""Ending what carries a mark, and nothing else."""

import os
import secrets
import subprocess
import sys
import time

from breakeven.lab.reap import start_ticks, sweep

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)",
]


def test_marked_processes_are_killed_whatever_their_session_and_others_are_spared() -> None:
    mark = secrets.token_hex(8)
    marked = dict(os.environ) | {"MARK": mark}
    with (
        subprocess.Popen(PARENT, stdout=subprocess.PIPE, env=marked) as parent,
        subprocess.Popen(SLEEP, stdout=subprocess.PIPE, env=dict(os.environ) | {"MARK": mark + "x"}) as other,
    ):
        assert parent.stdout is not None
        assert other.stdout is not None
        grandchild = int(parent.stdout.readline())
        other.stdout.readline()
        # between fork and exec a child still has its parent's variables, and is found by them as well
        assert sweep("MARK", mark, seconds=10) >= 2
        assert parent.wait() == -9
        assert start_ticks(grandchild) is None
        assert other.poll() is None
        other.kill()


def test_the_start_of_a_process_tells_it_from_a_later_one() -> None:
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        first = start_ticks(process.pid)
        assert first is not None
        assert first == start_ticks(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while start_ticks(process.pid) == first and time.monotonic() < deadline:
            pass
        assert start_ticks(process.pid) != first

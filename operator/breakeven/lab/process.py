"""A local process that dies with the process that started it. Linux only."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""linux/prctl.h."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def end_with_parent(sent: signal.Signals = signal.SIGKILL, *, cores: Collection[int] = ()) -> Callable[[], None]:
    """A `preexec_fn` for a child that gets the signal when this process ends, however it ends: prctl(2).

    cores: the only ones that it may run on; none given, all.
    """
    parent = os.getpid()

    def prepare() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, sent)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)
        if cores:
            os.sched_setaffinity(0, cores)

    return prepare


@dataclass(slots=True, kw_only=True)
class Child:
    """A started process, leader of its own session and process group."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        directory: Path | None = None,
        cores: Collection[int] = (),
    ) -> "Child":
        """Start it with both outputs appended to `log`. Raises OSError when it cannot be executed."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
                preexec_fn=end_with_parent(cores=cores),
            )
        finally:
            os.close(descriptor)
        return cls(process=process)

    @property
    def pid(self) -> int:
        """Also its process group and session."""
        return self.process.pid

    @property
    def status(self) -> int | None:
        """Exit status, minus the signal's number when one ended it; None while it runs."""
        return self.process.returncode

    async def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        return await self.process.wait()

    def signal(self, number: int) -> None:
        """Signal the process itself; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill_group(self) -> None:
        """SIGKILL its whole process group. Safe while the leader is not reaped or members remain."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill_group_if_running(self) -> None:
        """SIGKILL its group unless it has ended meanwhile."""
        if self.status is None:
            self.kill_group()

    async def stop(self, grace: float) -> int:
        """SIGTERM, then after `grace` seconds SIGKILL to the group. Returns its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), grace)
        except TimeoutError:
            self.kill_group()
            return await self.process.wait()

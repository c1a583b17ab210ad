"""One component: its command line, and starting and stopping it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breakeven.lab.errors import LabError
from breakeven.lab.pace import Patience, this_machine
from breakeven.lab.process import Child
from breakeven.lab.reap import VARIABLE

STOP_SECONDS = 8.0
"""Grace of a component before SIGKILL."""
APISERVER_STOP_SECONDS = 1.5
"""It would wait for its clients to end their watches, which they do not."""
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "GOMAXPROCS", "GOMEMLIMIT", "GOGC")
"""Variables of the caller that a component sees. Proxy settings are not among them: everything is on loopback."""


@dataclass(slots=True, kw_only=True)
class Component:
    """A process that the lab cannot do without."""

    name: str
    argv: Sequence[str]
    log: Path
    identity: str
    ready: Callable[[], Awaitable[bool]]
    """Whether it answers; asked until it does. Must not raise for "not yet"."""
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = STOP_SECONDS
    child: Child | None = None
    wanted: bool = False
    """Whether its end would be a fault."""

    async def start(self) -> None:
        """Start the process without waiting for it to answer. Raises LabError when it cannot be executed."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            self.child = await Child.start(
                self.argv,
                environment=passed_on | dict(self.environment) | {VARIABLE: self.identity},
                log=self.log,
            )
        except OSError as error:
            raise LabError(f"{self.name}: {self.argv[0]} cannot be started: {error}") from error
        self.wanted = True

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it answers. Raises LabError with the end of its log when it ends or takes longer.

        seconds: on an idle machine; a busy one gets more.
        """
        patience = Patience(seconds, this_machine())
        while not await self.ready():
            if self.child is None or self.child.status is not None:
                raise LabError(f"{self.name} ended while starting:\n{self.tail()}")
            if patience.over():
                raise LabError(
                    f"{self.name} was not ready after {patience.waited:.0f} s{patience.remark}:\n{self.tail()}"
                )
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL. Returns when it has ended; one that does not run is fine."""
        self.wanted = False
        if self.child is not None:
            await self.child.stop(self.grace)
            self.child = None

    def running(self) -> bool:
        """Whether the process exists."""
        return self.child is not None and self.child.status is None

    def tail(self, size: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

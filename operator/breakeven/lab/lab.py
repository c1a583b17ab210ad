"""`Lab`: everything of one lab inside this event loop. Used by the lab's own process (`daemon.py`)."""

import asyncio
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from breakeven.lab.block import Block, reserve
from breakeven.lab.cluster import Cluster
from breakeven.lab.control import ControlServer
from breakeven.lab.controlplane.client import ApiError
from breakeven.lab.controlplane.keys import new_token
from breakeven.lab.controlplane.plane import ControlPlane
from breakeven.lab.errors import LabError
from breakeven.lab.reap import VARIABLE, start_ticks, sweep
from breakeven.lab.settings import LabSettings
from breakeven.lab.state import LabState, write_state

LOG = logging.getLogger(__name__)


class Lab:
    """An async context manager: up on entry, nothing left on exit."""

    def __init__(
        self, settings: LabSettings, directory: Path, progress: Callable[[str], None] = lambda _line: None
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.identity = secrets.token_hex(16)
        self.fault: asyncio.Future[str] | None = None
        """Done when something that must run has ended."""
        self._progress = progress
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.fault = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except ApiError as error:
            await self._stop()
            raise LabError(f"the API server: {error}") from error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        block = reserve()
        self._exits.callback(block.listener.close)
        self._guard()
        plane = ControlPlane(directory=self.directory, settings=self.settings, block=block, identity=self.identity)
        control = ControlServer(token=new_token(), plane=plane)
        await control.start(block)
        self._exits.push_async_callback(control.stop)
        write_state(self.directory, self._state(block, plane, control))
        self._exits.push_async_callback(plane.stop)
        await plane.start(self._progress)
        self._progress("nodes, kubelet and service proxy")
        cluster = Cluster(
            settings=self.settings, directory=self.directory, block=block, plane=plane, identity=self.identity
        )
        self._exits.push_async_callback(cluster.stop)
        await cluster.start()
        cluster.answer(control)
        watching = asyncio.create_task(self._watch(plane, cluster))
        self._exits.callback(watching.cancel)

    async def _watch(self, plane: ControlPlane, cluster: Cluster) -> None:
        """Tell when something that must run has ended."""
        assert self.fault is not None
        while True:
            await asyncio.sleep(1.0)
            if component := plane.fallen():
                self.fault.set_result(f"{component.name} ended:\n{component.tail()}")
                return
            if reason := cluster.fallen():
                self.fault.set_result(reason)
                return

    def _state(self, block: Block, plane: ControlPlane, control: ControlServer) -> LabState:
        started = start_ticks(os.getpid())
        if started is None:
            raise LabError("/proc is not mounted: the lab cannot tell its own processes")
        return LabState(
            name=self.settings.name,
            identity=self.identity,
            pid=os.getpid(),
            started=started,
            block=block.base,
            server=plane.layout.server,
            prometheus=plane.prometheus_url,
            kubeconfig=str(plane.layout.kubeconfig("lab-admin")),
            control=control.url,
            token=control.token,
        )

    def _guard(self) -> None:
        """Start the process that ends what this one would leave if it were killed."""
        watch = subprocess.Popen(
            [sys.executable, "-m", "breakeven.lab.watch", self.identity],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

        def release() -> None:
            assert watch.stdin is not None
            watch.stdin.close()
            watch.wait(timeout=15)

        self._exits.callback(release)

    async def _stop(self) -> None:
        await self._exits.aclose()
        left = await asyncio.to_thread(sweep, VARIABLE, self.identity)
        if left:
            LOG.warning("%d processes had to be killed at the end", left)

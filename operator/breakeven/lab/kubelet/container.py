"""One container of one pod: runs its process again and again, with probes, back-off and graceful end."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.kubelet import probes
from breakeven.lab.kubelet.nodes import timestamp
from breakeven.lab.process import Child
from breakeven.lab.reap import POD_VARIABLE, sweep

LOG = logging.getLogger(__name__)
LEAST_TERM_SECONDS = 2.0
"""What SIGTERM gets even when preStop used up the grace period; the kubelet's own minimum."""

Announce = Callable[[str, str, str], None]
"""(Normal or Warning, reason, message)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything needed to start the process."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    cores: Sequence[int]
    target: probes.Target
    directory: Path


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Seconds to wait before the next restart: none after the first crash, then 10, 20, 40 … 300 by default."""

    first: float
    limit: float
    crashes: int = 0

    def after(self, ran: float) -> float:
        """The process ended after `ran` seconds. One that ran for twice the limit starts afresh."""
        if ran > 2 * self.limit:
            self.crashes = 0
        self.crashes += 1
        return 0.0 if self.crashes == 1 else float(min(self.first * 2 ** (self.crashes - 2), self.limit))


@dataclass(slots=True, kw_only=True)
class Container:
    """State as the status shows it, and the task that keeps the process running."""

    spec: Manifest
    owner: str
    """<namespace>/<pod>, for messages."""
    marker: str
    """Pod UID, slash, container name: in the environment of everything it starts."""
    restart_policy: str
    grace: float
    directory: Path
    backoff: Backoff
    session: aiohttp.ClientSession
    changed: Callable[[], None]
    announce: Announce
    state: Manifest = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Manifest = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    ended: bool = False
    """Whether it will not be started again."""
    identity: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it was started for the first time; what waits for a sidecar waits for this."""
    _child: Child | None = None
    _stop_now: asyncio.Event = field(default_factory=asyncio.Event)
    _launch: Launch | None = None

    @property
    def name(self) -> str:
        """Of the container."""
        return str(self.spec["name"])

    def log(self, *, previous: bool = False) -> Path:
        """Log of this run, or of the one before."""
        return self.directory / f"{max(self.restarts - (1 if previous else 0), 0)}.log"

    def wait_for(self, reason: str, message: str) -> None:
        """Not started, and why."""
        self.state = {"waiting": {"reason": reason, "message": message}}
        self.changed()

    async def run(self, launch: Launch) -> None:
        """Start it, and again as the restart policy says, until stopped or ended for good."""
        self._launch = launch
        loop = asyncio.get_running_loop()
        while not self._stop_now.is_set():
            began = loop.time()
            status = await self._run_once(launch)
            if self._stop_now.is_set() or not self._again(status):
                break
            pause = self.backoff.after(loop.time() - began)
            if pause:
                self.last_state, before = self.state, self.state
                self.wait_for(
                    "CrashLoopBackOff",
                    f"back-off {pause:g}s restarting failed container={self.name} pod={self.owner}",
                )
                self.announce("Warning", "BackOff", f"Back-off restarting failed container {self.name}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop_now.wait(), pause)
                if self._stop_now.is_set():
                    self.state = before
                    break
            else:
                self.last_state = self.state
            self.restarts += 1
        self.ended = True
        self.changed()

    def _again(self, status: int) -> bool:
        return self.restart_policy == "Always" or (self.restart_policy == "OnFailure" and status != 0)

    async def _run_once(self, launch: Launch) -> int:
        began = timestamp()
        self.identity = f"process://{secrets.token_hex(32)}"
        try:
            self._child = await Child.start(
                launch.argv,
                environment=dict(launch.environment) | {POD_VARIABLE: self.marker},
                log=self.log(),
                directory=launch.directory,
                cores=launch.cores,
            )
        except OSError as error:
            self.announce("Warning", "Failed", f"Error: {error}")
            self._terminated(began, 128, "StartError", str(error))
            return 128
        if self._stop_now.is_set():  # asked to stop while the process was being made
            self._child.kill_group()
        self.started = "startupProbe" not in self.spec
        self.ready = self.started and "readinessProbe" not in self.spec
        self.state = {"running": {"startedAt": began}}
        if self.started:
            self.up.set()
        self.announce("Normal", "Started", f"Container started as process {self._child.pid}")
        self.changed()
        watching = asyncio.create_task(self._watch_probes(launch.target))
        try:
            status = await self._child.wait()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        await self._clear()
        code = 128 - status if status < 0 else status
        self._terminated(began, code, "Completed" if code == 0 else "Error", "")
        return code

    def _terminated(self, began: str, code: int, reason: str, message: str) -> None:
        self.started = self.ready = False
        ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": timestamp()}
        if code > 128 and reason == "Error":
            ended["signal"] = code - 128
        if message:
            ended["message"] = message
        self.state = {"terminated": ended | {"containerID": self.identity}}
        self.changed()

    async def _clear(self) -> None:
        """Nothing of a container survives its first process."""
        await asyncio.to_thread(sweep, POD_VARIABLE, self.marker)

    async def _watch_probes(self, target: probes.Target) -> None:
        if startup := self.spec.get("startupProbe"):
            passed = asyncio.Event()

            def judge(outcome: probes.Outcome, settled: bool) -> None:
                self._unhealthy("Startup", outcome)
                if outcome.passed and settled:
                    passed.set()
                elif settled:
                    self._kill("startup", startup)

            asking = asyncio.create_task(probes.follow(startup, target, self.session, judge))
            try:
                await passed.wait()
            finally:
                asking.cancel()
                await asyncio.wait([asking])
            self.started = True
            self.up.set()
            self.ready = "readinessProbe" not in self.spec
            self.changed()
        async with asyncio.TaskGroup() as group:
            if readiness := self.spec.get("readinessProbe"):
                group.create_task(probes.follow(readiness, target, self.session, self._judge_readiness))
            if liveness := self.spec.get("livenessProbe"):

                def judge_liveness(outcome: probes.Outcome, settled: bool) -> None:
                    self._unhealthy("Liveness", outcome)
                    if settled and not outcome.passed:
                        self._kill("liveness", liveness)

                group.create_task(probes.follow(liveness, target, self.session, judge_liveness))

    def _judge_readiness(self, outcome: probes.Outcome, settled: bool) -> None:
        self._unhealthy("Readiness", outcome)
        if settled and outcome.passed != self.ready and not (self._stop_now.is_set() and outcome.passed):
            self.ready = outcome.passed
            self.changed()

    def _unhealthy(self, probe: str, outcome: probes.Outcome) -> None:
        if not outcome.passed and not self._stop_now.is_set():
            self.announce("Warning", "Unhealthy", f"{probe} probe failed: {outcome.message}")

    def _kill(self, probe: str, settings: Manifest) -> None:
        """A probe failed for good: end the process gracefully; `run` starts it again."""
        child = self._child
        if child is None or self._stop_now.is_set():
            return
        self.announce("Normal", "Killing", f"Container {self.name} failed {probe} probe, will be restarted")
        grace = float(settings.get("terminationGracePeriodSeconds", self.grace))
        child.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(grace, child.kill_group_if_running)

    async def stop(self, grace: float) -> None:
        """End it for good: preStop, SIGTERM, and SIGKILL when `grace` seconds are over."""
        self._stop_now.set()
        child = self._child
        if child is None or child.status is not None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        if hook := (self.spec.get("lifecycle") or {}).get("preStop"):
            await self._pre_stop(hook, grace)
        left = max(deadline - loop.time(), min(grace, LEAST_TERM_SECONDS))
        await child.stop(left)

    async def _pre_stop(self, hook: Manifest, grace: float) -> None:
        assert self._launch is not None
        target = self._launch.target
        try:
            async with asyncio.timeout(grace):
                if "sleep" in hook:
                    await asyncio.sleep(float(hook["sleep"]["seconds"]))
                elif "exec" in hook:
                    outcome = await probes.execute(hook["exec"]["command"], target)
                    if not outcome.passed:
                        self.announce("Warning", "FailedPreStopHook", outcome.message)
                elif "httpGet" in hook:
                    await probes.http_get(hook["httpGet"], target, self.session)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            self.announce("Warning", "FailedPreStopHook", str(error) or "preStop used up the grace period")

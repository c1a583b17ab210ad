"""Engines of a resource on this machine, one after the other, with exactly the arguments that the operator renders."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from breakeven.measure.visit import Trouble

START_S = 1800.0
"""Seconds in which an engine must become healthy: loading and compiling take minutes."""
END_S = 60.0
"""Seconds in which it must end when asked to; after that it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How an engine is started."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    """Beside that of this process."""

    @property
    def port(self) -> int:
        """The port among the arguments; vLLM's own when there is none."""
        for word, following in zip(self.words, (*self.words[1:], ""), strict=True):
            if word.startswith("--port="):
                return int(word.removeprefix("--port="))
            if word == "--port":
                return int(following)
        return 8000


class Engine:
    """One engine as a child process. Use it as an asynchronous context manager; inside, it is healthy."""

    def __init__(self, command: Command, log: Path) -> None:
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{command.port}"

    async def __aenter__(self) -> "Engine":
        program = shutil.which(self._command.words[0])
        if program is None:
            raise Trouble(
                f"--serve: {self._command.words[0]} is not installed here; install vLLM, or start the servers "
                "yourself and give --off and --on"
            )
        if await _healthy(self.url):
            raise Trouble(f"--serve: something answers at {self.url} already; stop it first")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program,
                *self._command.words[1:],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | dict(self._command.environment),
                start_new_session=True,
            )
        try:
            await self._wait()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _wait(self) -> None:
        assert self._process is not None, "it was started"
        deadline = asyncio.get_running_loop().time() + START_S
        while not await _healthy(self.url):
            if self._process.returncode is not None:
                raise Trouble(
                    f"--serve: the engine ended with code {self._process.returncode} before it was healthy: "
                    f"{_last_line(self._log)} (all of it: {self._log})"
                )
            if asyncio.get_running_loop().time() > deadline:
                raise Trouble(f"--serve: the engine was not healthy within {START_S / 60:.0f} minutes; see {self._log}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._process.wait()

    async def _end(self) -> None:
        """The whole group: an engine has children that keep the GPU."""
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
        self._signal(signal.SIGKILL)
        await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "callers have one"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it wrote nothing"


async def _healthy(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/health") as r,
        ):
            return r.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def command_of(deployment: Mapping[str, Any]) -> Command:
    """The engine's command of a rendered Deployment: its arguments as they are, and the plain values of its env.

    Folders that the pod mounts do not exist here, so what points at them is left to this machine's own environment.
    """
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    mounts = tuple(mount["mountPath"] for mount in container.get("volumeMounts") or ())
    environment = {
        entry["name"]: str(entry["value"])
        for entry in container.get("env") or ()
        if "value" in entry and entry["name"] not in ("HOME", "USER") and not str(entry["value"]).startswith(mounts)
    }
    words = (*(container.get("command") or ("vllm", "serve")), *(container.get("args") or ()))
    return Command(words=tuple(map(str, words)), environment=environment)

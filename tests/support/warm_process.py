"""A warm replica as processes: the supervisor, a real HAProxy and simulated engines, on an address of its own."""

import asyncio
import hashlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from breakeven.lab.engine.image import image_environment
from breakeven.lab.process import end_with_parent
from breakeven.lab.tools.debian import HAPROXY, take

TOKEN = "secret"
PROGRAM = Path(__file__).parents[2] / "operator" / "breakeven" / "warm"
_ADDRESSES = itertools.count(1)
_QUICK = {"FIRST_SLEEP": "0.1", "SLEEP": "0.05", "WAKE": "0.05"}
_PLAIN = (
    *("vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct", "--served-model-name=llama", "--enable-sleep-mode"),
    *("--gpu-memory-utilization=0.9", "--shutdown-timeout=5"),
)
_DRAFT = (
    '--speculative-config={"method":"eagle3","model":"yuhuili/EAGLE3-LLaMA3.1-Instruct-8B","num_speculative_tokens":%d}'
)


def plain() -> dict[str, Any]:
    """The variant without a draft."""
    return {"variant": "plain", "speculates": False, "argv": list(_PLAIN), "env": {}}


def drafting(name: str = "draft", k: int = 3, **knobs: str) -> dict[str, Any]:
    """A variant with one; `knobs` of its simulation."""
    env = {f"BREAKEVEN_SIM_{key.upper()}": value for key, value in knobs.items()}
    return {"variant": name, "speculates": True, "argv": [*_PLAIN, _DRAFT % k], "env": env}


def slots(*variants: dict[str, Any], first: str = "plain", **more: Any) -> dict[str, Any]:
    """slots.json, its revision included."""
    content = {
        "first": first,
        "model": "llama",
        "startupTimeout": 60,
        "drainTimeout": 60,
        "onDrainTimeout": "Wait",
        "tokenSha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
        "variants": list(variants),
        **more,
    }
    return {"revision": hashlib.sha256(json.dumps(content).encode()).hexdigest()[:10], **content}


class WarmReplica:
    """One that runs in a folder."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self.folder, self.session = folder, session
        self.address = f"127.{192 + os.getpid() % 60}.{os.getpid() // 60 % 250}.{next(_ADDRESSES)}"  # beyond labs
        self.url, self.port = f"http://{self.address}:8000", f"http://{self.address}:8001"
        self.supervisor: asyncio.subprocess.Process | None = None
        self.proxy: asyncio.subprocess.Process | None = None
        self._environment = image_environment(
            os.environ | {f"BREAKEVEN_SIM_{name}": value for name, value in _QUICK.items()},
            address=self.address,
            options=[f"--pod-address={self.address}", "--image-version=0.26.0", "--load-delay=0.1"],
        ) | {"BREAKEVEN_CONTROL": str(folder), "BREAKEVEN_PROGRAM": str(PROGRAM), "TMPDIR": str(folder)}

    def write(self, content: dict[str, Any]) -> str:
        """Replace slots.json; its revision."""
        fresh = self.folder / "slots.new"
        fresh.write_text(json.dumps(content))
        fresh.replace(self.folder / "slots.json")
        return str(content["revision"])

    async def start_proxy(self) -> None:
        self.proxy = await self._start("proxy", str(take(HAPROXY)), "-db", "-f", f"{PROGRAM}/haproxy.cfg")

    async def start_supervisor(self, *options: str) -> None:
        files = (f"--slots={self.folder}/slots.json", f"--proxy={self.folder}/proxy.sock")
        self.supervisor = await self._start(
            "supervisor", sys.executable, "-m", "breakeven.warm", *files, "--leave=0.2", *options
        )

    async def _start(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        with (self.folder / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *arguments,
                stdout=log,
                stderr=log,
                env=self._environment,
                preexec_fn=end_with_parent(),
            )

    def log(self) -> str:
        return (self.folder / "supervisor.log").read_text(errors="replace")

    async def state(self) -> dict[str, Any]:
        async with self.session.get(f"{self.port}/state") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def health(self) -> int:
        """As a probe sees it, through the proxy; 0 where nobody answers."""
        try:
            async with self.session.get(f"{self.url}/health") as response:
                return response.status
        except aiohttp.ClientError:
            return 0

    async def until(self, holds: Any, seconds: float = 60) -> dict[str, Any]:
        """Look at the state until something holds of it."""
        found: dict[str, Any] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(aiohttp.ClientError, ConnectionError):
                found = await self.state()
                if holds(found):
                    return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {found}\n{self.log()[-3000:]}")

    async def until_ready(self, awake: str = "plain") -> dict[str, Any]:
        found = await self.until(lambda state: state["awake"] == awake)
        deadline = time.monotonic() + 30
        while await self.health() != 200:
            assert time.monotonic() < deadline, self.log()[-3000:]
            await asyncio.sleep(0.05)
        return found

    async def order(self, path: str, token: str = TOKEN, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.post(f"{self.port}{path}", json=body, headers=headers) as response:
            found: dict[str, Any] = await response.json()
            return response.status, found

    async def wake(self, variant: str, id: str) -> tuple[int, dict[str, Any]]:
        return await self.order("/awake", id=id, variant=variant)

    async def complete(self, tokens: int = 8, *, stream: bool = False) -> int:
        """Tokens of one answer through the proxy. Raises aiohttp.ClientError for anything but a whole answer."""
        body = {"model": "llama", "prompt": "a b c", "max_tokens": tokens, "ignore_eos": True, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        async with self.session.post(f"{self.url}/v1/completions", json=body, raise_for_status=True) as response:
            if not stream:
                return int((await response.json())["usage"]["completion_tokens"])
            last = ""
            async for line in response.content:
                text = line.decode().strip()
                if text.startswith("data: ") and text != "data: [DONE]":
                    last = text.removeprefix("data: ")
            return int(json.loads(last)["usage"]["completion_tokens"])

    def engines(self) -> dict[str, int]:
        """Process of each engine, by variant, found among the processes of this machine."""
        found = {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
                if f"--host={self.address}" in command and "breakeven.lab.engine" in command:
                    name = "draft" if any(part.startswith("--speculative-config") for part in command) else "plain"
                    found[name] = int(entry.name)
        return found

    async def until_no_engine(self, seconds: float = 30) -> None:
        """Wait for the end of their processes."""
        deadline = time.monotonic() + seconds
        while self.engines():
            assert time.monotonic() < deadline, self.engines()
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        for process in (self.supervisor, self.proxy):
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()


@asynccontextmanager
async def warm_replica(
    folder: Path, *variants: dict[str, Any], options: Sequence[str] = (), **more: Any
) -> AsyncIterator[WarmReplica]:
    """One that has been started; it may not be ready yet."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        replica = WarmReplica(folder, session)
        replica.write(slots(*variants, **more))
        try:
            await replica.start_proxy()
            await replica.start_supervisor(*options)
            yield replica
        finally:
            await replica.stop()

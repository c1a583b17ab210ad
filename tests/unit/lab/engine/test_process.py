"""The engine as a process: how it starts, stops, drains and dies."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

ASK = {"prompt": "hello", "max_tokens": 20, "temperature": 0, "ignore_eos": True}


class Started:
    """A running process and its log."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    async def log_has(self, text: str) -> None:
        """Read the log until a line has the text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            while True:
                line = (await self.process.stderr.readline()).decode()
                assert line, f"the process ended before it logged {text!r}"
                if text in line:
                    return

    async def exit_code(self) -> int:
        async with asyncio.timeout(30):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def engine(*arguments: str, ready: bool = True, **environment: str) -> AsyncIterator[Started]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "breakeven.lab.engine", "--pod-address", "127.0.0.1", "--image-version", "v0.33.0"),
        *("--load-delay", "0", "--", "vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct", f"--port={port}", *arguments),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | environment,
    )
    started = Started(process, f"http://127.0.0.1:{port}")
    try:
        if ready:
            await started.log_has("Application startup complete: simulated engine")
        yield started
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_idle_engine_exits_with_0_on_sigterm() -> None:
    async with engine() as started:
        started.process.send_signal(signal.SIGTERM)
        assert await started.exit_code() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--num-speculative-tokens=3"], 2, "unrecognized arguments: --num-speculative-tokens=3"),
        (['--speculative-config={"method": "bogus", "num_speculative_tokens": 3}'], 1, "Input should be"),
    ],
)
async def test_refused_command_line_ends_with_the_engines_code(arguments: list[str], code: int, message: str) -> None:
    async with engine(*arguments, ready=False) as started:
        await started.log_has(message)
        assert await started.exit_code() == code


async def test_engine_that_dies_on_its_first_request_exits_with_0() -> None:
    async with engine(BREAKEVEN_SIM_DIES_ON_FIRST_REQUEST="1") as started, aiohttp.ClientSession() as session:
        async with session.get(f"{started.url}/health") as response:
            assert response.status == 200
        async with session.post(f"{started.url}/v1/completions", json=ASK) as response:
            assert response.status == 500
        assert await started.exit_code() == 0


DRAFT = '--speculative-config={"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}'


async def test_only_an_engine_that_speculates_obeys_the_settings_for_drafts() -> None:
    told = {"BREAKEVEN_SIM_DRAFT_DIES_ON_FIRST_REQUEST": "1"}
    async with aiohttp.ClientSession() as session:
        async with engine(**told) as plain, session.post(f"{plain.url}/v1/completions", json=ASK) as response:
            assert response.status == 200
        async with engine(DRAFT, **told) as started:
            async with session.post(f"{started.url}/v1/completions", json=ASK) as response:
                assert response.status == 500
            assert await started.exit_code() == 0
    async with engine(DRAFT, ready=False, BREAKEVEN_SIM_DRAFT_FAILS_AT_START="1") as started:
        await started.log_has("told to fail while it starts")
        assert await started.exit_code() == 1
    async with engine(DRAFT, ready=False, BREAKEVEN_SIM_DRAFT_LOAD_DELAY="600") as started:
        await started.log_has("no model runs")
        started.process.send_signal(signal.SIGTERM)
        await started.log_has("stopped while loading")


async def test_requests_in_flight_finish_within_the_shutdown_timeout() -> None:
    async with engine("--shutdown-timeout=20") as started, aiohttp.ClientSession() as session:
        asked = asyncio.create_task(ask_long(session, started.url, tokens=500))
        await running(session, started.url)
        started.process.send_signal(signal.SIGTERM)
        await started.log_has("Shutting down: 1 requests in flight")
        async with session.post(f"{started.url}/v1/completions", json=ASK) as response:
            assert response.status == 500
        async with session.get(f"{started.url}/health") as response:
            assert response.status == 200
        assert await asked == "length"
        assert await started.exit_code() == 0


async def test_requests_in_flight_are_cut_off_without_a_shutdown_timeout() -> None:
    async with engine() as started, aiohttp.ClientSession() as session:
        asked = asyncio.create_task(ask_long(session, started.url, tokens=20_000))
        await running(session, started.url)
        started.process.send_signal(signal.SIGTERM)
        assert await asked == "abort"
        assert await started.exit_code() == 0


async def test_hanging_engine_stops_listening_and_only_sigkill_ends_it() -> None:
    async with engine(BREAKEVEN_SIM_HANGS_ON_SIGTERM="1") as started, aiohttp.ClientSession() as session:
        started.process.send_signal(signal.SIGTERM)
        await started.log_has("Waiting for connections to close")
        started.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            with pytest.raises(aiohttp.ClientConnectionError):
                while True:
                    async with session.get(f"{started.url}/health"):
                        pass
        assert started.process.returncode is None
        started.process.kill()
        assert await started.exit_code() == -signal.SIGKILL


async def ask_long(session: aiohttp.ClientSession, url: str, *, tokens: int) -> str:
    """Stream a long answer; returns why it ended."""
    body = ASK | {"max_tokens": tokens, "stream": True}
    async with session.post(f"{url}/v1/completions", json=body) as response:
        text = await response.text()
    *_, last, done = (line for line in text.split("\n\n") if line)
    assert done == "data: [DONE]"
    return str(json.loads(last.removeprefix("data: "))["choices"][0]["finish_reason"])


async def running(session: aiohttp.ClientSession, url: str) -> None:
    """Return once the server reports a running request."""
    async with asyncio.timeout(10):
        while True:
            async with session.get(f"{url}/metrics") as response:
                page = await response.text()
            if 'vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 1.0' in page:
                return

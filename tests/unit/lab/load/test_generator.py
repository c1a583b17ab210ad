"""Load against a small server of the test's own, and against a simulated engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from breakeven.lab.load.generator import LoadGenerator
from breakeven.lab.load.profile import Phase, Profile
from breakeven.lab.load.target import RemoteTarget


class Recorder:
    """A server that answers as told and keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.connections: set[Any] = set()
        self.status = 200
        self.hold: asyncio.Event | None = None
        self.cut = False
        self.got = asyncio.Condition()

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "served"}]})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        async with self.got:
            self.bodies.append(body)
            self.connections.add(request.transport)
            self.got.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        if self.status != 200:
            return web.Response(status=self.status)
        usage = {"completion_tokens": body["max_tokens"]}
        if not body["stream"]:
            return web.json_response({"usage": usage})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'data: {"choices": [{"text": "x"}]}\n\n')
        if not self.cut:
            await response.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())
        return response

    async def asked(self, count: int) -> None:
        async with asyncio.timeout(10), self.got:
            await self.got.wait_for(lambda: len(self.bodies) >= count)


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[Recorder, str]]:
    recorder = Recorder()
    app = web.Application()
    app.router.add_get("/v1/models", recorder.models)
    app.router.add_post("/v1/completions", recorder.complete)
    async with TestServer(app, host="127.0.0.1") as server:
        yield recorder, str(server.make_url("/"))


def profile(*, rate: Any = 100, duration: float = 0.5, **fields: Any) -> Profile:
    phase = {"name": "only", "duration": duration, "rate": rate} | {
        key: fields.pop(key) for key in ("mix",) if key in fields
    }
    return Profile.model_validate({"phases": [phase]} | fields)


async def test_requests_carry_model_temperature_and_lengths() -> None:
    kinds = [{"temperature": 0.7, "prompt": 12, "output": 34, "extra": {"top_p": 0.9}}]
    async with recording() as (recorder, url):
        summary = await LoadGenerator(url, profile(mix=kinds)).run()
    body = recorder.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"], body["top_p"]) == ("served", 0.7, 34, 0.9)
    assert len(body["prompt"]) == 12
    assert body["ignore_eos"] is True
    assert summary["model"] == "served"


async def test_summary_counts_and_has_percentiles() -> None:
    async with recording() as (recorder, url):
        summary = await LoadGenerator(url, profile(mix=[{"output": 10}])).run()
    total = summary["total"]
    assert total["sent"] == total["finished"] == len(recorder.bodies) > 10
    assert total["output_tokens"] == 10 * total["finished"]
    assert set(total["ttft_seconds"]) == {"mean", "p50", "p95", "p99"}
    assert summary["phases"]["only"] == total


async def test_same_seed_sends_the_same_requests() -> None:
    async with recording() as (recorder, url):
        await LoadGenerator(url, profile(seed=4)).run()
        first, recorder.bodies = recorder.bodies, []
        await LoadGenerator(url, profile(seed=4)).run()
        both = min(len(first), len(recorder.bodies))
        assert both > 10
        assert [len(b["prompt"]) for b in first[:both]] == [len(b["prompt"]) for b in recorder.bodies[:both]]


async def test_arrivals_do_not_wait_for_answers() -> None:
    async with recording() as (recorder, url):
        recorder.hold = asyncio.Event()
        running = asyncio.create_task(LoadGenerator(url, profile(duration=30)).run())
        await recorder.asked(20)
        recorder.hold.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_arrivals_beyond_the_open_limit_are_skipped_and_open_requests_time_out() -> None:
    async with recording() as (recorder, url):
        recorder.hold = asyncio.Event()
        total = (await LoadGenerator(url, profile(duration=0.3, max_in_flight=3, timeout=0.6)).run())["total"]
        recorder.hold.set()
    assert len(recorder.bodies) == total["sent"] == 3
    assert total["skipped"] > 0
    assert total["failed"] + total["unfinished"] == 3


async def test_errors_are_counted_by_kind() -> None:
    async with recording() as (recorder, url):
        recorder.status = 500
        total = (await LoadGenerator(url, profile()).run())["total"]
        assert total["errors"] == {"HTTP 500": total["sent"]}
        assert (total["finished"], total["latency_seconds"]) == (0, None)


async def test_stream_without_its_end_mark_is_a_failure() -> None:
    async with recording() as (recorder, url):
        recorder.cut = True
        total = (await LoadGenerator(url, profile()).run())["total"]
        assert total["errors"] == {"stream cut short": total["sent"]}


@pytest.mark.parametrize("keep_alive", [False, True])
async def test_each_request_has_its_own_connection_unless_kept_alive(keep_alive: bool) -> None:
    async with recording() as (recorder, url):
        await LoadGenerator(url, profile(mix=[{"stream": False}]), keep_alive=keep_alive).run()
    assert (len(recorder.connections) < len(recorder.bodies)) == keep_alive


async def test_phase_can_be_changed_while_it_runs() -> None:
    hot = Phase.model_validate({"name": "hot", "duration": 60, "rate": 100, "mix": [{"temperature": 1.0}]})
    async with recording() as (recorder, url):
        generator = LoadGenerator(url, profile(duration=60))
        running = asyncio.create_task(generator.run())
        await recorder.asked(3)
        generator.set_phase(hot)
        seen = len(recorder.bodies)
        await recorder.asked(seen + 5)
        generator.stop()
        summary = await running
    assert recorder.bodies[-1]["temperature"] == 1.0
    assert set(summary["phases"]) == {"only", "hot"}
    with pytest.raises(KeyError):
        generator.set_phase("unknown")


async def test_phases_follow_each_other_and_the_profile_ends() -> None:
    phases = [{"name": name, "duration": 0.5, "rate": 60} for name in ("one", "two")]
    async with recording() as (_, url):
        summary = await LoadGenerator(url, Profile.model_validate({"phases": phases})).run()
    assert list(summary["phases"]) == ["one", "two"]


async def test_duration_cuts_a_repeating_profile() -> None:
    async with recording() as (_, url):
        summary = await LoadGenerator(url, profile(duration=0.1, repeat=True)).run(0.3)
    assert summary["seconds"] >= 0.3
    assert summary["total"]["sent"] > 10


@pytest.mark.parametrize("url", ["http://10.0.0.7:8000", "http://vllm.example.com", "https://[2001:db8::1]/"])
def test_target_on_another_machine_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(RemoteTarget, match="--allow-remote"):
        LoadGenerator(url, profile())
    LoadGenerator(url, profile(), allow_remote=True)


@pytest.mark.parametrize("url", ["http://127.20.0.6:8000", "http://localhost:80/", "http://[::1]:8000"])
def test_loopback_targets_are_taken(url: str) -> None:
    LoadGenerator(url, profile())


def test_target_that_is_no_url_is_named() -> None:
    with pytest.raises(ValueError, match="is no URL; write one such as"):
        LoadGenerator("127.0.0.1:8000", profile())

"""Real completions against a replica, over loopback."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from breakeven.adapters.smoke import CompletionSmokeTest

GOOD = {"choices": [{"text": " four", "finish_reason": "length"}]}


async def run(answer: Callable[[dict[str, Any]], Awaitable[web.Response]], timeout_s: float = 5) -> str:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(await request.json())

    return await run_on(handle, timeout_s)


async def run_on(handle: Callable[[web.Request], Awaitable[web.StreamResponse]], timeout_s: float = 5) -> str:
    app = web.Application()
    app.router.add_post("/v1/completions", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    test = CompletionSmokeTest(timeout_s=timeout_s)
    try:
        return await test.run(f"127.0.0.1:{runner.addresses[0][1]}", "m")
    finally:
        await runner.cleanup()


async def test_two_completions_one_of_them_sampled() -> None:
    asked: list[dict[str, Any]] = []

    async def answer(body: dict[str, Any]) -> web.Response:
        asked.append(body)
        return web.json_response(GOOD)

    assert await run(answer) == ""
    assert [b["temperature"] for b in asked] == [0.0, 0.8]
    assert {b["model"] for b in asked} == {"m"}


async def test_engine_that_dies_on_sampling_fails() -> None:
    async def answer(body: dict[str, Any]) -> web.Response:
        return web.json_response(GOOD) if not body["temperature"] else web.Response(status=500, text="EngineDead")

    assert await run(answer) == "at temperature 0.8: HTTP 500 EngineDead"


async def test_truncated_answer_fails() -> None:
    async def answer(body: dict[str, Any]) -> web.Response:
        return web.json_response({"choices": [{"text": "", "finish_reason": "abort"}]})

    assert "finish_reason 'abort'" in await run(answer)


async def test_redirect_is_not_followed() -> None:
    async def answer(body: dict[str, Any]) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})

    assert "HTTP 307" in await run(answer)


async def test_engine_that_hangs_fails_in_bounded_time() -> None:
    async def answer(body: dict[str, Any]) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    assert "Timeout" in await run(answer, timeout_s=0.2)


async def test_text_that_is_no_completion_fails() -> None:
    async def answer(body: dict[str, Any]) -> web.Response:
        return web.Response(text="<html>")

    assert "no completion in the answer" in await run(answer)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [null]}',
        b'{"choices": ["x"]}',
        b'{"choices": {}}',
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b"null",
        b"[" * 100_000,
        b'{"choices":' * 20_000,
        b"\xff\xfe",
        b"",
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_an_answer_of_the_wrong_shape_fails_with_its_beginning(body: bytes) -> None:
    async def answer(asked: dict[str, Any]) -> web.Response:
        return web.Response(body=body)

    why = await run(answer)
    assert "no completion in the answer" in why
    assert len(why) < 400


async def test_an_answer_in_two_packets_is_read_to_its_end() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = json.dumps(GOOD).encode()
        await response.write(text[:10])
        await asyncio.sleep(0.05)  # what is written at once may arrive as one packet
        await response.write(text[10:])
        return response

    assert await run_on(handle) == ""


async def test_an_answer_without_an_end_is_left() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response

    assert "larger than 1 MiB" in await run_on(handle)


async def test_a_reason_to_finish_is_repeated_in_part_only() -> None:
    async def answer(asked: dict[str, Any]) -> web.Response:
        return web.json_response({"choices": [{"finish_reason": ["x"] * 10_000}]})

    assert len(await run(answer)) < 400


async def test_an_address_that_is_none_fails() -> None:
    assert await CompletionSmokeTest(attempts=1).run("a b/", "m")


async def test_nobody_listening_is_tried_again_and_then_told() -> None:
    assert "no connection" in await CompletionSmokeTest(attempts=2, pause_s=0).run("127.0.0.1:1", "m")

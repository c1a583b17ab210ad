"""Real completions against a replica, over loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from breakeven.adapters.smoke import CompletionSmokeTest

GOOD = {"choices": [{"text": " four", "finish_reason": "length"}]}


async def run(answer: Callable[[dict[str, Any]], Awaitable[web.Response]], timeout_s: float = 5) -> str:
    async def handle(request: web.Request) -> web.Response:
        return await answer(await request.json())

    app = web.Application()
    app.router.add_post("/v1/completions", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    test = CompletionSmokeTest(port=runner.addresses[0][1], timeout_s=timeout_s)
    try:
        return await test.run("127.0.0.1", "m")
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


async def test_nobody_listening_is_tried_again_and_then_told() -> None:
    assert "no connection" in await CompletionSmokeTest(port=1, attempts=2, pause_s=0).run("127.0.0.1", "m")

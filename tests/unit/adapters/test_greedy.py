"""Greedy completions with log-probabilities, over loopback."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from breakeven.adapters.greedy import TOKENS, GreedyCompletions
from breakeven.control.errors import Retry
from breakeven.domain.measures.same_answers import Reply, Token

LOGPROBS = {"tokens": [" a"], "token_logprobs": [-0.1], "top_logprobs": [{" a": -0.1, " b": -2.5}]}
GOOD: dict[str, Any] = {"choices": [{"text": " a", "finish_reason": "length", "logprobs": LOGPROBS}]}


async def ask(
    answer: Callable[[dict[str, Any]], web.Response | Awaitable[web.Response]], *, logprobs: bool = True
) -> Reply:
    async def handle(request: web.Request) -> web.StreamResponse:
        given = answer(await request.json())
        return given if isinstance(given, web.Response) else await given

    app = web.Application()
    app.router.add_post("/v1/completions", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        return await GreedyCompletions(timeout_s=5).ask(address, "m", "hello", logprobs=logprobs)
    finally:
        await runner.cleanup()


async def test_a_greedy_completion_with_the_likeliest_tokens() -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> web.Response:
        asked.append(body)
        return web.json_response(GOOD)

    assert await ask(answer) == Reply(" a", (Token(" a", -0.1, {" a": -0.1, " b": -2.5}),))
    body = {"model": "m", "prompt": "hello", "max_tokens": TOKENS, "temperature": 0.0, "seed": 0}
    assert asked == [{**body, "logprobs": 5}]


async def test_log_probabilities_are_not_asked_for_where_they_would_stop_the_drafts() -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> web.Response:
        asked.append(body)
        return web.json_response(GOOD)

    assert await ask(answer, logprobs=False) == Reply(" a")
    assert "logprobs" not in asked[0]


@pytest.mark.parametrize(
    "choice",
    [
        {"text": " a"},
        {"text": " a", "logprobs": None},
        {"text": " a", "logprobs": {**LOGPROBS, "tokens": [" a", " b"]}},
        {"text": " a", "logprobs": {**LOGPROBS, "token_logprobs": [None]}},
        {"text": " a", "logprobs": {**LOGPROBS, "token_logprobs": ["NaN"]}},
        {"text": " a", "logprobs": {**LOGPROBS, "top_logprobs": ["x"]}},
    ],
)
async def test_what_is_no_answer_with_log_probabilities_is_none(choice: dict[str, Any]) -> None:
    with pytest.raises(Retry, match="no completion with log-probabilities"):
        await ask(lambda _: web.json_response({"choices": [choice]}))


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [("no logprobs here", 400, "HTTP 400"), ("[" * 100_000, 200, "no completion"), ("x" * (2 << 20), 200, "no comp")],
)
async def test_errors_and_endless_answers_are_told_and_bounded(body: str, status: int, why: str) -> None:
    with pytest.raises(Retry, match=why) as raised:
        await ask(lambda _: web.Response(text=body, status=status))
    assert len(str(raised.value)) < 100
    assert body[:16] not in str(raised.value)


async def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(Retry, match="Connect"):
        await GreedyCompletions(timeout_s=5).ask("127.0.0.1:1", "m", "hello", logprobs=False)

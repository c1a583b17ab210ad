"""A server over HTTP: times, usage, per-request figures, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from breakeven.inspect.text import PageError
from breakeven.measure.http import HttpServer, base_url

EVENT = b'data: {"choices": [{"text": "x", "finish_reason": null}]}\n\n'
LAST = (
    b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}, "metrics": {"speculative_decoding": '
    b'{"num_draft_tokens": 9, "num_accepted_draft_tokens": 3}}}\n\ndata: [DONE]\n\n'
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[HttpServer]:
    app = web.Application()
    app.router.add_post("/v1/completions", handler)
    app.router.add_get("/metrics", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with HttpServer(f"127.0.0.1:{port}", model="m") as server:
            yield server
    finally:
        await runner.cleanup()


def streaming(*chunks: bytes) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        return response

    return handle


def answering(status: int, text: str = "") -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return handle


async def test_a_streamed_answer_has_times_tokens_and_its_own_acceptance() -> None:
    async with serving(streaming(EVENT, EVENT, LAST)) as server:
        answer = await server.ask("/v1/completions", {"prompt": "a"}, "code")
    assert answer.failure == ""
    assert (answer.tokens, answer.prompt_tokens, answer.drafted, answer.accepted) == (5, 7, 9, 3)
    assert answer.kind == "code"
    assert answer.sent <= answer.first <= answer.last


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (answering(429), "HTTP 429"),
        (answering(500), "HTTP 500"),
        (streaming(EVENT), "the stream was cut short"),
        (streaming(EVENT, b"data: [DONE]\n\n"), "the answer has no usage"),
    ],
)
async def test_what_goes_wrong_is_in_the_answer(handler: Handler, failure: str) -> None:
    async with serving(handler) as server:
        answer = await server.ask("/v1/completions", {"prompt": "a"}, "")
    assert answer.failure.startswith(failure)


async def test_a_server_that_is_not_there_is_an_answer_too() -> None:
    async with HttpServer("http://127.0.0.1:1", model="m") as server:
        answer = await server.ask("/v1/completions", {"prompt": "a"}, "")
        assert answer.failure == "cannot be reached"
        with pytest.raises(PageError, match="cannot be reached; is the server up"):
            await server.page()


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (answering(404), "HTTP 404: there are no metrics"),
        (answering(200, "up 1\n"), "not a vLLM's metric page"),
    ],
)
async def test_a_page_that_is_no_vllms_says_so(handler: Handler, sentence: str) -> None:
    async with serving(handler) as server:
        with pytest.raises(PageError, match=sentence):
            await server.page()


async def test_prefix_cache_and_kv_size_are_read_from_the_page() -> None:
    page = (
        'vllm:generation_tokens_total{engine="0"} 5\nvllm:prefix_cache_queries_total{engine="0"} 100.0\n'
        'vllm:prefix_cache_hits_total{engine="0"} 40.0\nvllm:external_prefix_cache_hits_total{engine="0"} 7.0\n'
        'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="1000"} 1.0\n'
    )
    async with serving(answering(200, page)) as server:
        found = await server.page()
    assert (found.prefix_queries, found.prefix_hits, found.kv_tokens) == (100.0, 40.0, 16_000.0)


@pytest.mark.parametrize(
    "address", ["10.0.0.7:8000", "http://10.0.0.7:8000/", "10.0.0.7:8000/metrics", "10.0.0.7:8000/v1"]
)
def test_an_address_may_be_written_in_several_ways(address: str) -> None:
    assert base_url(address) == "http://10.0.0.7:8000"


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="is no address; write for example"):
        base_url("ftp://x")


async def test_a_page_that_comes_in_pieces_is_read_whole() -> None:
    lines = [f'vllm:prefix_cache_queries_total{{engine="{i}"}} 1.0\n' for i in range(4000)]

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'vllm:generation_tokens_total{engine="0"} 5\n')
        for line in lines:
            await response.write(line.encode())
            await asyncio.sleep(0)
        return response

    async with serving(handle) as server:
        assert (await server.page()).prefix_queries == len(lines)

"""The HTTP face: endpoints, streaming, errors, draining and dying."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from breakeven.lab.engine.acceptance import DEFAULTS
from breakeven.lab.engine.core import EngineCore, Setup, Speculation
from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.server import Served, Server
from breakeven.lab.engine.step_times import BASELINE, step_times

Body = dict[str, Any]
ASK: Body = {"prompt": list(range(32)), "max_tokens": 24, "temperature": 0.0, "ignore_eos": True}


class Bench:
    """A served engine and a client of it."""

    def __init__(self, client: TestClient[Any, Any], driver: Driver, served: Served) -> None:
        self.client, self.driver, self.served = client, driver, served

    async def post(self, body: Body, *, chat: bool = False) -> tuple[int, Body]:
        path = "/v1/chat/completions" if chat else "/v1/completions"
        async with self.client.post(path, json=body) as response:
            return response.status, await response.json()

    async def stream(self, body: Body, *, chat: bool = False) -> list[Any]:
        path = "/v1/chat/completions" if chat else "/v1/completions"
        async with self.client.post(path, json=body | {"stream": True}) as response:
            text = await response.text()
        lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        assert lines[-1] == "[DONE]"
        return [json.loads(line) for line in lines[:-1]]


@asynccontextmanager
async def serving(*, k: int = 0, time_scale: float = 200.0, **served: Any) -> AsyncIterator[Bench]:
    times = step_times("8B", "draft_model" if k else BASELINE, k, "async")
    setup = Setup(
        times=times,
        kv_tokens=times.memory.kv_tokens,
        prefill_tokens_per_s=times.memory.prefill_tokens_per_s,
        speculation=Speculation("draft_model", k, DEFAULTS["draft_model"]) if k else None,
        max_model_len=4096,
    )
    driver = Driver(EngineCore(setup), time_scale=time_scale)
    state = Served(served_names=("llama", "alias"), version="0.33.0", **served)
    server = TestServer(Server(driver, state).application(), host="127.0.0.1")
    stepping = asyncio.create_task(driver.run())
    try:
        async with TestClient(server) as client:
            yield Bench(client, driver, state)
    finally:
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)


async def test_health_version_and_models_answer() -> None:
    async with serving() as bench:
        assert (await bench.client.get("/health")).status == 200
        assert (await (await bench.client.get("/version")).json())["engine"] == "simulated engine"
        models = (await (await bench.client.get("/v1/models")).json())["data"]
        assert [model["id"] for model in models] == ["llama", "alias"]


async def test_completion_has_as_many_tokens_as_asked_and_says_it_is_simulated() -> None:
    async with serving() as bench:
        status, body = await bench.post(ASK)
        assert status == 200
        assert body["usage"] == {"prompt_tokens": 32, "completion_tokens": 24, "total_tokens": 56}
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["choices"][0]["text"].split() == ["simulated"] * 24


async def test_chat_answers_as_an_assistant() -> None:
    async with serving() as bench:
        messages = [{"role": "user", "content": "hello there"}]
        status, body = await bench.post({"messages": messages, "max_tokens": 5, "ignore_eos": True}, chat=True)
        assert status == 200
        assert body["object"] == "chat.completion"
        assert body["choices"][0]["message"] == {"role": "assistant", "content": " simulated" * 5}


async def test_output_ends_by_itself_without_ignore_eos() -> None:
    async with serving() as bench:
        _, body = await bench.post(ASK | {"ignore_eos": False, "max_tokens": 4000})
        assert body["choices"][0]["finish_reason"] == "stop"
        assert body["usage"]["completion_tokens"] < 4000


@pytest.mark.parametrize("chat", [False, True])
async def test_stream_carries_every_token_then_usage_then_done(chat: bool) -> None:
    ask = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 24, "ignore_eos": True} if chat else ASK
    async with serving(k=3) as bench:
        *chunks, usage = await bench.stream(ask | {"stream_options": {"include_usage": True}}, chat=chat)
        parts = [chunk["choices"][0] for chunk in chunks]
        text = "".join(part["delta"].get("content", "") if chat else part["text"] for part in parts)
        assert text.split() == ["simulated"] * 24
        assert [part["finish_reason"] for part in parts] == [None] * (len(parts) - 1) + ["length"]
        assert usage["usage"]["completion_tokens"] == 24
        assert len(chunks) < 24, "a step that accepts several tokens is one event"


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"model": "other"}, 404, "NotFoundError"),
        ({"max_tokens": 9000}, 400, "BadRequestError"),
        ({"temperature": -1}, 400, "BadRequestError"),
        ({"n": 2}, 400, "BadRequestError"),
        ({"prompt": None}, 400, "BadRequestError"),
        ({"min_p": 0.1}, 400, "BadRequestError"),
    ],
)
async def test_bad_request_is_answered_in_the_engines_form(change: Body, status: int, kind: str) -> None:
    async with serving(k=3) as bench:
        found, body = await bench.post(ASK | change)
        assert (found, body["error"]["type"], body["error"]["code"]) == (status, kind, status)


async def test_body_that_is_not_json_is_a_bad_request() -> None:
    async with serving() as bench, bench.client.post("/v1/completions", data=b"{") as response:
        assert response.status == 400


async def test_metrics_page_counts_what_was_answered() -> None:
    async with serving(k=3) as bench:
        await asyncio.gather(*(bench.post(ASK) for _ in range(5)))
        text = await (await bench.client.get("/metrics")).text()
        assert 'vllm:generation_tokens_total{engine="0",model_name="llama"} 120.0' in text
        assert 'vllm:request_success_total{engine="0",finished_reason="length",model_name="llama"} 5.0' in text


async def test_statistics_can_be_switched_off() -> None:
    async with serving(disable_log_stats=True) as bench:
        assert "vllm:" not in await (await bench.client.get("/metrics")).text()


async def test_new_requests_fail_while_draining_and_health_stays_good() -> None:
    async with serving() as bench:
        bench.served.draining = True
        status, body = await bench.post(ASK)
        assert (status, body["error"]["message"]) == (500, "cannot schedule new futures after shutdown")
        assert (await bench.client.get("/health")).status == 200


async def test_engine_that_dies_on_its_first_request_was_healthy_until_then() -> None:
    async with serving(dies_on_first_request=True) as bench:
        assert (await bench.client.get("/health")).status == 200
        status, body = await bench.post(ASK)
        assert (status, body["error"]["type"]) == (500, "InternalServerError")
        assert (await bench.client.get("/health")).status == 503
        assert bench.served.died.is_set()


async def test_aborted_requests_are_answered_with_what_there_is() -> None:
    async with serving(time_scale=1.0) as bench:
        asked = asyncio.create_task(bench.post(ASK | {"max_tokens": 3000}))
        await until(lambda: bench.driver.in_flight == 1)
        bench.driver.abort_all()
        status, body = await asked
        assert status == 200
        assert body["choices"][0]["finish_reason"] == "abort"
        assert body["usage"]["completion_tokens"] < 3000


async def test_client_that_leaves_frees_its_seat() -> None:
    async with serving(time_scale=1.0) as bench:
        leaving = asyncio.create_task(bench.post(ASK | {"max_tokens": 3000}))
        await until(lambda: bench.driver.in_flight == 1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await until(lambda: bench.driver.in_flight == 0)
        assert bench.driver.core.tally.finished["abort"] == 1
        assert bench.driver.core.idle


async def test_drained_tells_whether_everything_finished() -> None:
    async with serving() as bench:
        assert await bench.driver.drained(1.0)
        asked = asyncio.create_task(bench.post(ASK | {"max_tokens": 1000}))
        await until(lambda: bench.driver.in_flight == 1)
        assert await bench.driver.drained(30.0)
        assert (await asked)[0] == 200


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until something holds."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")

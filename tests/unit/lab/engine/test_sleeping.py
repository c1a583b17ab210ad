"""Sleep mode of the simulated engine, as vLLM's routes have it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from breakeven.lab.engine.acceptance import DEFAULTS
from breakeven.lab.engine.core import EngineCore, Setup, Speculation
from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.gpu import LEFT_BEHIND, Gpu, OutOfMemory
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.refused import Refused
from breakeven.lab.engine.server import Served, Server
from breakeven.lab.engine.sleeping import Sleep
from breakeven.lab.engine.step_times import step_times

Client = TestClient[Any, Any]


@asynccontextmanager
async def engine(gpu: Gpu | None = None, **knobs: Any) -> AsyncIterator[tuple[Client, Driver, Sleep]]:
    times = step_times("8B", "eagle3", 3, "async")
    speculation = Speculation("eagle3", 3, DEFAULTS["eagle3"])
    core = EngineCore(Setup(times=times, kv_tokens=10_000, prefill_tokens_per_s=1e5, speculation=speculation))
    driver, served = Driver(core, time_scale=100.0), Served(served_names=("m",), version="0.26.0")
    sleep = Sleep(driver, gpu or Gpu("", 0.9), Knobs(time_scale=100.0, **knobs), frees=True, died=served.died)
    app = Server(driver, served).application()
    sleep.add_routes(app)
    async with TestClient(TestServer(app)) as client:
        running = asyncio.create_task(driver.run())
        try:
            yield client, driver, sleep
        finally:
            running.cancel()


async def post(client: Client, path: str) -> int:
    async with client.post(path) as response:
        return response.status


async def complete(client: Client, tokens: int = 8) -> dict[str, Any]:
    body = {"prompt": "a b", "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    async with client.post("/v1/completions", json=body) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def until_it_runs(driver: Driver) -> None:
    for _ in range(100_000):
        if driver.core.running:
            return
        await asyncio.sleep(0)
    raise AssertionError("nothing runs")


async def sleeping(client: Client) -> bool:
    async with client.get("/is_sleeping") as response:
        return bool((await response.json())["is_sleeping"])


async def page(client: Client) -> str:
    async with client.get("/metrics") as response:
        return await response.text()


async def test_asleep_it_is_healthy_takes_requests_and_answers_them_once_woken() -> None:
    async with engine() as (client, _, _):
        assert await post(client, "/sleep?level=1&mode=wait") == 200
        assert await sleeping(client)
        async with client.get("/health") as response:
            assert response.status == 200
        hanging = asyncio.create_task(complete(client))
        done, _ = await asyncio.wait([hanging], timeout=0.3)
        assert not done
        assert 'sleep_state="weights_offloaded"} 1.0' in await page(client)
        assert await post(client, "/wake_up") == 200
        assert not await sleeping(client)
        assert (await hanging)["usage"]["completion_tokens"] == 8
        assert 'sleep_state="awake"} 1.0' in await page(client)


@pytest.mark.parametrize(("mode", "whole"), [("wait", True), ("keep", True), ("abort", False)])
async def test_what_runs_is_waited_for_kept_or_aborted(mode: str, whole: bool) -> None:
    async with engine() as (client, driver, _):
        running = asyncio.create_task(complete(client, 4000))
        async with asyncio.timeout(30):
            await until_it_runs(driver)
        assert await post(client, f"/sleep?level=1&mode={mode}") == 200
        assert running.done() == (mode != "keep") or mode == "abort"
        assert await post(client, "/wake_up") == 200
        answer = await running
        assert (answer["usage"]["completion_tokens"] == 4000) == whole


async def test_the_first_sleep_takes_longer_than_later_ones() -> None:
    async with engine(first_sleep=50.0, sleep=1.0) as (client, _, _):
        loop, took = asyncio.get_running_loop(), []
        for _ in range(2):
            began = loop.time()
            await post(client, "/sleep?level=1&mode=wait")
            took.append(loop.time() - began)
            await post(client, "/wake_up")
        assert took[0] > 0.5 > took[1]


async def test_level_two_loses_the_draft_silently() -> None:
    async with engine() as (client, driver, _):
        counted = driver.core.tally.speculation
        assert counted is not None
        await post(client, "/sleep?level=1&mode=wait")
        await post(client, "/wake_up")
        await complete(client, 200)
        before = counted.accepted_tokens
        assert before > 0
        await post(client, "/sleep?level=2&mode=wait")
        assert 'sleep_state="discard_all"} 1.0' in await page(client)
        await post(client, "/wake_up")
        drafted = counted.draft_tokens
        assert (await complete(client, 200))["usage"]["completion_tokens"] == 200
        assert counted.draft_tokens > drafted
        assert counted.accepted_tokens == before


async def test_an_engine_that_finds_its_memory_taken_dies_of_waking(tmp_path: Path) -> None:
    gpu = Gpu(str(tmp_path), 0.9)
    gpu.start()
    async with engine(gpu) as (client, _, sleep):
        await post(client, "/sleep?level=1&mode=wait")
        (tmp_path / "1.share").write_text("0.9")  # process 1 lives always
        assert await post(client, "/wake_up") == 500
        assert sleep.died.is_set()


def test_a_second_engine_starts_only_where_its_share_is_free(tmp_path: Path) -> None:
    (tmp_path / "1.share").write_text("0.9")
    gpu = Gpu(str(tmp_path), 0.9)
    with pytest.raises(Refused, match="is less than desired GPU memory utilization"):
        gpu.start()
    (tmp_path / "1.share").write_text(str(LEFT_BEHIND))
    gpu.start()
    gpu.sleep()
    (tmp_path / "1.share").write_text("0.99")
    with pytest.raises(OutOfMemory):
        gpu.wake()


def test_an_engine_without_a_folder_has_a_gpu_to_itself() -> None:
    gpu = Gpu("", 1.0)
    gpu.start()
    gpu.sleep()
    gpu.wake()
    assert gpu.used() > 0

"""Probes against a real loopback server, and their thresholds."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from breakeven.lab.kubelet.probes import Outcome, Target, check, container_ports, follow
from breakeven.lab.pace import Pace


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    application = web.Application()
    application.router.add_get("/status/{status}", answer)
    application.router.add_get("/hang", hang)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield Target(ip="127.0.0.1", ports={"http": port}, environment={"PATH": "/usr/bin:/bin"})
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as opened:
        yield opened


@pytest.mark.parametrize(("status", "passed"), [(200, True), (302, True), (399, True), (404, False), (503, False)])
async def test_http_status(target: Target, session: aiohttp.ClientSession, status: int, passed: bool) -> None:
    probe = {"httpGet": {"path": f"/status/{status}", "port": "http"}, "timeoutSeconds": 10}
    assert (await check(probe, target, session)).passed is passed


async def test_no_answer_in_time_is_a_failure(target: Target, session: aiohttp.ClientSession) -> None:
    outcome = await check({"httpGet": {"path": "/hang", "port": "http"}, "timeoutSeconds": 0.05}, target, session)
    assert outcome == Outcome(passed=False, message="no answer within 0.05 s")


async def test_a_busy_machine_gives_an_answer_more_time(session: aiohttp.ClientSession, target: Target) -> None:
    busy = replace(target, pace=Pace(lambda: 4.0))
    busy.pace.take()
    outcome = await check({"httpGet": {"path": "/hang", "port": "http"}, "timeoutSeconds": 0.05}, busy, session)
    assert outcome == Outcome(passed=False, message="no answer within 0.08 s")


async def test_tcp_exec_and_what_is_not_known(target: Target, session: aiohttp.ClientSession) -> None:
    assert (await check({"tcpSocket": {"port": "http"}, "timeoutSeconds": 10}, target, session)).passed
    assert not (await check({"tcpSocket": {"port": 1}}, target, session)).passed
    said = await check({"exec": {"command": ["sh", "-c", "echo why; exit 2"]}, "timeoutSeconds": 10}, target, session)
    assert said == Outcome(passed=False, message="why")
    assert "httpGet, tcpSocket and exec" in (await check({"grpc": {"port": 1}}, target, session)).message
    assert not (await check({"httpGet": {"port": "unknown"}}, target, session)).passed


async def test_thresholds_count_in_a_row(target: Target, session: aiohttp.ClientSession, tmp_path: object) -> None:
    seen: list[tuple[bool, bool]] = []
    enough = asyncio.Event()
    flag = f"{tmp_path}/flag"
    probe = {
        "exec": {"command": ["sh", "-c", f"test -e {flag} || {{ touch {flag}; exit 1; }}"]},
        "periodSeconds": 0.001,
        "timeoutSeconds": 10,
        "successThreshold": 2,
        "failureThreshold": 2,
    }

    def note(outcome: Outcome, settled: bool) -> None:
        seen.append((outcome.passed, settled))
        if len(seen) == 3:
            enough.set()

    following = asyncio.create_task(follow(probe, target, session, note))
    async with asyncio.timeout(20):
        await enough.wait()
    following.cancel()
    await asyncio.wait([following])
    assert seen[:3] == [(False, False), (True, False), (True, True)]


def test_ports_by_name() -> None:
    assert container_ports({"ports": [{"name": "http", "containerPort": 8000}, {"containerPort": 1}]}) == {"http": 8000}

"""The live page over HTTP: who gets it, and what every answer forbids a browser."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession
from tests.support.fake_kubectl import resource
from tests.support.reports import NOW, full_reports

from breakeven.api.status import State
from breakeven.control.cache import Cache
from breakeven.page.document import POLICY
from breakeven.page.site import Site
from breakeven.telemetry.pages import PageServer


def site() -> Site:
    cache, body = Cache(), resource()
    cache.put(resource(full_reports(body["spec"])[State.SPECULATING]) | {"kind": body["kind"]})
    return Site(cache, lambda _: (), lambda: NOW)


class Client:
    """Asks one server; `answers` is status and text."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with ClientSession() as session, session.request(method, url, headers=headers) as answer:
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            return answer.status, await answer.text()


async def served(
    asked: Callable[[str], Callable[[], tuple[str, str]] | None], token: Path | None = None
) -> tuple[PageServer, Client]:
    server = PageServer(asked, policy=POLICY, token_file=token)
    port = await server.start("127.0.0.1", 0)
    assert port is not None
    return server, Client(port)


async def test_pages_and_what_they_need_are_served_and_nothing_else_is() -> None:
    server, client = await served(site().asked)
    try:
        status, page = await client.get("/")
        assert status == 200 and "href='/inference/llama-70b'" in page
        status, page = await client.get("/inference/llama-70b")
        assert status == 200 and "<svg role=" in page
        assert [(await client.get(path))[0] for path in ("/style.css", "/page.js")] == [200, 200]
        missing = (
            "/inference/none",
            "/inference",
            "/inference/llama-70b/more",
            "/../settings.py",
            "/%2e%2e/x",
            "/x.css",
        )
        assert [(await client.get(path))[0] for path in missing] == [404] * len(missing)
        assert [(await client.get("/", method))[0] for method in ("POST", "PUT", "DELETE")] == [405] * 3
    finally:
        await server.stop()


async def test_on_loopback_another_name_is_refused_so_that_no_website_reads_it() -> None:
    server, client = await served(site().asked)
    try:
        for host in ("localhost:8081", "127.0.0.1", "[::1]:8081"):
            assert (await client.get("/", Host=host))[0] == 200
        for host in ("evil.example:8081", "127.0.0.1.evil.example", "10.0.0.1", "[", "localhost.evil"):
            assert (await client.get("/", Host=host))[0] == 403
    finally:
        await server.stop()


async def test_exposed_it_wants_the_token_as_bearer_or_as_password(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    server, client = await served(site().asked, token)

    def basic(credentials: str) -> str:
        return f"Basic {b64encode(credentials.encode()).decode()}"

    try:
        refused = [
            "",
            "Bearer wrong",
            "Bearer",
            "Basic s3cret",
            "Basic !",
            basic("s3cret"),
            basic("me:wrong"),
            basic("s3cret:"),
        ]
        for path in ("/", "/style.css", "/none"):
            assert [(await client.get(path, Authorization=text))[0] for text in refused] == [401] * len(refused)
        for text in ("Bearer s3cret", basic("me:s3cret")):
            assert (await client.get("/", Host="breakeven.example", Authorization=text))[0] == 200
        token.unlink()
        assert (await client.get("/", Authorization="Bearer s3cret"))[0] == 401
    finally:
        await server.stop()


async def test_a_page_that_cannot_be_shown_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> tuple[str, str]:
        raise ValueError("no")

    server, client = await served(lambda path: broken if path == "/bad" else lambda: ("text/html", "good"))
    try:
        assert [(await client.get(path))[0] for path in ("/bad", "/")] == [500, 200]
        assert "the page /bad cannot be shown" in caplog.text
    finally:
        await server.stop()


async def test_a_port_that_is_taken_is_said_and_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    first, client = await served(site().asked)
    second = PageServer(site().asked, policy=POLICY, token_file=None)
    try:
        assert await second.start("127.0.0.1", client.port) is None
        assert "BREAKEVEN_PAGE_PORT" in caplog.text
    finally:
        await second.stop()
        await first.stop()

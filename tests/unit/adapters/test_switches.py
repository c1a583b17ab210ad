"""The switching port of a warm replica: what is sent, what is taken for an answer, and what is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from breakeven.adapters.switches import HttpSwitches
from breakeven.control.errors import Retry
from breakeven.control.warm.state import Phase

STATE: dict[str, Any] = {
    "revision": "r1",
    "loadedRevision": "r1",
    "problem": "",
    "awake": "off",
    "switching": None,
    "slots": {
        "a": {"variant": "off", "phase": "awake", "since": 1_800_000_000.5, "error": ""},
        "b": {"variant": "on", "phase": "asleep", "since": 1_800_000_000, "error": ""},
    },
    "last": {
        "id": "i1",
        "from": "on",
        "to": "off",
        "seconds": 0.81,
        "phases": {"hold": 0.01, "wake": 0.4},
        "error": "",
        "at": 1_800_000_001.2,
    },
    "hostMemoryBytes": 42,
    "leftBehindBytes": None,
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Replica:
    """A server that answers as the test says."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None, str]] = []
        self.answer: Handler = self.state
        self.port = 0

    async def state(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(STATE)

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.seen.append((request.method, request.path, request.headers.get("Authorization"), body))
        return await self.answer(request)


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    replica = Replica()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", replica.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    replica.port = runner.addresses[0][1]
    yield replica
    await runner.cleanup()


def switches(replica: Replica, **settings: float) -> HttpSwitches:
    return HttpSwitches(port=replica.port, **settings)  # type: ignore[arg-type] # seconds


def says(text: str | bytes, status: int = 200) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=text if isinstance(text, bytes) else text.encode(), status=status)

    return answer


async def test_a_state_is_read_with_its_slots_and_its_last_switch(replica: Replica) -> None:
    state = await switches(replica).state("127.0.0.1")
    assert (state.revision, state.loaded_revision, state.awake, state.switching) == ("r1", "r1", "off", False)
    slot = state.slot_of("on")
    assert slot is not None
    assert (slot.phase, slot.loaded) == (Phase.ASLEEP, True)
    assert state.last is not None
    assert (state.last.id, state.last.to, state.last.seconds) == ("i1", "off", 0.81)


async def test_looking_sends_no_token_and_an_order_sends_it_in_its_header_alone(replica: Replica) -> None:
    port = switches(replica)
    await port.state("127.0.0.1")
    await port.awake("127.0.0.1", id="i2", variant="on", token="secret")
    await port.load("127.0.0.1", id="i3", token="secret")
    assert [(verb, path, token) for verb, path, token, _ in replica.seen] == [
        ("GET", "/state", None),
        ("POST", "/awake", "Bearer secret"),
        ("POST", "/load", "Bearer secret"),
    ]
    assert json.loads(replica.seen[1][3]) == {"id": "i2", "variant": "on"}
    assert json.loads(replica.seen[2][3]) == {"id": "i3"}


async def test_an_order_that_was_not_carried_out_is_an_answer(replica: Replica) -> None:
    failed = {**STATE, "last": {**STATE["last"], "error": "smoke: \x1b[31mHTTP 500\nagain" + "x" * 5000}}
    replica.answer = says(json.dumps(failed), 500)
    state = await switches(replica).awake("127.0.0.1", id="i2", variant="on", token="t")
    assert state.last is not None
    assert state.last.error.startswith("smoke: HTTP 500 again")
    assert len(state.last.error) <= 300


@pytest.mark.parametrize(
    ("status", "says_what"), [(401, "token"), (404, "no slot"), (409, "another order"), (503, "503"), (302, "302")]
)
async def test_a_refusal_is_said_in_words_without_the_token(replica: Replica, status: int, says_what: str) -> None:
    replica.answer = says("no", status)
    with pytest.raises(Retry, match=says_what) as error:
        await switches(replica).awake("127.0.0.1", id="i", variant="on", token="secret")
    assert "secret" not in str(error.value)


async def test_a_redirect_is_not_followed(replica: Replica) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/somewhere")

    replica.answer = elsewhere
    with pytest.raises(Retry):
        await switches(replica).awake("127.0.0.1", id="i", variant="on", token="secret")
    assert [path for _, path, _, _ in replica.seen] == ["/awake"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "null",
        "[" * 100_000,
        '{"slots":' * 50_000,
        json.dumps({**STATE, "awake": 7}),
        json.dumps({**STATE, "revision": "r" * 65}),
        json.dumps({**STATE, "slots": []}),
        json.dumps({**STATE, "slots": {str(n): STATE["slots"]["a"] for n in range(9)}}),
        json.dumps({**STATE, "slots": {"a": {**STATE["slots"]["a"], "phase": "dreaming"}}}),
        json.dumps({**STATE, "slots": {"a": {**STATE["slots"]["a"], "since": True}}}),
        json.dumps({**STATE, "slots": {"a": {**STATE["slots"]["a"], "since": 1e300}}}),
        json.dumps({**STATE, "last": {**STATE["last"], "seconds": float("nan")}}),
        json.dumps({**STATE, "last": {**STATE["last"], "at": "yesterday"}}),
        json.dumps({**STATE, "switching": "soon"}),
        b"\xff\xfe\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_anything_else_than_a_state_is_refused_at_the_edge(replica: Replica, body: str | bytes) -> None:
    replica.answer = says(body)
    with pytest.raises(Retry):
        await switches(replica).state("127.0.0.1")


async def test_an_answer_of_two_hundred_megabytes_is_not_read_to_its_end(replica: Replica) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b" " * (1 << 20))
            sent += 1
        return response

    replica.answer = flood
    with pytest.raises(Retry, match="larger than"):
        await switches(replica).state("127.0.0.1")
    assert sent < 50


async def test_who_never_answers_is_given_up(replica: Replica) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    replica.answer = never
    with pytest.raises(Retry, match="did not answer within"):
        await switches(replica, look_s=0.2).state("127.0.0.1")
    with pytest.raises(Retry, match="did not answer within"):
        await switches(replica, order_s=0.2).awake("127.0.0.1", id="i", variant="on", token="t")


async def test_nobody_there_is_a_retry(replica: Replica) -> None:
    with pytest.raises(Retry):
        await HttpSwitches(port=1).state("127.0.0.1")

"""Connections through the balancer, on real loopback sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from breakeven.lab.proxy.endpoints import Address
from breakeven.lab.proxy.relay import Balancer


async def free_port() -> int:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


@asynccontextmanager
async def backend(name: bytes) -> AsyncIterator[Address]:
    """Answers with its name and everything that the client sent until its end."""

    handlers: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        handlers.append(handler)
        with suppress(ConnectionError):
            writer.write(name)
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "127.0.0.1", server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*handlers)


@asynccontextmanager
async def balancing(*backends: Address) -> AsyncIterator[Balancer]:
    balancer = Balancer("127.0.0.1", await free_port())
    await balancer.set_backends(backends)
    try:
        yield balancer
    finally:
        await balancer.close()


async def ask(balancer: Balancer, sent: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection(balancer.host, balancer.port)

    async def send() -> None:
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    try:
        return await reader.read(-1)
    finally:
        await sending
        writer.close()
        await writer.wait_closed()


async def test_connections_take_turns() -> None:
    async with backend(b"a") as first, backend(b"b") as second, balancing(first, second) as balancer:
        assert [await ask(balancer) for _ in range(4)] == [b"a", b"b", b"a", b"b"]


async def test_much_data_passes_unchanged_both_ways() -> None:
    sent = bytes(range(256)) * 40_000
    async with backend(b"") as only, balancing(only) as balancer:
        assert await ask(balancer, sent) == sent


async def test_many_short_connections() -> None:
    async with backend(b"a") as only, balancing(only) as balancer:
        answers = await asyncio.gather(*(ask(balancer, b"x") for _ in range(300)))
    assert set(answers) == {b"ax"}


async def test_a_backend_that_refuses_is_passed_over() -> None:
    dead = ("127.0.0.1", await free_port())
    async with backend(b"a") as alive, balancing(dead, alive) as balancer:
        assert [await ask(balancer) for _ in range(3)] == [b"a"] * 3


async def test_without_backends_connections_are_refused_and_accepted_again_later() -> None:
    async with backend(b"a") as only, balancing(only) as balancer:
        await balancer.set_backends(())
        with pytest.raises(ConnectionRefusedError):
            await ask(balancer)
        await balancer.set_backends((only,))
        assert await ask(balancer) == b"a"


async def test_when_all_backends_refuse_the_connection_is_reset() -> None:
    async with balancing(("127.0.0.1", await free_port())) as balancer:
        with pytest.raises(ConnectionResetError):
            await ask(balancer)


async def test_an_open_connection_outlives_the_change_of_backends() -> None:
    async with backend(b"a") as only, balancing(only) as balancer:
        reader, writer = await asyncio.open_connection(balancer.host, balancer.port)
        assert await reader.read(1) == b"a"
        await balancer.set_backends(())
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        writer.close()
        await writer.wait_closed()

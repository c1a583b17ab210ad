"""Carries one TCP connection to one backend, both ways, with back-pressure. Whole connections, as kube-proxy does."""

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence
from functools import partial

from breakeven.lab.proxy.endpoints import Address

LOG = logging.getLogger(__name__)
CONNECT_SECONDS = 3.0
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends RST."""


def _same(pipe: "Pipe") -> "Pipe":
    return pipe


class Pipe(asyncio.Protocol):
    """One side; what it receives goes to the other side. Both close when both have ended."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: Pipe | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if (out := self._out()) is not None:
            out.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        out = self._out()
        if out is None or self.peer is None or self.peer.ended:
            if out is not None:
                out.close()
            return False
        out.write_eof()
        return True  # the other direction stays open

    def connection_lost(self, exc: Exception | None) -> None:
        if (out := self._out()) is not None:
            if exc is not None:
                out.abort()
            else:
                out.close()

    def pause_writing(self) -> None:
        if (out := self._out()) is not None:
            out.pause_reading()

    def resume_writing(self) -> None:
        if (out := self._out()) is not None:
            out.resume_reading()

    def _out(self) -> asyncio.Transport | None:
        """The other side's transport, unless it is closing."""
        if self.peer is None or self.peer.transport is None or self.peer.transport.is_closing():
            return None
        return self.peer.transport


class Front(Pipe):
    """The client's side: chooses a backend, and holds back what arrives until it is connected."""

    def __init__(self, balancer: "Balancer") -> None:
        super().__init__()
        self._balancer = balancer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._balancer.connect(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._balancer.forget(self)


class Balancer:
    """Listens at one address and hands each new connection to the next backend; one that refuses is passed over."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._backends: tuple[Address, ...] = ()
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._fronts: set[Front] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def set_backends(self, backends: Sequence[Address]) -> None:
        """Use these from now on. Without any it stops listening, so that clients are refused as by kube-proxy.

        Connections that are open stay open. Raises OSError when it cannot listen.
        """
        self._backends = tuple(backends)
        if self._backends and self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Front(self), self.host, self.port, backlog=4096)
        elif not self._backends and self._server is not None:
            self._server.close()
            self._server = None

    def connect(self, front: Front) -> None:
        """Find a backend for a new connection."""
        self._fronts.add(front)
        task = asyncio.create_task(self._connect(front))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, front: Front) -> None:
        assert front.transport is not None
        loop = asyncio.get_running_loop()
        for address in self._next_backends():
            back = Pipe()
            back.peer = front
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await loop.create_connection(partial(_same, back), *address)
            except (OSError, TimeoutError):
                continue
            front.peer = back
            if front.transport.is_closing():
                assert back.transport is not None
                back.transport.abort()
            else:
                front.transport.resume_reading()
            return
        self._refuse(front.transport)

    def forget(self, front: Front) -> None:
        """A connection has ended."""
        self._fronts.discard(front)

    def _next_backends(self) -> list[Address]:
        """All of them, beginning with the one whose turn it is."""
        if not self._backends:
            return []
        start = self._turn % len(self._backends)
        self._turn += 1
        return [*self._backends[start:], *self._backends[:start]]

    @staticmethod
    def _refuse(transport: asyncio.Transport) -> None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        transport.abort()

    async def close(self) -> None:
        """Stop listening and reset every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._connecting:
            task.cancel()
        for front in list(self._fronts):
            for pipe in (front, front.peer):
                if pipe is not None and pipe.transport is not None:
                    pipe.transport.abort()

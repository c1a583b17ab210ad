"""A deadline for a whole request: reads that each end in time may go on for ever, a byte every half second.

`requests` knows timeouts for the connection and for each read only, so a timer shuts the socket down from outside;
whatever waits for it, be it the handshake, a header or the body, then ends at once.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry


class Deadline:
    """The socket under one session, and until when a request may use it."""

    def __init__(self) -> None:
        self.passed = False
        """Whether the deadline of the last request went by."""
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection when the block takes longer; then `passed` is set."""
        self.passed = False
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End whatever waits for the connection."""
        with self._lock:
            self.passed = True
            self._shut()

    def opened(self, new: socket.socket) -> None:
        """Watch a new connection, by a copy of its descriptor: TLS takes the original over."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = new.dup()
            if self.passed:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None


class WatchedAdapter(HTTPAdapter):
    """Connections that a deadline can cut. One at a time: queries follow one another."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=Retry(0, redirect=0))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of connections."""
        super().init_poolmanager(*args, **kwargs)
        deadline = self._deadline

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                made = super()._new_conn()
                deadline.opened(made)
                return made

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                made = super()._new_conn()
                deadline.opened(made)
                return made

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

"""A TCP proxy that breaks connections on demand: between the operator and its API server, or its Prometheus.

It looks at no byte, so TLS goes through. A fault concerns open connections and new ones, from the moment it is set.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, Self

Fault = Literal["", "slow", "hang", "truncate", "reset"]
SLOW_S = 0.3
"""Pause before each part of an answer."""
CUT_AFTER = 2_000
"""Bytes of an answer after which a truncated connection ends: enough for a TLS handshake, too few for a listing."""


class FaultyProxy:
    """Forwards to one address until a fault is set."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._fault: Fault = ""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        # On the same address: it stands in the certificate of the API server.
        self._listener = socket.create_server((host, 0))
        self.host = host
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._break_open(reset=False)

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Have the fault for a while."""
        self._fault = fault
        if fault in ("reset", "truncate"):
            self._break_open(reset=fault == "reset")
        try:
            yield
        finally:
            self._fault = ""
            self._break_open(reset=False)  # what hangs would hang for as long as its client waits

    def _break_open(self, *, reset: bool) -> None:
        with self._lock:
            broken, self._open = self._open, set()
        for each in broken:
            _end(each, reset=reset)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._fault == "reset":
                _end(client, reset=True)
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._copy, args=(source, sink, answers), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while part := source.recv(65_536):
                while self._fault == "hang":
                    time.sleep(0.05)
                    sink.getpeername()  # raises when it has been closed meanwhile
                if self._fault == "slow" and answers:
                    time.sleep(SLOW_S)
                count += len(part)
                if self._fault == "truncate" and answers and count > CUT_AFTER:
                    sink.sendall(part[: max(1, CUT_AFTER - (count - len(part)))])
                    break
                sink.sendall(part)
        for each in (source, sink):
            _end(each, reset=False)
        with self._lock:
            self._open -= {source, sink}


def _end(connection: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:  # an abortive close: RST instead of FIN
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_RDWR)
    connection.close()

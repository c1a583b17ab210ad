"""The supervisor's own port: status page, health, metrics of both engines, and orders with a token."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .engine import Engine, EngineFailed
from .pages import merged
from .replica import Replica

LONGEST_BODY = 64 << 10
LONGEST_ID = 200
IDLE_S = 30.0
"""A client that sends or takes nothing for so long is cut off."""
MOST_CLIENTS = 64
ORDER_S = 3600.0
"""Longest wait for the end of an order; it goes on without a listener."""
_PAGE_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Problem(Exception):
    """What to answer instead."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Port(ThreadingHTTPServer):
    """Serves one replica. At most MOST_CLIENTS at once; further ones are closed."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], replica: Replica) -> None:
        super().__init__(address, _Handler)
        self.replica = replica
        self.readers = ThreadPoolExecutor(8, "page")
        self._seats = threading.BoundedSemaphore(MOST_CLIENTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a client where there is a seat."""
        if self._seats.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the seat back at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._seats.release()


class _Handler(BaseHTTPRequestHandler):
    server: Port
    timeout = IDLE_S
    protocol_version = "HTTP/1.1"
    server_version = "breakeven"
    sys_version = ""

    def do_GET(self) -> None:
        path, replica = self.path.partition("?")[0], self.server.replica
        if path == "/state":
            self._json(200, replica.state())
        elif path in ("/health", "/ping"):
            self._send(200 if replica.ready() else 503, b"", "text/plain")
        elif path == "/live":
            self._send(200 if replica.alive() else 503, b"", "text/plain")
        elif path == "/metrics":
            self._send(200, self._page().encode(), _PAGE_TYPE)
        else:
            self._json(404, {"error": "there are /state, /health, /metrics, and POST /awake and /load"})

    def do_POST(self) -> None:
        try:
            status = self._order()
        except Problem as problem:
            self._json(problem.status, {"error": str(problem)})
        else:
            self._json(status, self.server.replica.state())

    def _order(self) -> int:
        """Carry out an order; the status of its answer. Raises Problem."""
        replica = self.server.replica
        body = self._body()  # first, or the client's connection breaks while it sends
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not replica.allowed(token.strip()):
            raise Problem(401, "the resource's token is wanted: Authorization: Bearer …")
        if self.path not in ("/awake", "/load"):
            raise Problem(404, "orders are /awake and /load")
        asked = _object(body)
        loads = self.path == "/load"
        id, variant = asked.get("id"), asked.get("variant")
        if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
            raise Problem(400, f"id: a text of at most {LONGEST_ID} characters is wanted")
        if not loads and not isinstance(variant, str):
            raise Problem(400, "variant: a name is wanted")
        revision = asked.get("revision")
        if loads and revision is not None and revision != replica.wanted.revision:
            raise Problem(409, f"slots.json is at revision {replica.wanted.revision} here: ask again when it has come")
        status, order = replica.order(id, None if loads else variant)
        if status == 404:
            raise Problem(404, f"no slot holds {variant}")
        if status == 409:
            raise Problem(409, "another order is being carried out, or the slot is not loaded: look at /state")
        if loads:
            return 202
        if order is not None and not order.done.wait(ORDER_S):
            raise Problem(504, "still under way: ask again with the same id")
        return 500 if order is not None and order.error else 200

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            self.close_connection = True  # what was not read would be taken for the next request
            raise Problem(413, f"a body of at most {LONGEST_BODY} bytes with its Content-Length is wanted")
        return self.rfile.read(int(length))

    def _page(self) -> str:
        """Both pages; that of an engine that does not answer is left out, as a target that is down."""
        slots = [slot for slot in self.server.replica.pair.slots if slot.loaded and slot.engine is not None]
        engines = [slot.engine for slot in slots if slot.engine is not None]
        pages = self.server.readers.map(_page_of, engines)
        return merged({engine.spec.variant: page for engine, page in zip(engines, pages, strict=True)})

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode() + b"\n", "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes and scrapes would fill the log of the engines."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise Problem(400, f"the body is no JSON: {error}") from error
    if not isinstance(asked, dict):
        raise Problem(400, "the body is no object")
    return asked


def _page_of(engine: Engine) -> str:
    try:
        return engine.page().decode(errors="replace")
    except EngineFailed:
        return ""

"""The HTTP face of a simulated engine."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from breakeven.lab.engine.answers import Asked, problem
from breakeven.lab.engine.asking import BadRequest, read
from breakeven.lab.engine.core import EngineCore
from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.page import Labels, cache_config, page_of, text_of
from breakeven.lab.engine.wording import RIGHT, Wording

DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


@dataclass(slots=True)
class Served:
    """What one server needs to know beside its core."""

    served_names: tuple[str, ...]
    version: str
    gpu_memory_utilization: float = 0.92
    dies_on_first_request: bool = False
    wording: Wording = RIGHT
    disable_log_stats: bool = False
    draining: bool = False
    """Set on SIGTERM: requests in flight finish, new ones get 500, /health stays 200."""
    died: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the engine is dead; the process then exits with code 0, as the real one does."""


class Server:
    """Handlers over one driver."""

    def __init__(self, driver: Driver, served: Served, *, seed: int = 0) -> None:
        self.driver = driver
        self.served = served
        self._rng = Random(seed)
        labels = Labels(
            model_name=served.served_names[0],
            created=time.time(),
            cache_config=cache_config(driver.core, served.gpu_memory_utilization),
        )
        self._registry = page_of(driver.core, labels)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_get("/health", self.health)
        app.router.add_get("/ping", self.health)
        app.router.add_get("/version", self.version)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_post("/v1/completions", self._endpoint(chat=False))
        app.router.add_post("/v1/chat/completions", self._endpoint(chat=True))
        return app

    async def health(self, _request: web.Request) -> web.Response:
        """200 with an empty body, 503 once the engine is dead."""
        return web.Response(status=503 if self.served.died.is_set() else 200)

    async def version(self, _request: web.Request) -> web.Response:
        """The version it stands for, and that it is simulated."""
        return web.json_response({"version": self.served.version, "engine": "simulated engine"})

    async def models(self, _request: web.Request) -> web.Response:
        """The served names."""
        setup = self.core.setup
        data = [
            {
                "id": name,
                "object": "model",
                "created": int(time.time()),
                "owned_by": "simulated engine",
                "root": self.served.served_names[0],
                "parent": None,
                "max_model_len": setup.max_model_len,
            }
            for name in self.served.served_names
        ]
        return web.json_response({"object": "list", "data": data})

    async def metrics(self, _request: web.Request) -> web.Response:
        """The metrics page as of now."""
        self.driver.catch_up()
        if self.served.disable_log_stats:
            return web.Response(
                body=b"# simulated engine started with --disable-log-stats\n", content_type="text/plain"
            )
        return web.Response(body=text_of(self._registry), headers={"Content-Type": "text/plain; version=0.0.4"})

    @property
    def core(self) -> EngineCore:
        """The engine behind it."""
        return self.driver.core

    def _endpoint(self, *, chat: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(http: web.Request) -> web.StreamResponse:
            if self.served.died.is_set() or self.served.dies_on_first_request:
                self.served.died.set()
                return _error(500, "InternalServerError", DEAD)
            if self.served.draining:
                return _error(500, "InternalServerError", "cannot schedule new futures after shutdown")
            try:
                asked = self._read(await http.json(), chat=chat)
            except BadRequest as error:
                return _error(error.status, error.kind, str(error))
            except ValueError as error:
                return _error(400, "BadRequestError", f"body: {error}")
            return await self._answer(http, asked)

        return handle

    def _read(self, body: Any, *, chat: bool) -> Asked:
        if not isinstance(body, dict):
            raise BadRequest(400, "BadRequestError", "body: a JSON object is required")
        return read(
            body,
            chat=chat,
            served=self.served.served_names,
            max_model_len=self.core.setup.max_model_len,
            speculates=self.core.setup.speculation is not None,
            rng=self._rng,
        )

    async def _answer(self, http: web.Request, asked: Asked) -> web.StreamResponse:
        request = asked.request
        try:
            ticket = self.driver.submit(request)
        except ValueError as error:
            return _error(400, "BadRequestError", str(error))
        try:
            if asked.stream:
                return await self._stream(http, asked, ticket.progress)
            while request.finish_reason is None:
                await ticket.progress.wait()
                ticket.progress.clear()
            return web.json_response(asked.whole(self.served.wording, self._rng))
        except (asyncio.CancelledError, ConnectionResetError):
            # The client is gone: free its seat, as the real server does.
            self.driver.abort(ticket)
            raise

    async def _stream(self, http: web.Request, asked: Asked, progress: asyncio.Event) -> web.StreamResponse:
        request = asked.request
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(http)
        opening = asked.opening()
        while True:
            await progress.wait()
            progress.clear()
            steps, request.emitted = request.emitted, []
            ended = request.finish_reason
            chunks = [asked.chunk(tokens) for tokens in (steps[:-1] if ended else steps)]
            if ended:
                chunks.append(asked.chunk(steps[-1] if steps else 0, finish_reason=ended))
                chunks.append(asked.last())
            await response.write(opening + b"".join(chunks))
            opening = b""
            if ended:
                await response.write_eof()
                return response


def _error(status: int, kind: str, message: str) -> web.Response:
    return web.json_response(problem(message, kind, status), status=status)

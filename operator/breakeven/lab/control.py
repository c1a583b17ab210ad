"""What `RunningLab` asks the lab's own process for: a small HTTP server on loopback behind a bearer token."""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from breakeven.lab.block import Block
from breakeven.lab.controlplane.client import ApiError
from breakeven.lab.controlplane.plane import ControlPlane
from breakeven.lab.errors import LabError

Answer = dict[str, Any]
Handler = Callable[[Answer], Awaitable[Answer]]
PREFERRED_PORT = 10255


class ControlServer:
    """POST /<what> with a JSON object; 400 with plain words when it cannot be done."""

    def __init__(self, *, token: str, plane: ControlPlane) -> None:
        self.token = token
        self.url = ""
        self._plane = plane
        self._handlers: dict[str, Handler] = {"component": self._component}
        self._runner: web.AppRunner | None = None

    def add(self, what: str, handler: Handler) -> None:
        """Answer another question."""
        self._handlers[what] = handler

    async def start(self, block: Block) -> None:
        """Listen on the node's address."""
        application = web.Application()
        application.router.add_post("/{what}", self._dispatch)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        port = block.port(PREFERRED_PORT)
        await web.TCPSite(self._runner, block.node, port).start()
        self.url = f"http://{block.node}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _dispatch(self, request: web.Request) -> web.Response:
        if not secrets.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self.token}"):
            return web.Response(status=401, text="wrong or no bearer token")
        handler = self._handlers.get(request.match_info["what"])
        if handler is None:
            return web.Response(status=404, text=f"unknown: {request.match_info['what']}")
        try:
            answer = await handler(await request.json())
        except (LabError, ApiError, ValueError) as error:
            return web.Response(status=400, text=str(error))
        return web.json_response(answer, dumps=json.dumps)

    async def _component(self, body: Answer) -> Answer:
        component = self._plane.components.get(body["name"])
        if component is None:
            raise LabError(f"no component {body['name']!r}: one of {', '.join(self._plane.components)}")
        if body["do"] == "stop":
            await component.stop()
        elif not component.running():
            await component.start()
            await component.wait_ready()
        return {"running": component.running()}

"""Pages for people over HTTP, read-only.

On loopback they are for whoever may forward a port into the pod, and the name that was asked for has to be a loopback
one too, so that no website can read them through a name of its own (DNS rebinding). Elsewhere they want the token.
Rendering is done in a thread, one page at a time, so that the loop goes on beside it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from breakeven.settings import loopback
from breakeven.telemetry.access import authorized

log = logging.getLogger(__name__)


class PageServer:
    """Serves until `stop`."""

    def __init__(
        self,
        asked: Callable[[str], Callable[[], tuple[str, str]] | None],
        *,
        policy: str,
        token_file: Path | None,
    ) -> None:
        """Make it.

        Parameters
        ----------
        asked
            What renders the media type and text at a path; None where there is nothing.
        policy
            The Content-Security-Policy of every answer.
        token_file
            File with the token that is asked for. None: requests have to be for a loopback name instead.
        """
        self._asked = asked
        self._policy = policy
        self._token_file = token_file
        self._one = asyncio.Lock()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int | None:
        """Listen; answers the port, which is chosen by the system for 0. None: it is taken, which is logged, for the
        operator goes on without its page."""
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            log.error("the page cannot be served, BREAKEVEN_PAGE_HOST or BREAKEVEN_PAGE_PORT: %s", error)
            return None
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Whoever may not look gets nothing, and every answer says what a browser may do with it."""
        response = self._refusal(request)
        if response is None:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status, text=error.reason)
        response.headers.update(
            {
                "Content-Security-Policy": self._policy,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
            }
        )
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if self._token_file is None:
            if loopback(_without_port(request.host)):
                return None
            words = "this page is for localhost: open it with `kubectl breakeven dashboard`"
            return web.Response(status=403, text=words)
        if authorized(request.headers.get("Authorization", ""), self._token_file, "the page"):
            return None
        asks = {"WWW-Authenticate": 'Basic realm="Breakeven: any user, the token as password", charset="UTF-8"'}
        return web.Response(status=401, text="the token is needed, as bearer or as password", headers=asks)

    async def _page(self, request: web.Request) -> web.Response:
        async with self._one:
            render = self._asked(request.path)
            if render is None:
                return web.Response(status=404, text="no such page; / has all resources")
            try:
                kind, text = await asyncio.to_thread(render)
            except Exception:  # whatever is in a resource, it costs its own page and nothing else
                log.exception("the page %s cannot be shown", request.path)
                return web.Response(status=500, text="this page cannot be shown; the operator's log says why")
        return web.Response(body=text.encode("utf-8", "replace"), content_type=kind, charset="utf-8")


def _without_port(host: str) -> str:
    """The name in a header Host, whose IPv6 addresses stand in brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]

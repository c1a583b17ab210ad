"""The part of the kubelet's HTTPS API that `kubectl logs` needs. The API server asks here on the user's behalf."""

import asyncio
import os
import ssl
from pathlib import Path

from aiohttp import web

from breakeven.lab.block import Block
from breakeven.lab.kubelet.container import Container
from breakeven.lab.kubelet.kubelet import Kubelet

POLL_SECONDS = 0.1
CHUNK = 64 * 1024


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of a file begin."""
    with path.open("rb") as log:
        position = log.seek(0, os.SEEK_END)
        found, end = 0, position
        while position > 0:
            size = min(CHUNK, position)
            position -= size
            log.seek(position)
            block = log.read(size)
            at = len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                if position + at == end - 1:
                    continue  # the newline that ends the last line
                found += 1
                if found == lines:
                    return position + at + 1
    return 0 if lines else end


class LogServer:
    """Serves /containerLogs/{namespace}/{pod}/{container} with follow, tailLines, limitBytes and previous."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._runner: web.AppRunner | None = None

    async def start(self, block: Block, certificates: Path) -> None:
        """Listen on the block's reserved socket, with the certificate that the API server made for itself.

        The API server does not verify it, as with a real kubelet's self-signed one.
        """
        application = web.Application()
        application.router.add_get("/healthz", self._healthy)
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, block.listener, ssl_context=context).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        container = self._kubelet.container(where["namespace"], where["pod"], where["container"])
        if container is None:
            return web.Response(
                status=404, text=f"container {where['container']} of {where['pod']} is not running here"
            )
        previous = request.query.get("previous") == "true"
        path = container.log(previous=previous)
        if (previous and container.restarts == 0) or not path.exists():
            return web.Response(status=400, text=f"container {container.name} has no {'previous ' * previous}log")
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await response.prepare(request)
        follow = request.query.get("follow") == "true" and not previous
        lines, limit = request.query.get("tailLines"), request.query.get("limitBytes")
        offset = tail_offset(path, int(lines)) if lines else 0
        await _send(response, path, offset, limit=int(limit) if limit else None, follow=container if follow else None)
        await response.write_eof()
        return response


async def _send(
    response: web.StreamResponse, path: Path, offset: int, *, limit: int | None, follow: Container | None
) -> None:
    """Send from offset; following, until the process that writes it has ended."""
    with path.open("rb") as log:
        log.seek(offset)
        while True:
            over = follow is None or path != follow.log() or "running" not in follow.state
            while chunk := log.read(CHUNK if limit is None else min(CHUNK, limit)):
                await response.write(chunk)
                limit = None if limit is None else limit - len(chunk)
            if over or limit == 0:
                return
            await asyncio.sleep(POLL_SECONDS)

"""HTTP of the hollow pods: one exporter for their series, and one shared address that answers as an engine would."""

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

POD_PORT = 8000
NOTE = "hollow pod of breakeven lab: nothing was computed"


class HollowServer:
    """The exporter at the node's address; all hollow pods' own address at port 8000."""

    def __init__(self, page: Callable[[], str], past: Callable[[str], str]) -> None:
        self._page = page
        self._past = past
        self._target = ""
        self._runners: list[web.AppRunner] = []

    async def start(self, *, exporter: tuple[str, int], pods: str) -> None:
        """Listen at both. Raises OSError."""
        metrics = web.Application()
        metrics.router.add_get("/metrics", self._metrics)
        metrics.router.add_get("/past", self._metrics_of_the_past)
        self._target = f'job="hollow",instance="{exporter[0]}:{exporter[1]}",'
        await self._listen(metrics, *exporter)
        engine = web.Application()
        engine.router.add_get("/health", self._health)
        engine.router.add_get("/v1/models", self._models)
        engine.router.add_post("/v1/completions", self._complete)
        engine.router.add_post("/v1/chat/completions", self._complete)
        await self._listen(engine, pods, POD_PORT)

    async def _listen(self, application: web.Application, host: str, port: int) -> None:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()

    async def stop(self) -> None:
        """Stop listening."""
        for runner in self._runners:
            await runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._page(), content_type="text/plain", charset="utf-8")

    async def _metrics_of_the_past(self, _request: web.Request) -> web.Response:
        """With the labels of the other page, so that its series go on with the same ones."""
        return web.Response(text=self._past(self._target), content_type="text/plain", charset="utf-8")

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    async def _complete(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        tokens = int(body.get("max_tokens") or 16)
        chat = request.path.endswith("/chat/completions")
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length", "logprobs": None}
        choice |= {"message": {"role": "assistant", "content": NOTE}} if chat else {"text": NOTE}
        return web.json_response(
            {
                "id": "hollow",
                "object": "chat.completion" if chat else "text_completion",
                "created": int(time.time()),
                "model": body.get("model", ""),
                "choices": [choice],
                "usage": {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1},
            }
        )

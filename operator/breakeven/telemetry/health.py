"""Health and figures over HTTP.

`/healthz` fails when this process leads and no pass went well for too long, so that a loop that died in silence
restarts the pod; `/readyz` fails until the watches are primed; `/metrics` is for Prometheus.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """One loop and how old its last good turn may get."""

    name: str
    last: Callable[[], float | None]
    """Unix seconds of its last good turn; None while it has no duty: standby, or nothing to do."""
    limit_s: float


class HealthServer:
    """Serves until `stop`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        ages: tuple[Age, ...],
        ready: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._ages = ages
        self._ready = ready
        self._clock = clock
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; answers the port, which is chosen by the system for 0. Raises OSError when it is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        now = self._clock()
        old = []
        for age in self._ages:
            last = age.last()
            if last is not None and now - last > age.limit_s:
                old.append(f"{age.name}: last good turn {now - last:.0f} s ago, limit {age.limit_s:.0f} s")
        return web.Response(status=500 if old else 200, text="\n".join(old) or "ok")

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(status=200 if ready else 503, text="ok" if ready else "the watches are not primed yet")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

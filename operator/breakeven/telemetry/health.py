"""Health and figures over HTTP.

`/healthz` names each loop with the age of its last good turn, and answers 503 when one is too old, so that a loop that
hangs or died in silence restarts the pod. Ages are told by the monotonic clock: setting the system's clock makes no
loop old, nor hides that it is. `/readyz` fails until the watches are primed; `/metrics` is for Prometheus, and with a
token file for nobody else: names of resources and what they cost are in it. Probes carry no token.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from breakeven.telemetry.access import authorized


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """One loop and how old its last good turn may get."""

    name: str
    last: Callable[[], float | None]
    """Its last good turn, in seconds of the monotonic clock; None while it has no duty: standby, or nothing to do."""
    limit_s: float
    """Age from which on it counts as dead."""


class HealthServer:
    """Serves until `stop`."""

    def __init__(
        self,
        page: Callable[[], bytes],
        *,
        ages: tuple[Age, ...],
        ready: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        token_file: Path | None = None,
    ) -> None:
        """Make it; with `token_file`, `/metrics` wants what stands in it as a bearer token."""
        self._token_file = token_file
        self._page = page
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
        now, dead, lines = self._clock(), False, []
        for age in self._ages:
            last = age.last()
            if last is None:
                lines.append(f"{age.name}: nothing to do")
                continue
            stale = now - last > age.limit_s
            dead = dead or stale
            lines.append(
                f"{age.name}: {'STALE, ' if stale else ''}last good turn {now - last:.0f} s ago, "
                f"limit {age.limit_s:.0f} s"
            )
        return web.Response(status=503 if dead else 200, text="\n".join(lines) or "ok")

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(status=200 if ready else 503, text="ok" if ready else "the watches are not primed yet")

    async def _metrics(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self._token_file is not None and not authorized(given, self._token_file, "/metrics"):
            return web.Response(status=401, text="a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=self._page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

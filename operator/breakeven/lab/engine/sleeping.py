"""Sleep mode and the developer routes, as vLLM 0.18 to 0.33 answers them (entrypoints/serve/dev/sleep/api_router.py).

An engine that sleeps answers /health with 200, takes requests, and lets them hang until it is woken.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from aiohttp import web

from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.gpu import Gpu, OutOfMemory
from breakeven.lab.engine.knobs import Knobs

logger = logging.getLogger("breakeven.lab.engine")

_STATES = {1: "weights_offloaded", 2: "discard_all"}


@dataclass(slots=True)
class Sleep:
    """Whether an engine sleeps, and the routes that change it."""

    driver: Driver
    gpu: Gpu
    knobs: Knobs
    frees: bool
    """Whether it was started with --enable-sleep-mode; without, it sleeps and frees nothing."""
    died: asyncio.Event
    """Set when it does not survive waking."""
    level: int = 0
    """0: awake."""
    _pinned: bool = False
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add_routes(self, app: web.Application) -> None:
        """What VLLM_SERVER_DEV_MODE=1 brings."""
        app.router.add_post("/sleep", self.sleep)
        app.router.add_post("/wake_up", self.wake_up)
        app.router.add_get("/is_sleeping", self.is_sleeping)
        app.router.add_post("/collective_rpc", self.collective_rpc)
        app.router.add_post("/reset_prefix_cache", self.reset_prefix_cache)

    async def sleep(self, request: web.Request) -> web.Response:
        """Pause, deal with what runs as `mode` says, then free memory."""
        level, mode = int(request.query.get("level", "1")), request.query.get("mode", "abort")
        if mode not in ("abort", "wait", "keep") or level not in (0, 1, 2):
            return web.Response(status=400)
        core = self.driver.core
        async with self._busy:
            if self.level:
                logger.warning("Executor is already sleeping.")
                return web.Response()
            core.paused = "all" if mode == "keep" else "new"
            if mode == "abort":
                self.driver.abort_running()
            logger.info("Waiting for in-flight requests to complete before sleeping...")
            if mode == "wait":
                await self.driver.nothing_runs()
            if level:
                await self._suspend(level)
        return web.Response()

    async def _suspend(self, level: int) -> None:
        core, seconds = self.driver.core, self.knobs.sleep
        if not self._pinned and level == 1:
            seconds, self._pinned = self.knobs.first_sleep, True
        await asyncio.sleep(seconds / self.knobs.time_scale)
        self.level, core.sleep_state = level, _STATES[level]
        core.draft_lost = core.draft_lost or level == 2
        if self.frees:
            self.gpu.sleep()
        logger.info("Sleep mode freed memory, %.2f GiB memory is still in use.", self.gpu.used())
        logger.info("It took %.6f seconds to fall asleep.", seconds)

    async def wake_up(self, _request: web.Request) -> web.Response:
        """Take the memory again, and go on with what waits."""
        core = self.driver.core
        async with self._busy:
            if self.level:
                await asyncio.sleep(self.knobs.wake / self.knobs.time_scale)
                try:
                    if self.frees:
                        self.gpu.wake()
                    if self.knobs.draft_fails_to_wake and core.setup.speculation is not None:
                        raise OutOfMemory("simulated engine: told to fail when it wakes with a draft")
                except OutOfMemory as error:
                    logger.error("EngineCore encountered a fatal error: %s", error)
                    self.died.set()
                    return web.Response(status=500)
            self.level, core.sleep_state, core.paused = 0, "awake", ""
            self.driver.go_on()
        return web.Response()

    async def is_sleeping(self, _request: web.Request) -> web.Response:
        """Also true while only the scheduler is paused."""
        return web.json_response({"is_sleeping": bool(self.level or self.driver.core.paused)})

    async def collective_rpc(self, _request: web.Request) -> web.Response:
        """Runs any method of the workers in the real engine; here it only answers."""
        return web.json_response({"results": [None]})

    async def reset_prefix_cache(self, _request: web.Request) -> web.Response:
        """There is none here."""
        return web.Response()

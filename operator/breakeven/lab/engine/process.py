"""One simulated engine as a process: load, serve, drain on SIGTERM, and die as the real one does."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping, Sequence
from zlib import crc32

from aiohttp import web

from breakeven.engines.engine import Engine
from breakeven.engines.findings import Refusal
from breakeven.engines.table import load
from breakeven.engines.versions import Version
from breakeven.lab.engine.arguments import Arguments, parse
from breakeven.lab.engine.configuration import Configuration, configure
from breakeven.lab.engine.core import EngineCore
from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.gpu import Gpu
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.refused import Refused, engine_core_failed
from breakeven.lab.engine.server import Served, Server
from breakeven.lab.engine.sleeping import Sleep
from breakeven.lab.engine.speculative import drafting

logger = logging.getLogger("breakeven.lab.engine")

_LOG_EVERY = 10.0
"""Seconds between two lines of statistics, as in the real server."""
_DEATH = 0.5
"""Seconds that /health answers 503 before a dead engine's process exits (measured: 0.5 to 4.5)."""


def engine_for(version: str | None) -> Engine:
    """The capability table's entry for an image tag; the newest release when it names no version.

    Raises Refused for a version older than the table.
    """
    if not version or Version.parse(version) is None:
        return load().newest
    engine = load().engine(version)
    if isinstance(engine, Refusal):
        raise Refused(2, f"simulated engine: {engine.message}")
    return engine


def prepare(
    command: Sequence[str], version: str | None, knobs: Knobs, environment: Mapping[str, str]
) -> tuple[Arguments, Configuration, Engine]:
    """Parse and check a command line. Raises Refused with the exit code the real server would have."""
    engine = engine_for(version)
    arguments = parse(command, engine)
    wanted = drafting(arguments, engine)
    return arguments, configure(arguments, wanted, engine, knobs, environment), engine


class Process:
    """Runs one engine until SIGTERM, or until it dies of its first request."""

    def __init__(
        self,
        arguments: Arguments,
        configuration: Configuration,
        engine: Engine,
        knobs: Knobs,
        *,
        developer_routes: bool = False,
    ) -> None:
        self._arguments = arguments
        self._configuration = configuration
        self._engine = engine
        self._knobs = knobs
        self._developer_routes = developer_routes
        self._stop = asyncio.Event()

    async def run(self, address: str) -> None:
        """Load, listen on `address`, serve, drain. Raises Refused when told to fail while it starts."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._announce(address)
        share = self._arguments.gpu_memory_utilization or float(self._engine.gpu_memory_utilization)
        gpu = Gpu(self._knobs.gpu, share)
        gpu.start()
        if await self._stopped_within(self._configuration.load_delay):
            logger.info("stopped while loading")
            return
        if self._configuration.fails_at_start:
            raise engine_core_failed("RuntimeError: simulated engine: told to fail while it starts with a draft")
        # Replicas draw differently unless a seed is set.
        seed = crc32(address.encode()) if self._knobs.seed is None else self._knobs.seed
        core = EngineCore(self._configuration.setup, seed=seed)
        driver = Driver(core, time_scale=self._knobs.time_scale)
        served = Served(
            served_names=self._arguments.served_names,
            version=str(self._engine.version),
            gpu_memory_utilization=share,
            dies_on_first_request=self._configuration.dies_on_first_request,
            wording=self._configuration.wording,
            disable_log_stats=self._arguments.disable_log_stats,
        )
        application = Server(driver, served, seed=seed).application()
        if self._developer_routes:
            Sleep(driver, gpu, self._knobs, self._arguments.enable_sleep_mode, served.died).add_routes(application)
        runner = web.AppRunner(
            application,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        site = web.TCPSite(runner, address, self._arguments.port)
        await site.start()
        logger.info("Application startup complete: simulated engine on http://%s:%d", address, self._arguments.port)
        tasks = [asyncio.create_task(driver.run()), asyncio.create_task(_report(core))]
        try:
            await self._serve(driver, served, site)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()
            logger.info("simulated engine: finished requests: %d", sum(core.tally.finished.values()))

    async def _serve(self, driver: Driver, served: Served, site: web.TCPSite) -> None:
        stopped, died = asyncio.create_task(self._stop.wait()), asyncio.create_task(served.died.wait())
        await asyncio.wait((stopped, died), return_when=asyncio.FIRST_COMPLETED)
        if served.died.is_set():
            stopped.cancel()
            logger.error("EngineCore died; the process exits with code 0, as vLLM's does")
            driver.abort_all("error")
            await asyncio.sleep(_DEATH)
            return
        died.cancel()
        if self._knobs.hangs_on_sigterm:
            logger.warning("Waiting for connections to close. (simulated hang: only SIGKILL ends this process)")
            await site.stop()
            await asyncio.Event().wait()
        served.draining = True
        seconds = self._arguments.shutdown_timeout
        logger.info("Shutting down: %d requests in flight, %.0f s for them to finish", driver.in_flight, seconds)
        if seconds <= 0 or not await driver.drained(seconds):
            driver.abort_all()
            await asyncio.sleep(0.1)

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self._stop.is_set()

    def _announce(self, address: str) -> None:
        arguments = self._arguments
        logger.info("simulated engine: stands for vLLM %s; no model runs, the text is filler", self._engine.version)
        for note in self._configuration.notes:
            logger.info("simulated engine: %s", note)
        if arguments.host and arguments.host != address:
            logger.info("simulated engine: --host %s becomes the pod's own address %s", arguments.host, address)


async def _report(core: EngineCore) -> None:
    """Log throughput and acceptance every ten seconds, worded as vLLM does."""
    before = (0, 0, 0, 0)
    while True:
        await asyncio.sleep(_LOG_EVERY)
        counted, tally = core.tally.speculation, core.tally
        now = (
            tally.generation_tokens,
            counted.drafts if counted else 0,
            counted.draft_tokens if counted else 0,
            counted.accepted_tokens if counted else 0,
        )
        tokens, drafts, drafted, accepted = (new - old for new, old in zip(now, before, strict=True))
        if tokens:
            logger.info(
                "simulated engine: Avg generation throughput: %.1f tokens/s, Running: %d reqs, Waiting: %d reqs, "
                "GPU KV cache usage: %.1f%%",
                tokens / _LOG_EVERY,
                len(core.running),
                len(core.waiting),
                100 * core.kv_usage,
            )
        if drafts:
            logger.info(
                "SpecDecoding metrics: Mean acceptance length: %.2f, Accepted: %d tokens, Drafted: %d tokens, "
                "Avg Draft acceptance rate: %.1f%%",
                1 + accepted / drafts,
                accepted,
                drafted,
                100 * accepted / drafted,
            )
        before = now

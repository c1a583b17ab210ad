"""The process that runs a lab: `python -m breakeven.lab.daemon DIRECTORY`.

Standard input is the tie to the one that asked for the lab (see `launch.py`); progress goes to standard output as JSON
lines; its own log is logs/lab.log. SIGTERM and SIGINT take the lab down.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from breakeven.lab.errors import LabError
from breakeven.lab.lab import Lab
from breakeven.lab.launch import DETACH, READY, SETTINGS
from breakeven.lab.settings import parse_settings

LOG = logging.getLogger("breakeven.lab")


def _tell(**event: str) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody listens any more: the tie's end says what to do about it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _tie_cut() -> str:
    """Wait until the other side is gone without having detached the lab."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        if await reader.read() == DETACH:
            await asyncio.Event().wait()
    finally:
        transport.close()
    return "the process that started the lab is gone"


def _resolve(future: "asyncio.Future[str]", text: str) -> None:
    if not future.done():
        future.set_result(text)


async def _run(directory: Path) -> int:
    settings = parse_settings((directory / SETTINGS).read_bytes())
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _resolve, asked, "asked to go down")
    tie = asyncio.create_task(_tie_cut())
    up = asyncio.create_task(_up(Lab(settings, directory, lambda stage: _tell(stage=stage))))
    waited: list[asyncio.Future[Any]] = [asked, tie, up]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if up.done():
        tie.cancel()
        return up.result()
    LOG.info("going down: %s", asked.result() if asked.done() else tie.result())
    up.cancel()
    await asyncio.wait([up])
    tie.cancel()
    return 0 if up.cancelled() else up.result()


async def _up(lab: Lab) -> int:
    """Run the lab until cancelled or until something that must run has ended."""
    try:
        async with lab:
            _tell(stage=READY)
            assert lab.fault is not None
            LOG.error("going down: %s", await lab.fault)
    except LabError as error:
        LOG.error("%s", error)
        _tell(failed=str(error))
    return 1


def main() -> int:
    """Run until asked to stop; 1 when the lab did not come up or a component fell."""
    directory = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 65536), hard), hard))
    return asyncio.run(_run(directory))


if __name__ == "__main__":
    sys.exit(main())

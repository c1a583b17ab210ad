"""Startup, readiness and liveness probes, with the kubelet's defaults and thresholds."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.pace import Pace

OUTPUT_LIMIT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a probe looks at."""

    ip: str
    ports: Mapping[str, int]
    """Container ports by name."""
    environment: Mapping[str, str]
    """For exec probes, which run on this machine."""
    pace: Pace = field(default_factory=Pace)
    """What limits stretch with: an engine that gets no CPU is not an engine that hangs. Default: an idle machine's."""

    def port(self, value: int | str) -> int:
        """A port by number or name. Raises ValueError for an unknown name."""
        if isinstance(value, int):
            return value
        if value in self.ports:
            return self.ports[value]
        return int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one probe."""

    passed: bool
    message: str = ""


def container_ports(container: Manifest) -> dict[str, int]:
    """Container ports by name."""
    return {port["name"]: port["containerPort"] for port in container.get("ports") or () if port.get("name")}


async def check(probe: Manifest, target: Target, session: aiohttp.ClientSession) -> Outcome:
    """Ask once, within the probe's timeout (default 1 s), or longer while the machine is busy."""
    seconds = target.pace.stretched(float(probe.get("timeoutSeconds", 1)))
    try:
        async with asyncio.timeout(seconds):
            if "httpGet" in probe:
                return await http_get(probe["httpGet"], target, session)
            if "tcpSocket" in probe:
                return await _tcp(probe["tcpSocket"], target)
            if "exec" in probe:
                return await execute(probe["exec"]["command"], target)
    except TimeoutError:
        return Outcome(passed=False, message=f"no answer within {seconds:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(passed=False, message=str(error))
    return Outcome(passed=False, message="the lab knows httpGet, tcpSocket and exec probes only")


async def http_get(action: Mapping[str, Any], target: Target, session: aiohttp.ClientSession) -> Outcome:
    """200 to 399 is success. Raises aiohttp.ClientError, OSError or ValueError."""
    host = action.get("host") or target.ip
    scheme = str(action.get("scheme", "HTTP")).lower()
    url = f"{scheme}://{host}:{target.port(action['port'])}{action.get('path') or '/'}"
    headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or ()}
    headers.setdefault("User-Agent", "kube-probe/1.36")
    async with session.get(url, headers=headers, allow_redirects=False, ssl=False) as response:
        if 200 <= response.status < 400:
            return Outcome(passed=True)
        return Outcome(passed=False, message=f"HTTP probe failed with statuscode: {response.status}")


async def _tcp(action: Mapping[str, Any], target: Target) -> Outcome:
    _, writer = await asyncio.open_connection(action.get("host") or target.ip, target.port(action["port"]))
    writer.close()
    await writer.wait_closed()
    return Outcome(passed=True)


async def execute(command: list[str], target: Target) -> Outcome:
    """Run a command with the container's variables; status 0 is success. Killed when cancelled."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(target.environment),
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")[-OUTPUT_LIMIT:].strip()
    return Outcome(passed=process.returncode == 0, message=text or f"exit status {process.returncode}")


async def follow(
    probe: Manifest, target: Target, session: aiohttp.ClientSession, verdict: Callable[[Outcome, bool], None]
) -> None:
    """Ask every period until cancelled; failures count for as much time as on an idle machine.

    verdict(outcome, settled): called after each answer; settled says that a threshold is reached with it.
    """
    await asyncio.sleep(float(probe.get("initialDelaySeconds", 0)))
    needed = {True: int(probe.get("successThreshold", 1)), False: int(probe.get("failureThreshold", 3))}
    run, last = 0, None
    while True:
        outcome = await check(probe, target, session)
        run = run + 1 if outcome.passed == last else 1
        last = outcome.passed
        verdict(outcome, run >= needed[outcome.passed])
        period = float(probe.get("periodSeconds", 10))
        await asyncio.sleep(period if outcome.passed else target.pace.stretched(period))

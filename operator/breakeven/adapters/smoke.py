"""Real completions against one replica: a server that is ready may still die on its first request."""

import asyncio
import json
import logging

import aiohttp

from breakeven.adapters.bodies import bounded_body

log = logging.getLogger(__name__)

_TEMPERATURES = (0.0, 0.8)
"""The second takes the sampling path, which greedy requests never reach."""
_MAX_BYTES = 1 << 20
"""Largest answer that is read: a completion of 16 tokens is far below it."""
_LONGEST = 300
"""Characters of a reason, which ends up in a condition."""


class CompletionSmokeTest:
    """`control.ports.SmokeTest` over HTTP."""

    def __init__(self, *, timeout_s: float = 60.0, attempts: int = 3, pause_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._pause_s = pause_s

    async def run(self, address: str, model: str) -> str:
        """Send one completion at temperature 0 and one above; empty when both came back whole, else why not."""
        url = f"http://{address}/v1/completions"
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            for temperature in _TEMPERATURES:
                why = await self._patiently(session, url, model, temperature)
                if why:
                    return f"at temperature {temperature}: {why}"
        return ""

    async def _patiently(self, session: aiohttp.ClientSession, url: str, model: str, temperature: float) -> str:
        """A connection that is refused is tried again: between ready and listening lies the network."""
        for attempt in range(self._attempts):
            try:
                return await _complete(session, url, model, temperature)
            except aiohttp.ClientConnectorError as error:
                why = f"no connection: {error}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return f"{type(error).__name__} {error}".strip()[:_LONGEST]
            except Exception as error:  # the edge: a test that raises would be pending for ever
                log.exception("the smoke test of %s could not be carried out", url)
                return f"the test could not be carried out: {type(error).__name__} {error}"[:_LONGEST]
            if attempt + 1 < self._attempts:
                await asyncio.sleep(self._pause_s)
        return why


async def _complete(session: aiohttp.ClientSession, url: str, model: str, temperature: float) -> str:
    body = {"model": model, "prompt": "One, two, three,", "max_tokens": 16, "temperature": temperature}
    async with session.post(url, json=body, allow_redirects=False) as answer:
        data = await bounded_body(answer, _MAX_BYTES)
        if answer.status != 200:
            return f"HTTP {answer.status} {data[:200].decode(errors='replace')}"
    if len(data) > _MAX_BYTES:
        return f"the answer to a request for 16 tokens is larger than {_MAX_BYTES >> 20} MiB"
    try:
        reason = json.loads(data)["choices"][0]["finish_reason"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"no completion in the answer: {data[:200].decode(errors='replace')}"
    if reason not in ("stop", "length"):
        return f"the completion ended with finish_reason {reason!r}"[:_LONGEST]
    return ""

"""Sends requests as a profile says. Arrivals are a Poisson process: they never wait for answers."""

import asyncio
import contextlib
import json
import math
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp

from breakeven.lab.load.profile import Lengths, Phase, Profile, RequestClass
from breakeven.lab.load.summary import Outcome, merged
from breakeven.lab.load.target import check_target

_DRAIN = 30.0
"""Seconds after the last arrival for which open requests may still finish; when stopped early, a tenth."""
_LONGEST = 3600.0
"""Seconds after which a repeating profile ends when no duration is given."""
_LARGEST_TOKEN_ID = 1000
"""Prompts use token ids under this, which every vocabulary has."""
_NAPS = 0.25
"""Longest sleep in seconds, so that a change of phase or a stop is noticed."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """The phase in force and when it began."""

    phase: Phase
    began: float
    forced: bool


class LoadGenerator:
    """One run of load.

    `url` is the server's base URL, loopback unless `allow_remote`. `model` is the served name; absent, the server is
    asked. A new connection is made for every request unless `keep_alive`: a proxy that balances connections would
    otherwise send everything to the same replica.
    """

    def __init__(
        self,
        url: str,
        profile: Profile,
        *,
        model: str | None = None,
        seed: int | None = None,
        allow_remote: bool = False,
        keep_alive: bool = False,
    ) -> None:
        self._url = check_target(url, allow_remote=allow_remote)
        self._profile = profile
        self._model = model
        self._rng = Random(profile.seed if seed is None else seed)
        self._keep_alive = keep_alive
        self._outcomes: dict[str, Outcome] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._forced: Phase | None = None
        self._changed = asyncio.Event()
        self._stopped = False

    def set_phase(self, phase: Phase | str) -> None:
        """Turn the traffic at once to a phase, by name or given whole. It then stays, whatever the profile says next.

        Raises KeyError for a name the profile does not have.
        """
        if isinstance(phase, str):
            phase = {known.name: known for known in self._profile.phases}[phase]
        self._forced = phase
        self._changed.set()

    def stop(self) -> None:
        """End the arrivals; `run` returns when what is open has finished."""
        self._stopped = True
        self._changed.set()

    async def run(self, duration: float | None = None) -> dict[str, Any]:
        """Send until the profile or `duration` seconds are over, and return the summary."""
        connector = aiohttp.TCPConnector(limit=0, force_close=not self._keep_alive)
        timeout = aiohttp.ClientTimeout(total=self._profile.timeout)
        began = time.monotonic()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            self._model = self._model or await self._served_model(session)
            await self._arrivals(session, self._limit(duration))
            elapsed = time.monotonic() - began
            await self._drain()
        return self._summary(elapsed)

    def _limit(self, duration: float | None) -> float:
        if duration is not None:
            return duration
        return _LONGEST if self._profile.repeat else self._profile.duration

    async def _arrivals(self, session: aiohttp.ClientSession, limit: float) -> None:
        began = time.monotonic()
        turn = self._turn(began, began, None)
        due = began
        while turn is not None and not self._stopped:
            now = time.monotonic()
            if now - began >= limit:
                return
            turn = self._turn(began, now, turn)
            if turn is None:
                return
            peak = max(turn.phase.rate.start, turn.phase.rate.end)
            if due <= now:
                # Thinning: candidates come at the phase's highest rate and are kept with the share now in force.
                share = (now - turn.began) / turn.phase.duration
                if peak > 0 and self._rng.random() * peak < turn.phase.rate.at(share):
                    self._send(session, turn.phase)
                due += self._rng.expovariate(peak) if peak > 0 else _NAPS
                continue
            await self._nap(min(due - now, began + limit - now))

    def _turn(self, began: float, now: float, before: _Turn | None) -> _Turn | None:
        """The phase in force now; None when the profile is over."""
        if self._forced is not None:
            if before is not None and before.forced and before.phase is self._forced:
                return before
            return _Turn(self._forced, now, forced=True)
        elapsed, whole = now - began, self._profile.duration
        if elapsed >= whole and not self._profile.repeat:
            return None
        start = began + math.floor(elapsed / whole) * whole
        for phase in self._profile.phases:
            if now < start + phase.duration:
                return _Turn(phase, start, forced=False)
            start += phase.duration
        return _Turn(self._profile.phases[-1], now, forced=False)

    async def _nap(self, seconds: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _NAPS)):
                await self._changed.wait()

    def _send(self, session: aiohttp.ClientSession, phase: Phase) -> None:
        outcome = self._outcomes.setdefault(phase.name, Outcome())
        if len(self._open) >= self._profile.max_in_flight:
            outcome.skipped += 1
            return
        kind = self._rng.choices(phase.mix, [entry.weight for entry in phase.mix])[0]
        body = self._body(kind)
        outcome.sent += 1
        task = asyncio.create_task(self._one(session, body, outcome))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def _body(self, kind: RequestClass) -> dict[str, Any]:
        prompt = _draw(kind.prompt, self._rng)
        body: dict[str, Any] = {
            "prompt": [self._rng.randrange(10, _LARGEST_TOKEN_ID) for _ in range(prompt)],
            "max_tokens": _draw(kind.output, self._rng),
            "temperature": kind.temperature,
            "ignore_eos": True,
            "stream": kind.stream,
        }
        if self._model:
            body["model"] = self._model
        if kind.stream:
            body["stream_options"] = {"include_usage": True}
        return body | kind.extra

    async def _one(self, session: aiohttp.ClientSession, body: dict[str, Any], outcome: Outcome) -> None:
        began = time.monotonic()
        try:
            async with session.post(f"{self._url}/v1/completions", json=body) as response:
                if response.status != 200:
                    outcome.errors[f"HTTP {response.status}"] += 1
                    return
                if body["stream"]:
                    first, usage = await _read_stream(response)
                else:
                    first, usage = None, (await response.json()).get("usage")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome.errors[type(error).__name__] += 1
            return
        except asyncio.CancelledError:
            outcome.unfinished += 1
            raise
        if body["stream"] and usage is None:
            outcome.errors["stream cut short"] += 1
            return
        _record(outcome, began, first, int((usage or {}).get("completion_tokens", 0)))

    async def _served_model(self, session: aiohttp.ClientSession) -> str | None:
        """The first served name; None when the server does not say, and then the field is left out."""
        try:
            async with session.get(f"{self._url}/v1/models") as response:
                models = (await response.json())["data"]
                return str(models[0]["id"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError):
            return None

    async def _drain(self) -> None:
        if self._open:
            await asyncio.wait(self._open, timeout=min(_DRAIN / 10 if self._stopped else _DRAIN, self._profile.timeout))
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _summary(self, elapsed: float) -> dict[str, Any]:
        return {
            "url": self._url,
            "model": self._model,
            "seconds": round(elapsed, 3),
            "total": merged(list(self._outcomes.values())).as_dict(),
            "phases": {name: outcome.as_dict() for name, outcome in self._outcomes.items()},
        }


async def _read_stream(response: aiohttp.ClientResponse) -> tuple[float | None, dict[str, Any] | None]:
    """When the first token came, and the usage of the last event; None when it never came."""
    first: float | None = None
    tail = b""
    async for chunk in response.content.iter_any():
        if first is None and b"data: " in chunk:
            first = time.monotonic()
        tail = (tail + chunk)[-4096:]
    for line in reversed(tail.split(b"\n")):
        if line.startswith(b"data: {") and b'"usage"' in line:
            usage = json.loads(line[6:]).get("usage")
            return first, usage if isinstance(usage, dict) and b"[DONE]" in tail else None
    return first, None


def _record(outcome: Outcome, began: float, first: float | None, tokens: int) -> None:
    now = time.monotonic()
    outcome.latency.append(now - began)
    outcome.output_tokens += tokens
    if first is not None:
        outcome.ttft.append(first - began)
        if tokens > 1:
            outcome.tpot.append((now - first) / (tokens - 1))


def _draw(lengths: Lengths, rng: Random) -> int:
    value = lengths.median if lengths.spread == 0 else rng.lognormvariate(math.log(lengths.median), lengths.spread)
    return min(max(round(value), lengths.least), lengths.most)

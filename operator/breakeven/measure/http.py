"""A server over HTTP: streamed completions timed as a client sees them, and the metric page."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from breakeven.inspect.page import ANYTHING, Choice, parse
from breakeven.inspect.text import MAX_BYTES, PageError, decoded
from breakeven.measure.pagetext import read_page
from breakeven.measure.server import Answer, Page

TIMEOUT_S = 300.0
"""Seconds after which one request counts as failed."""
_PAGE_TIMEOUT_S = 10.0
_TAIL = 65_536
"""Bytes of a stream that are kept for what its last event says."""
_EVENT = b'"finish_reason"'
"""Every event with tokens has it; the one with the usage has not."""


class HttpServer:
    """One server, reached by its base URL. Use it as an asynchronous context manager."""

    def __init__(
        self, url: str, *, model: str | None = None, choice: Choice = ANYTHING, key: str | None = None
    ) -> None:
        self.url = base_url(url)
        self.model = model
        self._choice = choice
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "HttpServer":
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=10)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        if self._session is None:
            raise RuntimeError("use `async with` around the server")
        return self._session

    async def ask(self, path: str, body: dict[str, Any], kind: str) -> Answer:
        """Send one streamed request."""
        clock = asyncio.get_running_loop().time
        asked = body | {"model": self.model, "stream": True, "stream_options": {"include_usage": True}}
        sent = clock()
        first = last = 0.0
        tail = b""
        try:
            async with self.session.post(self.url + path, json=asked) as response:
                if response.status != 200:
                    return Answer(kind=kind, sent=sent, failure=f"HTTP {response.status}")
                async for chunk in response.content.iter_any():
                    if _EVENT in chunk:
                        last = clock()
                        first = first or last
                    tail = (tail + chunk)[-_TAIL:]
        except TimeoutError:
            return Answer(kind=kind, sent=sent, failure=f"no end within {TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError):
            why = "connection lost" if first else "cannot be reached"
            return Answer(kind=kind, sent=sent, failure=why)
        return _answer(kind, sent, first, last, tail)

    async def page(self) -> Page:
        """Read the metric page."""
        url = self.url + "/metrics"
        try:
            timeout = aiohttp.ClientTimeout(total=_PAGE_TIMEOUT_S)
            async with self.session.get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise PageError(
                        f"{url}: HTTP {response.status}: there are no metrics; acceptance and step times need them"
                    )
                body = await _whole(response, url)
        except TimeoutError:
            raise PageError(f"{url}: no answer within {_PAGE_TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError):
            raise PageError(f"{url}: cannot be reached; is the server up and the port right?") from None
        try:
            text = decoded(body)
            return read_page(text, parse(text, at=time.time(), choice=self._choice))
        except PageError as error:
            raise PageError(f"{url}: {error}") from None

    async def json(self, path: str) -> Any:
        """What a GET says; None where it is no JSON, or the server does not have it."""
        try:
            async with self.session.get(
                self.url + path, timeout=aiohttp.ClientTimeout(total=_PAGE_TIMEOUT_S)
            ) as response:
                return await response.json(content_type=None) if response.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None


def base_url(address: str) -> str:
    """Complete an address: `10.0.0.7:8000` means `http://10.0.0.7:8000`.

    Raises
    ------
    ValueError
        If it is no HTTP address.
    """
    full = (address if "://" in address else f"http://{address}").rstrip("/")
    parts = urlsplit(full)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{address!r} is no address; write for example http://10.0.0.7:8000")
    return full.removesuffix("/metrics").removesuffix("/v1")


async def _whole(response: aiohttp.ClientResponse, url: str) -> bytes:
    """The body, however many pieces it comes in. Raises PageError when it has no end."""
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_BYTES:
            raise PageError(f"{url}: the page is larger than {MAX_BYTES >> 20} MiB")
    return body


def _answer(kind: str, sent: float, first: float, last: float, tail: bytes) -> Answer:
    usage: Mapping[str, Any] = {}
    drafted: Mapping[str, Any] = {}
    for line in reversed(tail.split(b"\n")):
        if line.startswith(b"data: {") and b'"usage"' in line:
            usage, drafted = _last_event(line[6:])
            if usage:
                break
    if b"[DONE]" not in tail or not first:
        return Answer(kind=kind, sent=sent, failure="the stream was cut short")
    if not usage:
        return Answer(kind=kind, sent=sent, failure="the answer has no usage, so its tokens cannot be counted")
    return Answer(
        kind=kind,
        sent=sent,
        first=first,
        last=last,
        tokens=int(usage.get("completion_tokens") or 0),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        drafted=drafted.get("num_draft_tokens"),
        accepted=drafted.get("num_accepted_draft_tokens"),
    )


def _last_event(text: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Usage and speculation figures of one event; empty where it has none."""
    try:
        event = json.loads(text)
    except ValueError:
        return {}, {}
    metrics = event.get("metrics")
    drafted = metrics.get("speculative_decoding") if isinstance(metrics, dict) else None
    usage = event.get("usage")
    return usage if isinstance(usage, dict) else {}, drafted if isinstance(drafted, dict) else {}

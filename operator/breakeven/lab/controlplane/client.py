"""A small client of the lab's API server: enough for nodes, a kubelet and a service proxy."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

Manifest = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json"


class ApiError(Exception):
    """An answer that is not 2xx, or none at all (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ApiClient:
    """One identity at one API server. An async context manager."""

    def __init__(self, *, server: str, authority: Path, token: str, user_agent: str) -> None:
        self._server = server
        self._authority = authority
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": user_agent}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self._authority))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0, limit_per_host=0),
            headers=self._headers,
            read_bufsize=2**20,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ApiError(0, "client is closed")
        return self._session

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        parameters: Mapping[str, str] | None = None,
        content_type: str = JSON,
        seconds: float = 30.0,
    ) -> Manifest:
        """Send one request and return the parsed answer. Raises ApiError."""
        try:
            async with self._open().request(
                method,
                self._server + path,
                params=parameters,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as response:
                raw = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"{type(error).__name__}: {error}") from error
        if status >= 300:
            raise ApiError(status, _message(raw))
        return dict(json.loads(raw)) if raw.startswith(b"{") else {"text": raw.decode(errors="replace")}

    async def get(self, path: str, **parameters: str) -> Manifest:
        """Read. Raises ApiError."""
        return await self.request("GET", path, parameters=parameters)

    async def post(self, path: str, body: Manifest) -> Manifest:
        """Create. Raises ApiError."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Manifest, content_type: str = MERGE) -> Manifest:
        """Change. Raises ApiError."""
        return await self.request("PATCH", path, body, content_type=content_type)

    async def delete(self, path: str, body: Manifest | None = None) -> Manifest:
        """Delete. Raises ApiError."""
        return await self.request("DELETE", path, body)

    async def watch(self, path: str, version: str, **parameters: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Yield (type, object) until the server ends the watch. Raises ApiError; 410 means: list again."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"} | parameters
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)
        try:
            async with self._open().get(self._server + path, params=query, timeout=timeout) as response:
                if response.status >= 300:
                    raise ApiError(response.status, _message(await response.read()))
                pending = bytearray()
                async for chunk in response.content.iter_any():
                    pending += chunk
                    *lines, rest = pending.split(b"\n")
                    pending = bytearray(rest)
                    for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise ApiError(int(event["object"].get("code", 500)), event["object"].get("message", ""))
                        yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"{type(error).__name__}: {error}") from error


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace")[:500]

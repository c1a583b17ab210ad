"""Requests to the API server through `kubernetes.aio`: plain dicts, a timeout on each, errors mapped in one place."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client as kube
from kubernetes.aio import config as kube_config

from breakeven.adapters.kubernetes.rights import Right, right_for
from breakeven.control.errors import Conflict, ControlError, Gone, Refused, Retry

TIMEOUT_S = 10.0
"""For one request; the client's own default is five minutes."""

MOST_PATIENCE_S = 300.0
"""Longest `Retry-After` that is honoured, in seconds."""

APPLY = "application/apply-patch+yaml"


async def connect(kubeconfig: Path | None) -> kube.ApiClient:
    """Make a client from a kubeconfig file, or from the service account when there is none.

    Raises
    ------
    Refused
        If there is neither, or the file cannot be read.
    """
    configuration = kube.Configuration()
    try:
        if kubeconfig is not None:
            # By path: the package reads the KUBECONFIG variable once, at import.
            load = kube_config.load_kube_config
            await load(config_file=str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call] # the package has no annotations there
        else:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # as above
    except (kube_config.ConfigException, OSError) as error:
        raise Refused(f"no access to a cluster: {error}; give --kubeconfig outside of one") from error
    configuration.connection_pool_maxsize = 32
    configuration.client_session_kwargs = {"trust_env": False}  # no proxy between us and the API server by accident
    return kube.ApiClient(configuration)


class Rest:
    """One request at a time, by kind and verb."""

    def __init__(
        self, api: kube.ApiClient, *, timeout_s: float = TIMEOUT_S, heard: Callable[[float], None] = lambda _: None
    ) -> None:
        """Make it; `heard` is told the API server's clock, in Unix seconds, with each answer."""
        self._api = api
        self._heard = heard
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call] # the package has no annotations there

    async def call(
        self,
        verb: str,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Send one request and return the decoded answer.

        Raises
        ------
        Gone, Conflict, Retry, Refused
            What the caller should do next.
        """
        right = right_for(api_version, kind, verb, subresource)
        path = _path(right, namespace, name, subresource)
        answer = await self.request(_METHODS[verb], path, query=query, body=body, timeout_s=timeout_s)
        what = f"{verb} {kind} {namespace}/{name}"
        if verb == "list":
            return _listing(answer, what)
        return answer if verb == "delete" else _object(answer, what)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Send one request to a path; see `call`."""
        limit = timeout_s or self._timeout_s
        url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": "breakeven"}
        if method == "PATCH":
            headers["Content-Type"] = APPLY
        elif body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(limit):
                await self._api.update_params_for_auth(headers, [], ["BearerToken"], url, method, body)
                answer = await self._api.call_api(method, url, headers, body=body, _request_timeout=limit)
                data = await answer.read()  # type: ignore[no-untyped-call] # as above
        except kube.ApiException as error:
            raise _mapped(
                int(error.status or 0), str(error.body or error.reason).encode(), {}, f"{method} {path}"
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retry(f"{method} {path}: {type(error).__name__} {error}".strip()) from error
        with contextlib.suppress(ValueError, TypeError):  # no date, or none that is one
            self._heard(parsedate_to_datetime(answer.headers.get("Date", "")).timestamp())
        if not 200 <= answer.status < 300:
            raise _mapped(answer.status, data, answer.headers, f"{method} {path}")
        try:
            decoded = json.loads(data) if data else {}
        except (ValueError, RecursionError):
            decoded = None
        if not isinstance(decoded, dict):
            raise Retry(f"{method} {path}: {answer.status} with something else than an object: {_message(data)}")
        return decoded


_METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


def _path(right: Right, namespace: str, name: str, subresource: str) -> str:
    base = f"/apis/{right.group}/{right.version}" if right.group else f"/api/{right.version}"
    parts = [base]
    if namespace:
        parts.append(f"namespaces/{quote(namespace, safe='')}")
    parts.append(right.resource.partition("/")[0])
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


_NEVER = ("field not declared in schema", "failed to create typed patch object", "failed to create manager for")
"""What server-side apply answers with status 500 to a body that it cannot read: the same body fails for ever.

k8s.io/apimachinery/pkg/util/managedfields/internal/structuredmerge.go and fieldmanager.go."""


def _object(answer: dict[str, Any], what: str) -> dict[str, Any]:
    """An answer that should be one object: `{}` with 200, which a proxy or a broken server gives, is none."""
    meta = answer.get("metadata")
    if not isinstance(meta, dict) or not all(isinstance(meta.get(k), str) for k in ("name", "resourceVersion")):
        raise Retry(f"{what}: the answer is no object: it has no metadata with a name and a resourceVersion")
    return answer


def _listing(answer: dict[str, Any], what: str) -> dict[str, Any]:
    """An answer that should be one page of a list, with objects in it."""
    items, meta = answer.get("items"), answer.get("metadata")
    if not isinstance(items, list) or not isinstance(meta, dict):
        raise Retry(f"{what}: the answer is no list: it lacks items or metadata")
    for item in items:
        if not isinstance(item, dict):
            raise Retry(f"{what}: the list contains something else than objects")
        _object(item, what)
    return answer


def _mapped(status: int, body: bytes, headers: Mapping[str, str], what: str) -> ControlError:
    """The one place where an HTTP status becomes what the caller should do next."""
    text = f"{what}: {status} {_message(body)}"
    if status == 404:
        return Gone(text)
    if status == 409:
        return Conflict(text, 1.0)
    if status == 500 and any(words in text for words in _NEVER):
        return Refused(text)
    if status in (401, 408, 429) or status >= 500 or status == 0:
        after = headers.get("Retry-After", "")
        return Retry(text, min(float(after), MOST_PATIENCE_S) if after.isascii() and after.isdecimal() else None)
    return Refused(text)


def _message(body: bytes) -> str:
    """What a Status says, else the beginning of whatever came."""
    plain = body[:500].decode(errors="replace")
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        return plain
    return str(status.get("message", plain))[:1000] if isinstance(status, dict) else plain

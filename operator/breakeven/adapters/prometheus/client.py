"""Asking one Prometheus: `prometheus_api_client`, made safe for a process that runs for months.

What its defaults leave open and what is done about it here:

* no timeout and three retries with back-off → a connect and a read timeout, a deadline for the whole answer, no retry;
* proxy variables and `.netrc` are honoured, redirects are followed with credentials → neither;
* `custom_query` drops `warnings` (partial data of Thanos or Mimir) → a response hook keeps them and they are an error;
* the body is read whole, whatever its size → it is read in pieces, up to a limit;
* five kinds of exceptions → two: `Unreachable` and `QueryFailed`, with texts for people and without credentials.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from breakeven.adapters.prometheus.matrix import Matrix

RawSeries = Mapping[str, Any]
"""One element of `data.result` of a range selector: `metric` and `values`."""


_PUNCTUATION = re.compile(r"[^\w:\-\u0080-\U0010ffff]")
"""ASCII that may mean something in RE2; RE2 refuses a backslash before letters and before anything outside ASCII."""


class MetricsError(Exception):
    """Prometheus gave no evidence. `reason` is the word for a condition."""

    reason = "QueryFailed"


class Unreachable(MetricsError):
    """No connection, or no answer in time."""

    reason = "PrometheusUnreachable"


class QueryFailed(MetricsError):
    """An answer that is no result: an error status, a login page, a result too large."""


class PartialData(MetricsError):
    """A result that Prometheus itself calls incomplete."""

    reason = "PartialData"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a Prometheus is and how to talk to it."""

    url: str
    token_file: Path | None = None
    """Bearer token, read again for every request because tokens rotate. Only for the operator's own endpoint."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 10.0
    """Longest silence in an answer, and with the connect timeout the longest answer."""
    max_bytes: int = 256 * 1024 * 1024
    """Largest answer that is read, after decompression."""


class _BearerFile(AuthBase):
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise Unreachable(f"the token file {self._path} cannot be read: {error.strerror}") from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class _Answer(requests.Response):
    """A response whose body was read with a limit and parsed once."""

    envelope: dict[str, Any]

    def json(self, **_: Any) -> Any:
        return self.envelope


class _Session(requests.Session):
    """Follows no redirect, and sends the query in the body: many namespaces make it longer than a URL may be."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint
        self.warnings: tuple[str, ...] = ()
        self.trust_env = False
        self.verify = str(endpoint.ca_file) if endpoint.ca_file is not None else True
        self.hooks["response"].append(self._read)

    def request(self, method: str | bytes, url: str | bytes, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # the library passes keywords only
        if method == "POST":
            kwargs["data"] = kwargs.pop("params", None)
        return super().request(method, url, **kwargs, allow_redirects=False, stream=True)

    def _read(self, response: requests.Response, *_: Any, **__: Any) -> requests.Response:
        limit = self._endpoint.max_bytes if response.status_code == 200 else 4096
        deadline = time.monotonic() + self._endpoint.connect_timeout_s + self._endpoint.read_timeout_s
        parts, size = [], 0
        with response:
            for part in response.iter_content(262_144):
                parts.append(part)
                size += len(part)
                if size > limit and response.status_code == 200:
                    raise QueryFailed(f"the answer is larger than {limit >> 20} MiB; narrow the watched namespaces")
                if size > limit:
                    break
                if time.monotonic() > deadline:
                    raise Unreachable("the answer did not end in time")
        body = b"".join(parts)
        if response.status_code != 200:
            raise QueryFailed(_explain(response.status_code, body[:limit], response.headers.get("Location")))
        answer = _Answer()
        answer.__dict__.update(response.__dict__)
        answer.envelope = _envelope(body)
        self.warnings = tuple(str(w) for w in answer.envelope.get("warnings") or ())
        return answer


def _explain(status: int, body: bytes, location: str | None) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: redirected to {location!r}, which is not followed; set the final address"
    if status in (401, 403):
        return f"HTTP {status}: Prometheus refuses the operator's credentials"
    try:
        told = str(json.loads(body).get("error", ""))
    except (ValueError, AttributeError):
        told = body.decode(errors="replace")
    return f"HTTP {status}: {' '.join(told.split())[:300]}"


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        matrix = Matrix.of(body.decode(), QueryFailed)
        if matrix is not None:
            return {"data": {"result": matrix}}
        envelope = json.loads(body)
    except ValueError:
        raise QueryFailed("the answer is not JSON; is this the address of a Prometheus?") from None
    if not isinstance(envelope, dict) or envelope.get("status") != "success":
        raise QueryFailed("the answer is not a Prometheus result; is this the address of a Prometheus?")
    data = envelope.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        raise QueryFailed("the answer carries no result; is this the address of a Prometheus?")
    return envelope


class PrometheusClient:
    """One endpoint. Blocking: call it from a thread. Not for use by two threads at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        url = endpoint.url.rstrip("/")
        self._session = _Session(endpoint)
        self._connect = PrometheusConnect(
            url=url,
            session=self._session,
            retry=Retry(total=0, redirect=0),
            auth=_BearerFile(endpoint.token_file) if endpoint.token_file is not None else None,
            timeout=(endpoint.connect_timeout_s, endpoint.read_timeout_s),
            method="POST",
        )
        # The library replaces the adapter of its address; queries follow one another, so two connections are enough.
        self._session.mount(url, HTTPAdapter(pool_connections=1, pool_maxsize=2, max_retries=Retry(0, redirect=0)))
        self.host = urlsplit(url).netloc.rpartition("@")[2]

    def query(self, text: str, *, at: float) -> Iterable[RawSeries]:
        """Evaluate an instant query at a time in Unix seconds; going through the answer may raise as well.

        Raises
        ------
        MetricsError
            `Unreachable`, `QueryFailed` or `PartialData`, with a message for people.
        """
        try:
            result: Iterable[RawSeries] = self._connect.custom_query(text, params={"time": f"{at:.3f}"})
        except MetricsError:
            raise
        except requests.Timeout:
            raise Unreachable(f"{self.host} does not answer in time") from None
        except requests.exceptions.SSLError as error:
            raise Unreachable(f"{self.host}: TLS fails: {_short(error)}") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise Unreachable(f"{self.host} cannot be reached: {_short(error)}") from None
        except (requests.RequestException, PrometheusApiClientException, KeyError, TypeError) as error:
            raise QueryFailed(f"{self.host}: {_short(error)}") from None
        if self._session.warnings:
            raise PartialData(f"{self.host} answers in part: {'; '.join(self._session.warnings)[:300]}")
        return result

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _short(error: Exception) -> str:
    """The innermost reason: the texts of `requests` nest four wrappers and repeat the whole query."""
    inner: Any = error
    while getattr(inner, "args", None) and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return str(reason if isinstance(reason, Exception) else inner).rpartition(">: ")[2][:200]


def regex_of(values: Sequence[str]) -> str:
    """Alternatives of a matcher for exactly these values: escaped for RE2, then for a PromQL string."""
    pattern = "|".join(_PUNCTUATION.sub(r"\\\g<0>", value) for value in sorted(values))
    return json.dumps(pattern, ensure_ascii=False)[1:-1]

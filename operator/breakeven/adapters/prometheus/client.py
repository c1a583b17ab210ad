"""Asking one Prometheus: `prometheus_api_client`, made safe for a process that runs for months.

What its defaults leave open and what is done about it here:

* no timeout and three retries with back-off → a connect and a read timeout, a deadline for the whole answer, no retry;
* proxy variables and `.netrc` are honoured, redirects are followed with credentials → neither;
* partial data of Thanos, Mimir or VictoriaMetrics is taken for whole, and any JSON for a result → `answers` checks it;
* the body is read whole, whatever its size → it is read in pieces, within a budget that clients share;
* five kinds of exceptions → one, `MetricsError`, with texts for people and without credentials.
"""

import json
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from breakeven.adapters.prometheus import answers
from breakeven.adapters.prometheus.answers import Matrix, Result
from breakeven.adapters.prometheus.budget import Budget
from breakeven.adapters.prometheus.credentials import NOBODY, Credentials
from breakeven.adapters.prometheus.deadline import Deadline, WatchedAdapter
from breakeven.adapters.prometheus.errors import MetricsError, PartialData, QueryFailed, Unreachable

_PIECE = 65_536
"""Bytes that are read, and counted, at a time."""
_PUNCTUATION = re.compile(r"[^\w:\-\u0080-\U0010ffff]")
"""ASCII that may mean something in RE2; RE2 refuses a backslash before letters and before anything outside ASCII."""
_CONNECTION = re.compile(r"^(<[^>]*>|\w+\(host=[^)]*\)): ")
"""How texts of urllib3 begin: with the object that failed."""
_EXPLANATION_BYTES = 4096
"""What is read of an answer that is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a Prometheus is and how to talk to it."""

    url: str
    credentials: Credentials = NOBODY
    """Who asks."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 10.0
    """Longest silence in an answer, and with the connect timeout the longest answer, from connecting to its end."""
    max_bytes: int = 128 * 1024 * 1024
    """Largest answer that is read, after decompression."""
    budget: Budget | None = None
    """What answers of several addresses may take together. None: `max_bytes` is the only limit."""

    @property
    def deadline_s(self) -> float:
        """Longest time for one answer."""
        return self.connect_timeout_s + self.read_timeout_s


class _Answer(requests.Response):
    """A response whose body was read within limits and checked."""

    result: Result

    def json(self, **_: Any) -> Any:
        return {"data": {"result": self.result}}


class _Session(requests.Session):
    """Follows no redirect, and sends the query in the body: many namespaces make it longer than a URL may be."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint
        self.at = 0.0
        """The moment that is asked about."""
        self.trust_env = False
        self.verify = str(endpoint.ca_file) if endpoint.ca_file is not None else True
        self.cert = endpoint.credentials.certificate
        self.hooks["response"].append(self._read)

    def request(self, method: str | bytes, url: str | bytes, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # the library passes keywords only
        if method == "POST":
            kwargs["data"] = kwargs.pop("params", None)
        return super().request(method, url, **kwargs, allow_redirects=False, stream=True)

    def _read(self, response: requests.Response, *_: Any, **__: Any) -> requests.Response:
        with response:
            if response.status_code != 200:
                body = next(response.iter_content(_EXPLANATION_BYTES), b"")
                location = response.headers.get("Location")
                raise QueryFailed(_explain(response.status_code, body, location), response.status_code)
            if response.headers.get("M3-Results-Limited"):
                raise PartialData(f"the answer is incomplete: M3 limited it ({response.headers['M3-Results-Limited']})")
            answer = _Answer()
            answer.__dict__.update(response.__dict__)
            answer.result = self._result(response)
        return answer

    def _result(self, response: requests.Response) -> Result:
        """The result, whose bytes are returned to the budget when nobody needs them any more."""
        endpoint = self._endpoint
        budget = endpoint.budget or Budget(endpoint.max_bytes)
        body = bytearray()
        kept = False
        try:
            for piece in response.iter_content(_PIECE):
                if len(body) + len(piece) > endpoint.max_bytes:
                    raise QueryFailed(f"the answer is larger than {endpoint.max_bytes >> 20} MiB; {_NARROW}")
                if not budget.take(len(piece)):
                    raise QueryFailed(
                        f"the answers that are read at the moment are larger than {budget.total >> 20} MiB together; "
                        f"{_NARROW}"
                    )
                body += piece
            result = answers.read(body, at=self.at, whole_bytes=endpoint.max_bytes // 8)
            if isinstance(result, Matrix):
                weakref.finalize(result, budget.give_back, len(body)).atexit = False
                kept = True
            return result
        finally:
            if not kept:
                budget.give_back(len(body))


_NARROW = "narrow what Prometheus holds, or what the operator watches (BREAKEVEN_NAMESPACES)"


def _explain(status: int, body: bytes, location: str | None) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: redirected to {str(location)[:200]!r}, which is not followed; set the final address"
    if status in (401, 403):
        return f"HTTP {status}: Prometheus refuses the operator's credentials"
    try:
        words = str(json.loads(body).get("error", ""))
    except (ValueError, AttributeError, RecursionError):
        words = body.decode(errors="replace")
    return f"HTTP {status}: {' '.join(words.split())[:300]}"


class PrometheusClient:
    """One endpoint. Blocking: call it from a thread. Not for use by two threads at once.

    Making one raises QueryFailed for an address that is no URL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        url = endpoint.url.rstrip("/")
        try:
            self.host = urlsplit(url).netloc.rpartition("@")[2]
        except ValueError as error:
            raise QueryFailed(f"the address of Prometheus is no URL: {error}") from None
        self._deadline = Deadline()
        self._deadline_s = endpoint.deadline_s
        self._session = _Session(endpoint)
        self._connect = PrometheusConnect(
            url=url,
            session=self._session,
            retry=Retry(total=0, redirect=0),
            auth=endpoint.credentials.auth(),
            timeout=(endpoint.connect_timeout_s, endpoint.read_timeout_s),
            method="POST",
        )
        # The library replaces the adapter of its address, so ours comes after it.
        self._session.mount(url, WatchedAdapter(self._deadline))

    def query(self, text: str, *, at: float) -> Result:
        """Evaluate an instant query at a time in Unix seconds; going through the answer may raise as well.

        Raises
        ------
        MetricsError
            `Unreachable`, `QueryFailed`, `PartialData` or `FutureSamples`, with a message for people.
        """
        self._session.at = at
        try:
            with self._deadline.within(self._deadline_s):
                result: Result = self._connect.custom_query(text, params={"time": f"{at:.3f}"})
        except Exception as error:  # noqa: BLE001 - the edge: whatever a server or a library does, no answer came
            raise self._mapped(error) from None
        if self._deadline.passed:  # a body without a length ends where its connection is cut
            raise Unreachable(f"{self.host}: the answer did not end within {self._deadline_s:.0f} s")
        return result

    def _mapped(self, error: Exception) -> MetricsError:
        if self._deadline.passed:
            return Unreachable(f"{self.host}: the answer did not end within {self._deadline_s:.0f} s")
        if isinstance(error, MetricsError):
            return error
        if isinstance(error, requests.Timeout):
            return Unreachable(f"{self.host} does not answer in time")
        if isinstance(error, requests.exceptions.SSLError):
            return Unreachable(f"{self.host}: TLS fails: {_short(error)}")
        if isinstance(error, OSError):  # those of `requests` are
            return Unreachable(f"{self.host} cannot be reached: {_short(error)}")
        return QueryFailed(f"{self.host}: {type(error).__name__}: {_short(error)}")

    def close(self) -> None:
        """Close the connection; a query under way in another thread ends at once."""
        self._deadline.cut()
        self._session.close()


def _short(error: Exception) -> str:
    """The innermost reason: the texts of `requests` nest four wrappers and repeat the whole query."""
    inner: Any = error
    while getattr(inner, "args", None) and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return _CONNECTION.sub("", str(reason if isinstance(reason, Exception) else inner))[:200]


def regex_of(values: Sequence[str]) -> str:
    """Alternatives of a matcher for exactly these values: escaped for RE2, then for a PromQL string."""
    pattern = "|".join(_PUNCTUATION.sub(r"\\\g<0>", value) for value in sorted(values))
    return json.dumps(pattern, ensure_ascii=False)[1:-1]

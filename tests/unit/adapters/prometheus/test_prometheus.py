"""The client against a server on loopback that misbehaves in the ways that Prometheus and what stands before it do."""

import contextlib
import gc
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.budget import Budget
from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient, regex_of
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import FutureSamples, MetricsError, PartialData, QueryFailed, Unreachable

RESULT = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"]]}]}}


@dataclass
class Server:
    url: str = ""
    status: int = 200
    body: bytes = json.dumps(RESULT).encode()
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str], dict[str, list[str]]]] = field(default_factory=list)
    silent: threading.Event | None = None
    trickle: str = ""
    """Where the server sends a byte now and then and never ends: `headers` or `body`."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            state.seen.append((self.path, dict(self.headers), parse_qs(body)))
            if state.silent is not None:
                state.silent.wait(10)
            if state.trickle == "headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self.drip()
                return
            self.send_response(state.status)
            if state.trickle:
                self.end_headers()
                self.drip()
                return
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # the client does not read what is too large for it
                self.wfile.write(state.body)

        def drip(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                while not done.wait(0.02):
                    self.wfile.write(b" ")

        do_GET = do_POST  # noqa: N815 - the name is http.server's

        def log_message(self, format: str, *args: object) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    done.set()
    if state.silent is not None:
        state.silent.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def ask(endpoint: Endpoint) -> object:
    client = PrometheusClient(endpoint)
    try:
        return client.query('{job="x"}[60s]', at=100.5)
    finally:
        client.close()


def test_the_query_travels_in_the_body_because_it_may_be_longer_than_a_url(server: Server) -> None:
    assert ask(Endpoint(url=f"{server.url}/prefix/")) == [RawSeries({}, [(1.0, 2.0)])]
    path, _, form = server.seen[0]
    assert path == "/prefix/api/v1/query"
    assert form == {"query": ['{job="x"}[60s]'], "time": ["100.500"]}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_is_told_once_and_not_retried(server: Server, status: int) -> None:
    server.status = status
    server.body = json.dumps({"status": "error", "error": "query timed out"}).encode()
    server.headers = {"Retry-After": "60"}
    with pytest.raises(QueryFailed, match=f"HTTP {status}: query timed out"):
        ask(Endpoint(url=server.url))
    assert len(server.seen) == 1


def test_warnings_make_a_result_partial(server: Server) -> None:
    server.body = json.dumps({**RESULT, "warnings": ["store gateway unavailable"]}).encode()
    with pytest.raises(PartialData, match="store gateway unavailable"):
        ask(Endpoint(url=server.url))


def test_an_answer_that_m3_limited_is_partial(server: Server) -> None:
    server.headers = {"M3-Results-Limited": "max_fetch_series_limit_applied"}
    with pytest.raises(PartialData, match="max_fetch_series"):
        ask(Endpoint(url=server.url))


def test_a_server_forges_no_line_of_a_log_and_no_long_condition(server: Server) -> None:
    server.status = 500
    server.body = json.dumps({"error": "bad\x1b[2J\u2028thing" + "x" * 3000}).encode()
    with pytest.raises(QueryFailed) as caught:
        ask(Endpoint(url=server.url))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 600


@pytest.mark.parametrize(
    "body",
    [b"<html>Please log in</html>", b'{"status":"error","error":"x"}', b'{"status":"success"}', b"[]", b"null"],
)
def test_what_is_no_result_is_refused_with_the_question_to_ask(server: Server, body: bytes) -> None:
    server.body = body
    with pytest.raises(QueryFailed, match="is this the address of a Prometheus"):
        ask(Endpoint(url=server.url))


def test_redirects_are_not_followed_with_credentials(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    server.status, server.body = 302, b""
    server.headers = {"Location": f"{server.url}/login"}
    with pytest.raises(QueryFailed, match="which is not followed"):
        ask(Endpoint(url=server.url, credentials=Credentials(token_file=token)))
    assert len(server.seen) == 1


def test_a_rotated_token_is_used_and_never_told(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    client = PrometheusClient(Endpoint(url=server.url, credentials=Credentials(token_file=token)))
    for value in ("first", "second"):
        token.write_text(f"{value}\n")
        client.query("x", at=1)
    assert [h["Authorization"] for _, h, _ in server.seen] == ["Bearer first", "Bearer second"]
    server.status, server.body = 401, b"denied"
    with pytest.raises(QueryFailed) as caught:
        client.query("x", at=1)
    assert "second" not in str(caught.value)
    token.unlink()
    with pytest.raises(Unreachable, match="/token for Prometheus cannot be read"):
        client.query("x", at=1)
    client.close()


def test_an_answer_larger_than_the_limit_is_not_read_to_its_end(server: Server) -> None:
    server.body = b" " * 3_000_000
    with pytest.raises(QueryFailed, match="larger than 1 MiB"):
        ask(Endpoint(url=server.url, max_bytes=1 << 20))


def test_a_server_that_hangs_is_left_after_the_read_timeout(server: Server) -> None:
    server.silent = threading.Event()
    with pytest.raises(Unreachable, match="does not answer in time"):
        ask(Endpoint(url=server.url, read_timeout_s=0.2))


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_server_that_sends_a_byte_now_and_then_is_left_at_the_deadline(server: Server, where: str) -> None:
    server.trickle = where
    endpoint = Endpoint(url=server.url, connect_timeout_s=0.1, read_timeout_s=0.2)
    with pytest.raises(Unreachable, match="did not end within"):
        ask(endpoint)


def test_a_client_goes_on_after_a_deadline(server: Server) -> None:
    client = PrometheusClient(Endpoint(url=server.url, connect_timeout_s=0.1, read_timeout_s=0.2))
    server.trickle = "body"
    with pytest.raises(Unreachable):
        client.query("x", at=100)
    server.trickle = ""
    assert client.query("x", at=100)
    client.close()


def test_answers_share_a_budget_and_return_what_they_took(server: Server) -> None:
    server.body = json.dumps(RESULT, separators=(",", ":")).encode()
    budget = Budget(len(server.body))
    client = PrometheusClient(Endpoint(url=server.url, budget=budget))
    held = client.query("x", at=100)
    assert budget.left == 0
    with pytest.raises(QueryFailed, match="together"):
        client.query("x", at=100)
    del held
    gc.collect()
    assert budget.left == budget.total
    assert list(client.query("x", at=100))
    server.body = b"<html>"
    with pytest.raises(QueryFailed):
        client.query("x", at=100)
    gc.collect()
    assert budget.left == budget.total
    client.close()


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://[x]/", "http://a\u2100b/", "http://a..b/", "http://a:99999/", "x"]
)
def test_what_is_no_address_is_an_outage_of_that_address(url: str) -> None:
    with pytest.raises(MetricsError):
        ask(Endpoint(url=url))


@pytest.mark.parametrize("token", [b"", b"a\nb", b"\xff", b"a b"])
def test_a_token_file_without_a_token_is_never_repeated(server: Server, tmp_path: Path, token: bytes) -> None:
    (tmp_path / "token").write_bytes(token)
    with pytest.raises(Unreachable, match=r"holds no (token|line)"):
        ask(Endpoint(url=server.url, credentials=Credentials(token_file=tmp_path / "token")))


def test_a_refused_connection_says_so_in_few_words(server: Server) -> None:
    with pytest.raises(Unreachable) as caught:
        ask(Endpoint(url="http://127.0.0.1:1"))
    assert "127.0.0.1:1 cannot be reached" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "host=" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_proxy_variables_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(Endpoint(url=server.url))


def test_label_values_are_escaped_in_matchers() -> None:
    assert regex_of(["b", "a.c"]) == r"a\\.c|b"
    hostile = 'x"} or vector(1) #\n'
    escaped = regex_of([hostile])
    assert re.fullmatch(r'(?:[^"\\\n]|\\.)*', escaped), "the string must not end before its end"
    assert re.fullmatch(json.loads(f'"{escaped}"'), hostile)


def test_every_error_names_its_reason_for_a_condition() -> None:
    assert {e.reason for e in (MetricsError, Unreachable, QueryFailed, PartialData, FutureSamples)} == {
        "FutureSamples",
        "QueryFailed",
        "PrometheusUnreachable",
        "PartialData",
    }

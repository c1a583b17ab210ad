"""Credentials for Prometheus: what is sent, to a real server on loopback, and what is said when they cannot be used."""

import base64
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import Unreachable

ANSWER = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'


def sent(credentials: Credentials) -> dict[str, str]:
    return dict(credentials.headers())


@pytest.fixture
def basic(tmp_path: Path) -> Path:
    folder = tmp_path / "basic"
    folder.mkdir()
    (folder / "username").write_text("team\n")
    (folder / "password").write_text("p\u00e4ss:w\n", encoding="utf-8")
    return folder


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    """As the kubelet mounts a Secret: links into a folder that is replaced as a whole."""
    folder = tmp_path / "headers"
    (folder / "..2026").mkdir(parents=True)
    (folder / "..2026" / "X-Scope-OrgID").write_text("tenant-1\n")
    (folder / "..data").symlink_to("..2026")
    (folder / "X-Scope-OrgID").symlink_to("..data/X-Scope-OrgID")
    return folder


def test_user_and_password_are_sent_as_utf_8_and_a_colon_in_the_password_is_its_own(basic: Path) -> None:
    coded = sent(Credentials(basic_auth_dir=basic))["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(coded).decode() == "team:p\u00e4ss:w"


def test_headers_are_read_anew_and_go_beside_a_token(headers: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    credentials = Credentials(headers_dir=headers, token_file=tmp_path / "token")
    assert sent(credentials) == {"X-Scope-OrgID": "tenant-1", "Authorization": "Bearer t"}
    (headers / "..2026" / "X-Scope-OrgID").write_text("tenant-2")
    assert sent(credentials)["X-Scope-OrgID"] == "tenant-2"


@pytest.mark.parametrize("name", ["Host", "content-length", "X Scope", "X:Scope"])
def test_a_header_that_is_the_requests_own_or_none_is_refused_by_its_file(headers: Path, name: str) -> None:
    (headers / name).write_text("secret")
    with pytest.raises(Unreachable, match="no header that can be set") as caught:
        sent(Credentials(headers_dir=headers))
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [b"", b"pass\nword", b"p\xe9ssword", b"pass\x00word"])
def test_a_value_that_cannot_be_sent_is_told_by_its_file_and_never_repeated(headers: Path, value: bytes) -> None:
    (headers / "X-Key").write_bytes(value)
    with pytest.raises(Unreachable, match=r"X-Key holds no line") as caught:
        sent(Credentials(headers_dir=headers))
    assert "word" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path, basic: Path) -> None:
    with pytest.raises(Unreachable, match=r"headers in .* cannot be read: No such file"):
        sent(Credentials(headers_dir=tmp_path / "none"))
    (basic / "password").unlink()
    with pytest.raises(Unreachable, match="/password for Prometheus cannot be read: No such file"):
        sent(Credentials(basic_auth_dir=basic))
    (basic / "username").write_text("a:b")
    (basic / "password").write_text("c")
    with pytest.raises(Unreachable, match="/username has a colon"):
        sent(Credentials(basic_auth_dir=basic))


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A certificate of its own authority, for both ends."""
    folder = tmp_path / "tls"
    folder.mkdir()
    files = ("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    names = ("-subj", "/CN=breakeven", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, *files, *names], capture_output=True, check=True, timeout=120)
    return folder


@pytest.fixture
def asks_for_a_certificate(tls: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls / "tls.crt"))
    context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def ask(url: str, ca: Path, credentials: Credentials) -> None:
    client = PrometheusClient(Endpoint(url=url, ca_file=ca, credentials=credentials))
    try:
        client.query("x", at=1)
    finally:
        client.close()


def test_a_server_that_wants_a_certificate_gets_it_with_the_headers(
    asks_for_a_certificate: tuple[str, list[dict[str, str]]], tls: Path, headers: Path, basic: Path
) -> None:
    url, seen = asks_for_a_certificate
    ca = tls / "tls.crt"
    ask(url, ca, Credentials(client_tls_dir=tls, headers_dir=headers, basic_auth_dir=basic))
    (got,) = seen
    assert got["X-Scope-OrgID"] == "tenant-1"
    assert got["Authorization"].startswith("Basic ")
    with pytest.raises(Unreachable):
        ask(url, ca, Credentials())
    with pytest.raises(Unreachable, match="TLS certificate file"):
        ask(url, ca, Credentials(client_tls_dir=tls / "none"))
    assert len(seen) == 1

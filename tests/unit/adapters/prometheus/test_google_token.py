"""A service account of Google: a server gives a token for a signed request, and a Prometheus asks for the token."""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from google.auth import jwt

from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import QueryFailed, Unreachable
from breakeven.adapters.prometheus.google_token import SCOPE

AUDIENCE = "https://oauth2.googleapis.com/token"
"""Whom the library asks, whatever address the key of the account names."""
ANSWER = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'


@dataclass
class Google:
    """Both servers at one address, and the file that a Secret would hold."""

    file: Path
    url: str = ""
    certificate: str = ""
    lives_s: int = 3600
    given: list[str] = field(default_factory=list)
    refuses: bool = False

    def token(self, body: str) -> str:
        """For a request that the key of the file has signed."""
        claims = jwt.decode(parse_qs(body)["assertion"][0], certs=[self.certificate], audience=AUDIENCE)
        assert (claims["scope"], claims["iss"]) == (SCOPE, "breakeven@example")
        self.given.append(f"token-{len(self.given)}")
        return json.dumps({"access_token": self.given[-1], "expires_in": self.lives_s, "token_type": "Bearer"})


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    made = subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=False, timeout=120
    )
    assert made.returncode == 0, made.stderr
    world = Google(tmp_path / "credentials.json", certificate=certificate.read_text())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/token":
                code, answer = (400, b"{}") if world.refuses else (200, world.token(body).encode())
            else:
                known = world.given and self.headers["Authorization"] == f"Bearer {world.given[-1]}"
                code, answer = (200, ANSWER) if known else (401, b"")
            self.send_response(code)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        world.url = f"http://127.0.0.1:{server.server_port}"
        account = {"type": "service_account", "client_email": "breakeven@example", "token_uri": f"{world.url}/token"}
        world.file.write_text(json.dumps(account | {"private_key": key.read_text()}))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield world
        server.shutdown()


def ask(google: Google, times: int = 1, credentials: Credentials | None = None) -> None:
    """Questions of one client, as the operator has one."""
    client = PrometheusClient(Endpoint(url=google.url, credentials=credentials or Credentials(google_file=google.file)))
    try:
        for _ in range(times):
            client.query("x", at=1)
    finally:
        client.close()


def test_a_token_is_asked_for_with_the_file_and_kept_while_it_lives(google: Google) -> None:
    ask(google, times=3)
    assert google.given == ["token-0"]
    with pytest.raises(QueryFailed, match="refuses the operator's credentials"):
        ask(google, credentials=Credentials())


def test_a_token_that_is_about_to_end_is_asked_for_anew(google: Google) -> None:
    google.lives_s = 1
    ask(google, times=2)
    assert google.given == ["token-0", "token-1"]


def test_a_file_or_a_server_that_gives_nothing_is_told_without_its_words(google: Google) -> None:
    google.refuses = True
    with pytest.raises(Unreachable, match=r"credentials\.json: RefreshError"):
        ask(google)
    google.file.write_text('{"type": "service_account", "private_key": "pa55word"}')
    with pytest.raises(Unreachable, match=r"credentials\.json: MalformedError") as caught:
        ask(google)
    assert "pa55word" not in str(caught.value)
    google.file.unlink()
    with pytest.raises(Unreachable, match=r"credentials\.json for Prometheus cannot be read: No such file"):
        ask(google)

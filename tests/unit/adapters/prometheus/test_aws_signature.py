"""Requests signed for AWS: a server checks the signature by the published rule, and gives credentials as the agent of
EKS Pod Identity does."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import QueryFailed, Unreachable

ANSWER = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
REGION = "eu-central-1"


def signature(
    method: str, path: str, query: str, headers: Mapping[str, str], names: str, body: bytes, secret: str
) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; `names` and the scope
    are those of the request."""
    scope = headers["Authorization"].partition("Credential=")[2].split(",")[0].partition("/")[2]
    written = "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";"))
    canonical = "\n".join((method, path, query, written, names, hashlib.sha256(body).hexdigest()))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", headers["X-Amz-Date"], scope, digest))
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def test_the_rule_of_this_test_gives_what_aws_has_published() -> None:
    """The worked example of Signature Version 4 (ListUsers, 2015-08-30)."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=…",
        "X-Amz-Date": "20150830T123600Z",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
    }
    names, secret = "content-type;host;x-amz-date", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    assert signature("GET", "/", "Action=ListUsers&Version=2010-05-08", headers, names, b"", secret) == (
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


@dataclass
class Aws:
    """The managed Prometheus and the agent that gives credentials, at one address."""

    url: str = ""
    secret: str = "pa55word"
    token: str = "session"
    lives: timedelta = timedelta(hours=6)
    given: int = 0
    seen: list[str] = field(default_factory=list)

    def credentials(self) -> bytes:
        self.given += 1
        ends = (datetime.now(UTC) + self.lives).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {"AccessKeyId": "AKID", "SecretAccessKey": "pa55word", "Token": "session", "Expiration": ends}
        return json.dumps(keys).encode()

    def signed(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the server can make the signature itself."""
        said = headers.get("Authorization", "")
        self.seen.append(said)
        if f"Credential=AKID/{headers.get('X-Amz-Date', '')[:8]}/{REGION}/aps/aws4_request" not in said:
            return False
        names = said.partition("SignedHeaders=")[2].split(",")[0]
        assert {"host", "x-amz-date"} <= set(names.split(";"))
        made = signature(method, path, "", headers, names, body, self.secret)
        return headers.get("X-Amz-Security-Token", "") == self.token and said.endswith(f"Signature={made}")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    world = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*((200, world.credentials()) if self.headers["Authorization"] == "of-the-pod" else (401, b"")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(*((200, ANSWER) if world.signed("POST", self.path, self.headers, body) else (403, b"")))

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        world.url = f"http://127.0.0.1:{server.server_port}"
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "of-the-pod").write_text("of-the-pod")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{world.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "of-the-pod"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield world
        server.shutdown()


def ask(aws: Aws, times: int = 1, region: str = REGION) -> None:
    """Questions of one client, as the operator has one."""
    client = PrometheusClient(Endpoint(url=f"{aws.url}/workspaces/ws-1", credentials=Credentials(aws_region=region)))
    try:
        for at in range(times):
            client.query('{__name__=~"vllm:.+", pod="ü b"}', at=at)
    finally:
        client.close()


def test_each_request_is_signed_with_what_the_pod_was_given_and_that_is_kept(aws: Aws) -> None:
    ask(aws, times=3)
    assert aws.given == 1
    assert len(set(aws.seen)) == 3, "the body is signed too"


def test_a_signature_for_another_region_or_by_another_key_is_the_servers_to_refuse(aws: Aws) -> None:
    with pytest.raises(QueryFailed, match="refuses the operator's credentials"):
        ask(aws, region="us-east-1")
    aws.secret = "another"
    with pytest.raises(QueryFailed, match="refuses the operator's credentials"):
        ask(aws)


def test_a_mounted_file_of_credentials_comes_before_what_the_pod_was_given(aws: Aws, tmp_path: Path) -> None:
    aws.token, aws.secret = "", "in-the-file"
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id=AKID\naws_secret_access_key=in-the-file\n")
    ask(aws)
    assert aws.given == 0


def test_no_credentials_are_told_in_one_sentence(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "of-the-pod").write_text("of-another")
    with pytest.raises(Unreachable, match=r"no credentials of AWS to sign with; .*NO_CREDENTIALS") as caught:
        ask(aws)
    assert "of-another" not in str(caught.value)
    assert not aws.seen

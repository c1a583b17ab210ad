"""Who the operator is to its own Prometheus: read from mounted Secrets, anew for each request because they rotate.

Nothing of it is ever in a message: a file that cannot be used is told by its path.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.auth import AuthBase

from breakeven.adapters.prometheus.aws_signature import AwsSignature
from breakeven.adapters.prometheus.errors import Unreachable
from breakeven.adapters.prometheus.google_token import GoogleToken

_HEADER_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""What a key of a Secret can be, which is less than a header's name could be."""
_NOT_OURS = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-type", "content-encoding"})
"""Headers that the request itself needs right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Files to read. Only for the operator's own address: none of it is for a server that a resource chose."""

    token_file: Path | None = None
    """Bearer token: one line of printable ASCII."""
    basic_auth_dir: Path | None = None
    """Folder with the files `username` and `password`, as a Secret of type kubernetes.io/basic-auth is mounted."""
    headers_dir: Path | None = None
    """Folder with one file for each header, named as the header, such as X-Scope-OrgID."""
    google_file: Path | None = None
    """The key of a service account of Google, with which tokens are asked for: JSON as Google gives it."""
    aws_region: str = ""
    """Region of AWS for which requests are signed, with the credentials that the process has. Empty: they are not."""
    client_tls_dir: Path | None = None
    """Folder with `tls.crt` and `tls.key`, as a Secret of type kubernetes.io/tls is mounted; for new connections."""

    @property
    def certificate(self) -> tuple[str, str] | None:
        """Client certificate and its key, as `requests` takes them."""
        if self.client_tls_dir is None:
            return None
        return str(self.client_tls_dir / "tls.crt"), str(self.client_tls_dir / "tls.key")

    def auth(self) -> AuthBase:
        """What adds the headers to a request; it raises Unreachable when a file cannot be used."""
        return _Headers(self)

    def headers(self) -> Iterator[tuple[str, str]]:
        """Headers as the files say now.

        Raises
        ------
        Unreachable
            If a file is missing or holds what no header can.
        """
        if self.headers_dir is not None:
            yield from _others(self.headers_dir)
        if self.basic_auth_dir is not None:
            user, password = (_text(self.basic_auth_dir / name, "utf-8") for name in ("username", "password"))
            if ":" in user:
                raise Unreachable(
                    f"the file {self.basic_auth_dir / 'username'} has a colon, which no user name may have"
                )
            yield "Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        if self.token_file is not None:
            yield "Authorization", f"Bearer {_token(self.token_file)}"


NOBODY = Credentials()


class _Headers(AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._google = GoogleToken(credentials.google_file) if credentials.google_file is not None else None
        self._aws = AwsSignature(credentials.aws_region) if credentials.aws_region else None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(dict(self._credentials.headers()))
        if self._google is not None:
            request.headers["Authorization"] = self._google.header()
        if self._aws is not None:
            request.headers.update(self._aws.headers(request))
        return request


def _others(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        # The kubelet keeps what it mounts in folders that begin with two dots, and links to it.
        files = sorted(f for f in folder.iterdir() if not f.name.startswith("."))
    except OSError as error:
        raise Unreachable(f"the headers in {folder} cannot be read: {error.strerror}") from None
    for file in files:
        if not _HEADER_NAME.fullmatch(file.name) or file.name.lower() in _NOT_OURS:
            raise Unreachable(f"the file {file} is named after no header that can be set; write one like X-Scope-OrgID")
        yield file.name, _text(file, "ascii")


def _token(file: Path) -> str:
    token = _text(file, "ascii")
    if " " in token:
        raise Unreachable(f"the token file {file} holds no token: one line of printable ASCII is expected")
    return token


def _text(file: Path, encoding: str) -> str:
    """The one line that a file has."""
    try:
        text = file.read_text(encoding=encoding).strip()
    except OSError as error:
        raise Unreachable(f"the file {file} for Prometheus cannot be read: {error.strerror}") from None
    except ValueError:
        text = ""
    if not text or not text.isprintable():
        raise Unreachable(f"the file {file} holds no line that can be sent: printable {encoding.upper()} is expected")
    return text

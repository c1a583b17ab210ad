"""Access tokens for Google's managed Prometheus, asked for with the key of a service account.

`google-auth` is an extra of the package (`breakeven[google]`), imported when a file is named; the image has it.
"""

from functools import partial
from pathlib import Path
from typing import Any

import requests

from breakeven.adapters.prometheus.errors import Unreachable

SCOPE = "https://www.googleapis.com/auth/monitoring.read"
"""What the HTTP interface of Cloud Monitoring asks for
(https://cloud.google.com/stackdriver/docs/managed-prometheus/query-api-ui)."""
TIMEOUT_S = 10.0
"""For one question to the server that gives tokens."""


class GoogleToken:
    """Tokens for one file. The file is read anew when it changes, a token is kept until shortly before it ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at = -1
        self._credentials: Any = None
        self._session = requests.Session()
        self._session.trust_env = False

    def header(self) -> str:
        """The value of `Authorization`.

        Raises
        ------
        Unreachable
            If `google-auth` is missing, the file cannot be used, or no token is given.
        """
        try:
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import Request
            from google.oauth2.service_account import Credentials
        except ImportError:
            raise Unreachable("google-auth is not installed: install breakeven[google]") from None
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._read_at:
                self._credentials = Credentials.from_service_account_file(str(self._file), scopes=[SCOPE])
                self._read_at = changed
            if not self._credentials.valid:
                self._credentials.refresh(partial(Request(self._session), timeout=TIMEOUT_S))
        except OSError as error:
            raise Unreachable(f"the file {self._file} for Prometheus cannot be read: {error.strerror}") from None
        except (GoogleAuthError, ValueError) as error:  # its texts may have parts of the file or of the answer
            raise Unreachable(f"no token of Google by the file {self._file}: {type(error).__name__}") from None
        return f"Bearer {self._credentials.token}"

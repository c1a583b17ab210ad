"""Reading one engine's metric page: from a file, or over HTTP."""

import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests

from breakeven.inspect.page import ANYTHING, Choice, Page, parse
from breakeven.inspect.text import MAX_BYTES, PageError, decoded


def read_page(path: Path, *, at: float, choice: Choice = ANYTHING) -> Page:
    """Read a saved page. Raises PageError."""
    try:
        return parse(decoded(path.read_bytes()), at=at, choice=choice)
    except OSError as error:
        raise PageError(f"{path}: {error}") from None
    except PageError as error:
        raise PageError(f"{path}: {error}") from None


def page_url(address: str) -> str:
    """Complete an address: `10.0.0.7:8000` means `http://10.0.0.7:8000/metrics`.

    Raises
    ------
    PageError
        If it is not an HTTP address.
    """
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, ports and characters that no address has
        fits = False
    if not fits:
        raise PageError(f"{address!r} is not an address; write for example http://10.0.0.7:8000")
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/metrics"))


class PageReader:
    """Scrapes one server again and again."""

    def __init__(self, address: str, *, choice: Choice = ANYTHING, timeout_s: float = 5.0) -> None:
        self.url = page_url(address)
        self._choice = choice
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False

    def read(self) -> Page:
        """Fetch the page once. Raises PageError."""
        try:
            with self._session.get(
                self.url, timeout=self._timeout_s, allow_redirects=False, stream=True, headers={"Accept": "text/plain"}
            ) as answer:
                if answer.status_code != 200:
                    raise PageError(f"{self.url}: HTTP {answer.status_code}")
                body = b""
                for part in answer.iter_content(262_144):
                    body += part
                    if len(body) > MAX_BYTES:
                        raise PageError(f"{self.url}: the page is larger than {MAX_BYTES >> 20} MiB")
        except requests.Timeout:
            raise PageError(f"{self.url}: no answer within {self._timeout_s:g} s") from None
        except requests.RequestException:
            raise PageError(f"{self.url}: cannot be reached; is the server up and the port right?") from None
        try:
            return parse(decoded(body), at=time.time(), choice=self._choice)
        except PageError as error:
            raise PageError(f"{self.url}: {error}") from None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

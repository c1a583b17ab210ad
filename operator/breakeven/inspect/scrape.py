"""Reading one engine's metric page: from a file, or over HTTP."""

import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
from prometheus_client.parser import text_string_to_metric_families

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series

MAX_BYTES = 32 * 1024 * 1024
"""A page of one engine has tens of kilobytes."""


class PageError(Exception):
    """A page cannot be had or is not a vLLM's; the message says which and what to do."""


def parse(text: str, *, at: float, prefix: str | None = None) -> Scrape:
    """Assemble a scrape from the text of a page; data-parallel ranks are added up.

    Raises
    ------
    PageError
        If the text is no metric page, or has no counters of a vLLM.
    """
    try:
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    except ValueError as error:
        raise PageError(f"not a metric page: {' '.join(str(error).split())[:120]}") from None
    found = prefix if prefix is not None else _prefix(s.name for s in samples)
    values: dict[Series, float] = {}
    for sample in samples:
        if found is not None and sample.name.startswith(found):
            series = vllm_metrics.series_of(sample.name.removeprefix(found), sample.labels)
            if series is not None:
                vllm_metrics.merge(values, series, float(sample.value))
    if Series(vllm_metrics.ANCHOR) not in values:
        raise PageError(
            "not a vLLM's metric page: it has no generation_tokens_total"
            + (f" with prefix {prefix}" if prefix is not None else "")
            + "; is log-stats disabled, or is this another exporter?"
        )
    return scrape_of(at, values)


def _prefix(sample_names: Iterable[str]) -> str | None:
    found = sorted({p for n in sample_names if (p := vllm_metrics.prefix_of(n)) is not None})
    return found[0] if found else None


def read_page(path: Path, *, at: float, prefix: str | None = None) -> Scrape:
    """Read a saved page. Raises PageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PageError(f"{path}: {error}") from None
    try:
        return parse(text, at=at, prefix=prefix)
    except PageError as error:
        raise PageError(f"{path}: {error}") from None


def page_url(address: str) -> str:
    """Complete an address: `10.0.0.7:8000` means `http://10.0.0.7:8000/metrics`.

    Raises
    ------
    PageError
        If it is not an HTTP address.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PageError(f"{address!r} is not an address; write for example http://10.0.0.7:8000")
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/metrics"))


class PageReader:
    """Scrapes one server again and again."""

    def __init__(self, address: str, *, prefix: str | None = None, timeout_s: float = 5.0) -> None:
        self.url = page_url(address)
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False

    def read(self) -> Scrape:
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
            return parse(body.decode("utf-8", errors="replace"), at=time.time(), prefix=self._prefix)
        except PageError as error:
            raise PageError(f"{self.url}: {error}") from None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

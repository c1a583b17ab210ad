"""What is measured, as the measurement sees it: a server that answers requests and shows its counters."""

from dataclasses import dataclass
from typing import Any, Protocol

from breakeven.domain.counters.observation import Scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request as its client saw it. Times are seconds on the clock of the event loop."""

    kind: str = ""
    """Class of its prompt."""
    sent: float
    first: float = 0.0
    """When the first token came."""
    last: float = 0.0
    """When the last token came."""
    tokens: int = 0
    """Output tokens."""
    prompt_tokens: int = 0
    drafted: float | None = None
    accepted: float | None = None
    """Of this request, where the release puts it into the answer (`--per-request-spec-decode-metrics`, 0.29)."""
    failure: str = ""
    """Why there is no answer; empty when there is one."""

    @property
    def ttft(self) -> float:
        """Seconds to the first token."""
        return self.first - self.sent

    @property
    def latency(self) -> float:
        """Seconds to the last token."""
        return self.last - self.sent

    @property
    def tpot(self) -> float | None:
        """Seconds per output token after the first; None where there was only one."""
        return (self.last - self.first) / (self.tokens - 1) if self.tokens > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One reading of a metric page, with what is read beside the counters that the operator uses."""

    scrape: Scrape
    speculates: bool = False
    """Whether it has counters of drafts."""
    started: float | None = None
    """When its process started, in Unix seconds; None when the page does not say."""
    remarks: tuple[str, ...] = ()
    """What a reader of its figures should know."""
    prefix_queries: float | None = None
    """Prompt tokens looked up in the prefix cache."""
    prefix_hits: float | None = None
    kv_tokens: float | None = None
    """Size of the KV cache."""


class Server(Protocol):
    """One running server."""

    async def ask(self, path: str, body: dict[str, Any], kind: str) -> Answer:
        """Send one request and wait for its end. Never raises: what goes wrong is in the answer."""
        ...

    async def page(self) -> Page:
        """Read its counters. Raises PageError."""
        ...

"""Why Prometheus gave no evidence: one kind of error, with the word for a condition and a text for people."""

from breakeven.api.vocabulary import Reason

LONGEST = 600
"""Characters of a message: it ends up in a condition."""


class MetricsError(Exception):
    """Prometheus gave no evidence. `reason` is the word for a condition."""

    reason = Reason.QUERY_FAILED

    def __init__(self, message: str) -> None:
        """Make it from a text that may hold a server's own words: control characters forge no line of a log."""
        super().__init__("".join(c if c.isprintable() else "?" for c in message[:LONGEST]))


class Unreachable(MetricsError):
    """No connection, or no answer in time."""

    reason = Reason.PROMETHEUS_UNREACHABLE


class QueryFailed(MetricsError):
    """An answer that is no result: an error status, a login page, a wrong shape, a result too large."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the refusal; None when the answer came with 200."""


class PartialData(MetricsError):
    """A result that Prometheus itself calls incomplete."""

    reason = Reason.PARTIAL_DATA


class FutureSamples(MetricsError):
    """Samples dated after the moment that was asked for: some clock is wrong, and nothing can be told from them."""

    reason = Reason.FUTURE_SAMPLES

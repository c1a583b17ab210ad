"""Why Prometheus gave no evidence: one kind of error, with the word for a condition and a text for people."""


class MetricsError(Exception):
    """Prometheus gave no evidence. `reason` is the word for a condition."""

    reason = "QueryFailed"


class Unreachable(MetricsError):
    """No connection, or no answer in time."""

    reason = "PrometheusUnreachable"


class QueryFailed(MetricsError):
    """An answer that is no result: an error status, a login page, a wrong shape, a result too large."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the refusal; None when the answer came with 200."""


class PartialData(MetricsError):
    """A result that Prometheus itself calls incomplete."""

    reason = "PartialData"


class FutureSamples(MetricsError):
    """Samples dated after the moment that was asked for: some clock is wrong, and nothing can be told from them."""

    reason = "FutureSamples"

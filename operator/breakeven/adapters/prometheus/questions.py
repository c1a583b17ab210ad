"""Asking one Prometheus, blocking: all names in one query, or name by name where patterns are refused."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from breakeven.adapters.prometheus.answers import RawSeries, Result
from breakeven.adapters.prometheus.errors import MetricsError, QueryFailed
from breakeven.adapters.prometheus.selectors import Selector, anchor_selector

REFUSED = frozenset({400, 404, 405, 422, 500, 501})
"""HTTP status with which a server may refuse a form of query: Google Managed Prometheus says 400 to a pattern of metric
names."""


class Asks(Protocol):
    """A Prometheus to ask; blocking."""

    def query(self, text: str, *, at: float) -> Result:
        """Evaluate an instant query. Raises MetricsError, at once or while the answer is gone through."""

    def close(self) -> None:
        """Close the connections."""


class Questions:
    """One address, and whether it matches metric names by a pattern."""

    def __init__(self, connect: Callable[[], Asks]) -> None:
        self.sent = 0
        """Queries, ever."""
        self._connect = connect
        self._client: Asks | None = None
        self._by_name = False
        self._tried_by_name: float | None = None

    def close(self) -> None:
        """Close the connections; what is under way in another thread ends at once."""
        if self._client is not None:
            self._client.close()

    def anchors(self, prefix: str | None, now: float, *, again_s: float) -> Sequence[RawSeries]:
        """One series of each vLLM.

        Some servers take a pattern for the name itself and find nothing, so known names are tried as well, every
        `again_s` seconds.
        """
        selector = anchor_selector(prefix)
        series = self.series(selector, now)
        if series or self._by_name or (self._tried_by_name is not None and now - self._tried_by_name < again_s):
            return series
        self._tried_by_name = now
        series = [s for result in self._one_by_one(selector, now, None) for s in result]
        self._by_name = bool(series)
        return series

    def series(self, selector: Selector, at: float) -> list[RawSeries]:
        """All series of a selector."""
        return [series for result in self.results(selector, at) for series in result]

    def results(self, selector: Selector, at: float) -> Iterator[Result]:
        """The answers that hold these series: one, or one for each name."""
        refusal: QueryFailed | None = None
        if not self._by_name:
            try:
                result = self._query(selector.together, at)
            except QueryFailed as error:
                if error.status not in REFUSED:
                    raise
                refusal = error
            else:
                yield result
                return
        for result in self._one_by_one(selector, at, refusal):
            self._by_name = True
            yield result

    def _one_by_one(self, selector: Selector, at: float, refusal: QueryFailed | None) -> Iterator[Result]:
        """The answers name by name. If the first fails as well, patterns were not what was refused."""
        for text in selector.by_name:
            try:
                result = self._query(text, at)
            except MetricsError as error:
                raise refusal or error from None
            refusal = None
            yield result

    def _query(self, text: str, at: float) -> Result:
        if self._client is None:
            self._client = self._connect()
        self.sent += 1
        return self._client.query(text, at=at)

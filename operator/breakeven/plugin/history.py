"""What was decided and when: the ledger in full, and what Prometheus still has from before it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.api.scalars import format_time
from breakeven.api.status import DecisionRecord

LEDGER = "ledger"
PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision."""

    at: str
    """RFC 3339. Of Prometheus: the first look after it, so up to one step later."""
    action: str
    reason: str
    message: str
    """With its figures from the ledger; from Prometheus S alone, where it was measured."""
    source: str
    """`ledger` or `prometheus`."""

    def document(self) -> dict[str, Any]:
        """The entry for programs."""
        return asdict(self)


def of_ledger(decisions: Iterable[DecisionRecord]) -> list[Entry]:
    """The ledger, newest first."""
    return [
        Entry(at=format_time(d.at), action=d.action, reason=d.reason, message=d.message, source=LEDGER)
        for d in decisions
    ]


def of_series(
    counters: Iterable[RawSeries], speedups: Iterable[RawSeries], *, begin: float, step: float
) -> list[Entry]:
    """Decisions as counters of the operator grew, newest first.

    A counter begins with its first decision, and anew with each process. What one had reached when the range begins
    was counted before it.

    Parameters
    ----------
    counters
        `breakeven_decisions_total` of one resource, sampled every `step` seconds.
    speedups
        `breakeven_speedup_ratio` of the same.
    begin
        Unix seconds of the first sample that the range can have.
    """
    measured = sorted((t, v) for series in speedups for t, v in series.values)
    found: list[tuple[float, Entry]] = []
    for series in counters:
        before = None
        for at, value in series.values:
            known = before is not None or at < begin + 2 * step
            grown = value - (before or 0) if before is None or value >= before else value
            if before is None and known:
                grown = 0
            found += [(at, _entry(series, at, measured, step))] * min(round(grown), 50)
            before = value
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _entry(series: RawSeries, at: float, measured: Sequence[tuple[float, float]], step: float) -> Entry:
    """A decision; S is the last one seen up to the look that saw the decision."""
    seen = [value for moment, value in measured if at - 2 * step <= moment <= at]
    return Entry(
        at=format_time(datetime.fromtimestamp(round(at), UTC)),
        action=series.metric.get("action", ""),
        reason=series.metric.get("reason", ""),
        message=f"S {seen[-1]:.3g}" if seen else "",
        source=PROMETHEUS,
    )


def joined(ledger: Sequence[Entry], older: Sequence[Entry]) -> list[Entry]:
    """The ledger, then what is older than it; what both have stands once, as the ledger has it."""
    if not ledger:
        return list(older)
    oldest = datetime.fromisoformat(ledger[-1].at)
    return [*ledger, *(e for e in older if datetime.fromisoformat(e.at) < oldest)]

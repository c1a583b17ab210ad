"""What a run of load gave: counts and percentiles, by phase and in all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PERCENTILES = (50, 95, 99)


@dataclass(slots=True)
class Outcome:
    """Requests of one phase. Times are seconds as the client saw them."""

    sent: int = 0
    skipped: int = 0
    """Arrivals left out because too many requests were open."""
    unfinished: int = 0
    """Still open when the run was over."""
    errors: Counter[str] = field(default_factory=Counter)
    latency: list[float] = field(default_factory=list)
    ttft: list[float] = field(default_factory=list)
    tpot: list[float] = field(default_factory=list)
    output_tokens: int = 0

    @property
    def finished(self) -> int:
        """Requests answered in full."""
        return len(self.latency)

    @property
    def failed(self) -> int:
        """Requests refused, broken off or too late."""
        return self.errors.total()

    def as_dict(self) -> dict[str, Any]:
        """For JSON. A family without observations is null."""
        return {
            "sent": self.sent,
            "finished": self.finished,
            "failed": self.failed,
            "skipped": self.skipped,
            "unfinished": self.unfinished,
            "errors": dict(self.errors),
            "output_tokens": self.output_tokens,
            "latency_seconds": percentiles(self.latency),
            "ttft_seconds": percentiles(self.ttft),
            "tpot_seconds": percentiles(self.tpot),
        }


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """All of them as one."""
    whole = Outcome()
    for outcome in outcomes:
        whole.sent += outcome.sent
        whole.skipped += outcome.skipped
        whole.unfinished += outcome.unfinished
        whole.errors += outcome.errors
        whole.latency += outcome.latency
        whole.ttft += outcome.ttft
        whole.tpot += outcome.tpot
        whole.output_tokens += outcome.output_tokens
    return whole


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Mean and percentiles (nearest rank), or None without values."""
    if not values:
        return None
    ordered = sorted(values)
    found = {f"p{p}": round(ordered[max(0, -(-p * len(ordered) // 100) - 1)], 6) for p in PERCENTILES}
    return {"mean": round(sum(ordered) / len(ordered), 6)} | found

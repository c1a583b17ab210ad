"""Acceptance in more detail than its mean: by position, and its spread over batches, pods and windows."""

import math
from collections.abc import Sequence
from statistics import quantiles

from breakeven.api.changes import EvidenceChange, revised
from breakeven.api.status import EvidenceStatus, SpreadStatus
from breakeven.domain.counters.observation import Batch
from breakeven.domain.counters.shares import by_replica
from breakeven.domain.counters.windows import LEVELS, Span
from breakeven.domain.measures.figures import Sums, rounded
from breakeven.domain.measures.speedup import GROUPS
from breakeven.domain.measures.statistics import LogRatio, Ratios, grouped, ratio

FEWEST = 10
"""Batches from which a tenth percentile means anything."""
FEWEST_PODS = 3
"""Pods from which they have a spread: of two, one would be a percentile."""
FEWEST_WINDOWS = 5
RECENT = LEVELS[-1]
"""Windows that are looked back, at most."""
DIGITS = 3


def detailed(report: EvidenceStatus, batches: Sequence[Batch], on: Sums | None) -> EvidenceStatus:
    """The report with acceptance by position and its percentiles; unchanged where they cannot be determined."""
    changes: EvidenceChange = {}
    survival = survival_of(batches, on)
    if survival is not None:
        changes["acceptance_at"] = [each for each in (rounded(share, DIGITS) for share in survival) if each is not None]
    ratios = _known([_acceptance([batch]) for batch in batches])
    if len(ratios) >= FEWEST:
        spread = _spread(ratios)
        changes |= {"acceptance_p10": spread.p10, "acceptance_p50": spread.p50, "acceptance_p90": spread.p90}
    return revised(report, **changes)


def over_pods(batches: Sequence[Batch]) -> SpreadStatus | None:
    """The spread over the pods that were there for half of the batches at least; None from fewer than three of them."""
    shares = by_replica(batches).values()
    ratios = _known([_ratio([share.accepted for share in each], [share.drafted for share in each]) for each in shares])
    return _spread(ratios) if len(ratios) >= FEWEST_PODS else None


def over_windows(batches: Sequence[Batch], *, newest: float, length: float, windows: int) -> SpreadStatus | None:
    """The spread over the windows of so many seconds that end there (Unix seconds), of which so many are complete.

    None from fewer than five with a figure.
    """
    ends = [newest - i * length for i in range(min(windows, RECENT))]
    ratios = _known([_acceptance(Span(end - length, end, 1).of(batches)) for end in ends])
    return _spread(ratios) if len(ratios) >= FEWEST_WINDOWS else None


def in_words(report: EvidenceStatus) -> str:
    """The spreads of a report; empty when there are none."""
    parts = [
        f"{spread.p10}, {spread.p50}, {spread.p90} over {spread.of} {what}"
        for spread, what in ((report.acceptance_over_pods, "pods"), (report.acceptance_over_windows, "windows"))
        if spread is not None
    ]
    return f"P10, P50, P90: {' and '.join(parts)}" if parts else ""


def _spread(ratios: Sequence[float]) -> SpreadStatus:
    cuts = [rounded(cut, DIGITS) for cut in quantiles(ratios, n=10, method="inclusive")]
    p10, p50, p90 = cuts[0], cuts[4], cuts[8]
    assert p10 is not None and p50 is not None and p90 is not None, "a share can be rounded"
    return SpreadStatus(of=len(ratios), p10=p10, p50=p50, p90=p90)


def _acceptance(batches: Sequence[Batch]) -> float | None:
    return _ratio([batch.totals.accepted for batch in batches], [batch.totals.drafted for batch in batches])


def _ratio(accepted: Sequence[float | None], drafted: Sequence[float | None]) -> float | None:
    over = math.fsum(value for value in accepted if value is not None)
    under = math.fsum(value for value in drafted if value is not None)
    if None in accepted or None in drafted or under <= 0:
        return None
    ratio = over / under
    return ratio if math.isfinite(ratio) and 0 <= ratio <= 1 else None


def _known(ratios: Sequence[float | None]) -> list[float]:
    return [ratio for ratio in ratios if ratio is not None]


def acceptance_ratio(batches: Sequence[Batch]) -> LogRatio | None:
    """Accepted / drafted with bounds; None when it cannot be determined."""
    accepted = [batch.totals.accepted for batch in batches]
    drafted = [batch.totals.drafted for batch in batches]
    over = tuple(value for value in accepted if value is not None)
    under = tuple(value for value in drafted if value is not None)
    if len(over) != len(accepted) or len(under) != len(drafted):
        return None
    return ratio(grouped(Ratios(over, under), GROUPS))


def survival_of(batches: Sequence[Batch], on: Sums | None) -> list[float] | None:
    """Share of drafts that accepted at least so many tokens, by position. None when it means nothing."""
    if on is None or not on.drafts or on.draft_length is None or not batches:
        return None
    counted = [batch.totals.accepted_at for batch in batches]
    length = len(counted[0])
    if length < 1 or any(len(each) != length for each in counted):
        return None
    if abs(on.draft_length - length) > 0.05 * length:
        return None
    shares = [math.fsum(position) / on.drafts for position in zip(*counted, strict=True)]
    return shares if all(math.isfinite(share) and 0 <= share <= 1.01 for share in shares) else None

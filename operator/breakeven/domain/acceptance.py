"""Acceptance in more detail than its mean: by position, and its spread over the batches that were judged."""

import math
from collections.abc import Sequence
from statistics import quantiles

from breakeven.api.status import EvidenceStatus
from breakeven.domain.figures import Sums, rounded
from breakeven.domain.ladder import survival_of
from breakeven.domain.observation import Batch

FEWEST = 10
"""Batches from which a tenth percentile means anything."""
DIGITS = 3


def detailed(report: EvidenceStatus, batches: Sequence[Batch], on: Sums | None) -> EvidenceStatus:
    """The report with acceptance by position and its percentiles; unchanged where they cannot be told."""
    changes: dict[str, object] = {}
    survival = survival_of(batches, on)
    if survival is not None:
        changes["acceptance_at"] = [rounded(share, DIGITS) for share in survival]
    ratios = [ratio for batch in batches if (ratio := _acceptance(batch)) is not None]
    if len(ratios) >= FEWEST:
        cuts = quantiles(ratios, n=10, method="inclusive")
        for name, value in (("acceptance_p10", cuts[0]), ("acceptance_p50", cuts[4]), ("acceptance_p90", cuts[8])):
            changes[name] = rounded(value, DIGITS)
    return report.model_copy(update=changes) if changes else report


def _acceptance(batch: Batch) -> float | None:
    accepted, drafted = batch.totals.accepted, batch.totals.drafted
    if accepted is None or not drafted or drafted <= 0:
        return None
    ratio = accepted / drafted
    return ratio if math.isfinite(ratio) and 0 <= ratio <= 1 else None

"""Two variants in turns on the same pods, compared cell by cell.

Of each cell only those pods count that served both variants in it, half of the time each (`domain/rota.py`), so the
arms have the same GPUs, clients and load, and nothing has to be corrected for the speed of nodes. What the other pods
of the variant that serves did is in its batches, not in the comparison.

The seconds of a switch are in no time per output token: counters of a sleeping engine stand still, and requests that
wait have no token yet. The cold prefix cache after each waking is measured, in both arms alike: it cannot be cut out
where a scrape comes every 15 seconds, and prompts that are computed anew slow both arms down.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import floor

from breakeven.api.changes import revised
from breakeven.api.spec import EvidenceSpec
from breakeven.api.status import EvidenceStatus
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.scrapes import total
from breakeven.domain.counters.windows import BATCHES, Span
from breakeven.domain.measures.figures import figures, sums
from breakeven.domain.measures.statistics import FEWEST_BATCHES, LogRatio
from breakeven.domain.rota import BATCHES_PER_CELL


def paired(off: Sequence[Batch], on: Sequence[Batch], cell: timedelta) -> tuple[tuple[Batch, ...], tuple[Batch, ...]]:
    """Both arms, cell by cell, from the pods that served both variants in it; other cells are left out."""
    length = cell.total_seconds()
    theirs, ours = _by_cell(off, length), _by_cell(on, length)
    pairs = [
        (_batch(theirs[n], both, n, length), _batch(ours[n], both, n, length))
        for n in sorted(theirs.keys() & ours.keys())
        if (both := sorted(theirs[n].keys() & ours[n].keys()))
    ]
    return tuple(first for first, _ in pairs), tuple(second for _, second in pairs)


def side_by_side(
    off: Sequence[Batch] | None, on: Sequence[Batch], cell: timedelta | None
) -> tuple[Sequence[Batch] | None, Sequence[Batch]]:
    """What is compared of both arms: their batches, or where they take turns, what the same pods did in each cell."""
    return (off, on) if off is None or cell is None else paired(off, on, cell)


def in_span(
    off: Sequence[Batch] | None, on: Sequence[Batch], cell: timedelta | None, evidence: EvidenceSpec, span: Span
) -> tuple[Sequence[Batch] | None, Sequence[Batch], bool]:
    """What is compared of both arms over a span, and whether it is enough: half of what the span has room for.

    With little traffic a pod has no request in half of a cell. Then cells are taken together until both variants have
    something in them: two of them are as balanced as one.
    """
    if off is None or cell is None:
        fewest = BATCHES * span.level / 2
        return off, on, len(on) >= fewest and (off is None or len(off) >= fewest)
    theirs, ours = paired(off, on, cell)
    for many in BATCHES_PER_CELL:
        longer = many * cell
        if longer > evidence.window:
            break
        found = (theirs, ours) if many == 1 else paired(off, on, longer)
        if len(found[1]) >= max(FEWEST_BATCHES, span.level * (evidence.window / longer) / 2):
            return *found, True
    return theirs, ours, False


def of_the_fleet(report: EvidenceStatus, on: Sequence[Batch], ratio: LogRatio) -> EvidenceStatus:
    """The replicas saved by all pods that speculate: those that take turns are only a part of them."""
    whole = figures(None, sums(on), ratio, source=None, verdict="", until=None, message="")
    return revised(report, replicas_saved=whole.replicas_saved, replicas_saved_lower=whole.replicas_saved_lower)


def _by_cell(batches: Sequence[Batch], length: float) -> Mapping[int, Mapping[str, list[Totals]]]:
    """By number of the cell, what each pod that served counted in it."""
    found: dict[int, dict[str, list[Totals]]] = {}
    for batch in batches:
        pods = found.setdefault(floor(batch.start / length + 1e-6), {})
        for share in batch.shares:
            if share.steps or share.finished:
                pods.setdefault(share.replica, []).append(share.totals)
    return found


def _batch(pods: Mapping[str, list[Totals]], both: Sequence[str], n: int, length: float) -> Batch:
    return Batch(
        start=n * length,
        end=(n + 1) * length,
        totals=total(totals for pod in both for totals in pods[pod]),
        gauges=Gauges(),
        replicas=len(both) / 2,
    )

"""Why speculation stopped paying, told apart from what is done about it.

The figures of the promotion are the reference. Break-even is E against R: a fall of E is the traffic or the draft, a
rise of R is load, the engine or its neighbours.
"""

from breakeven.api.status import EvidenceStatus
from breakeven.domain.figures import Sums

POINTS = 0.05
"""Acceptance that within-day differences between workloads explain; a larger fall is named."""
STEP = 1.10
"""Step-time inflation that differs by less is the same."""
LOAD = 1.5
"""Load that differs by less is the same."""
COLLAPSE = 0.5
"""Acceptance below this share of what it was: the draft does not fit the target any more."""


def diagnosed(reference: EvidenceStatus | None, off: Sums | None, on: Sums | None) -> str:
    """One clause that names the cause with its figures; empty when nothing stands out or too little is known."""
    if reference is None or on is None:
        return ""
    inflation = on.step_seconds / off.step_seconds if off and off.step_seconds and on.step_seconds else None
    was, was_inflation = reference.acceptance, reference.inflation
    fell = was is not None and on.acceptance is not None and float(was) - on.acceptance > POINTS
    rose = was_inflation is not None and inflation is not None and inflation > STEP * float(was_inflation)
    parts = []
    if fell and was is not None and on.acceptance is not None:
        cause = (
            "the draft does not fit the target any more"
            if on.acceptance < COLLAPSE * float(was)
            else ("other traffic or a higher temperature")
        )
        parts.append(f"acceptance fell from {was} to {on.acceptance:.3f} since the promotion: {cause}")
    if rose and inflation is not None:
        busier = _busier(reference, on)
        cause = busier or "the engine or its node, since the load is the same"
        parts.append(f"R rose from {was_inflation} to {inflation:.3f} since the promotion: {cause}")
    return "; ".join(parts)


def _busier(reference: EvidenceStatus, on: Sums) -> str:
    if reference.load is None or on.load is None or on.load < LOAD * float(reference.load):
        return ""
    return f"load went from {reference.load} to {on.load:.3g} output tokens per second and replica"

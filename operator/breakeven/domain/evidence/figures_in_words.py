"""The figures of a verdict in one line."""

from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift
from breakeven.domain.measures.figures import Sums
from breakeven.domain.measures.statistics import LogRatio


def in_words(ratio: LogRatio, on: Sums, off: Sums | None, nodes: Shift = NO_SHIFT) -> str:
    """The figures of a verdict in one line."""
    parts = [f"S {ratio.value:.3f} [{ratio.lower():.3f}, {min(ratio.upper(), 999):.3f}]"]
    if nodes != NO_SHIFT:
        parts.append(f"corrected by x{nodes.factor:.3f} (error {nodes.error:.3f}) for the speed of the nodes")
    if on.tokens_per_step is not None:
        parts.append(f"E {on.tokens_per_step:.2f}")
    if off is not None and on.step_seconds and off.step_seconds:
        inflation = on.step_seconds / off.step_seconds
        parts.append(f"R {inflation:.2f}")
        if on.acceptance is not None and on.draft_length:
            parts.append(f"acceptance {on.acceptance:.3f} against break-even {(inflation - 1) / on.draft_length:.3f}")
    elif on.acceptance is not None:
        parts.append(f"acceptance {on.acceptance:.3f}")
    if on.finished is not None:
        requests = on.finished if off is None or off.finished is None else min(on.finished, off.finished)
        parts.append(f"{requests:.0f} requests an arm")
    return ", ".join(parts)

"""The parts of the report that people read, one line each, as `kubectl describe` shows them. Pure."""

from datetime import UTC

from breakeven.api.status import DecisionRecord, EvidenceStatus, StayStatus, VariantStatus
from breakeven.api.text import first_sentence, plain
from breakeven.api.value import ValueReport

LONGEST = 240
"""Characters of a decision: two lines of a usual terminal."""


def arm_line(variant: VariantStatus) -> str:
    """Replicas of one variant: `Stable: DraftModel k=5 Llama-3.1-8B, 2/2 ready (a2a326466e)`."""
    return f"{variant.role}: {variant.speculation}, {variant.ready}/{variant.wanted} ready ({variant.name})"


def decision_line(decision: DecisionRecord) -> str:
    """One decision: when, what, why, and its first sentence; `details` and `memory` have all of the message."""
    at = decision.at.astimezone(UTC)
    return plain(
        f"{at:%Y-%m-%d %H:%M:%S} {decision.action} {decision.reason}: {first_sentence(decision.message)}", LONGEST
    )


def gain_line(value: ValueReport | None) -> str:
    """What speculation gained in a day and what the live control cost; empty when nothing was judged yet."""
    if value is None:
        return ""
    day = value.day
    cost = f"; the live control cost {day.cost_tokens} tokens" if day.cost_tokens else ""
    return (
        f"In 24 h {day.tokens} tokens (at least {day.tokens_lower}), as many as {day.replica_hours:.2f} more "
        f"replica-hours without speculation (at least {day.replica_hours_lower:.2f}){cost}."
    )


def figures_line(evidence: EvidenceStatus | None) -> str:
    """What the last verdict rests on; what was not measured is left out."""
    if evidence is None:
        return ""
    source = evidence.source or "Not measured"
    parts = []
    if evidence.speedup is not None:
        parts.append(f"S {evidence.speedup} [{evidence.speedup_lower or '-'}, {evidence.speedup_upper or '-'}]")
    if evidence.acceptance is not None:
        needs = evidence.break_even_acceptance
        parts.append(
            f"acceptance {evidence.acceptance}" + (f" against break-even {needs}" if needs is not None else "")
        )
    return ": ".join(part for part in (source, ", ".join(parts)) if part)


def waiting_line(stay: StayStatus | None) -> str:
    """Why nothing is changed; empty when something was, or nothing is wanted."""
    return f"{stay.reason}: {stay.message}" if stay is not None else ""

"""The parts of the report that people read, one line each, as `kubectl describe` shows them. Pure."""

from collections.abc import Sequence
from datetime import UTC

from breakeven.api.price import Price
from breakeven.api.status import DecisionRecord, EvidenceStatus, StayStatus, VariantStatus
from breakeven.api.text import first_sentence, plain
from breakeven.api.value import ValueReport

LONGEST = 240
"""Characters of a decision: two lines of a usual terminal."""


def arm_line(variant: VariantStatus) -> str:
    """Replicas of one variant: `Stable: DraftModel k=5 Llama-3.1-8B, 2/2 ready (a2a326466e)`.

    Where replicas hold two variants, it also says in how many this one is awake.
    """
    awake = "" if variant.awake is None else f", awake in {variant.awake}"
    return f"{variant.role}: {variant.speculation}, {variant.ready}/{variant.wanted} ready{awake} ({variant.name})"


def awake_line(variants: Sequence[VariantStatus]) -> str:
    """What is awake in how many replicas, in a few words: `2 Eagle3, 1 off`; empty where each holds one variant."""
    counted = [(v.awake, v.speculation.partition(" ")[0]) for v in variants if v.awake]
    return ", ".join(f"{count} {word}" for count, word in counted)[:128]


def decision_line(decision: DecisionRecord) -> str:
    """One decision: when, what, why, and its first sentence; `details` and `memory` have all of the message."""
    at = decision.at.astimezone(UTC)
    return plain(
        f"{at:%Y-%m-%d %H:%M:%S} {decision.action} {decision.reason}: {first_sentence(decision.message)}", LONGEST
    )


def gain_line(value: ValueReport | None, price: Price | None = None) -> str:
    """What speculation gained in a day and what the live control cost; empty when nothing was judged yet."""
    if value is None:
        return ""
    day = value.day
    worth = f", worth {price.shown(price.of(day.replica_hours))}" if price else ""
    cost = f"; the live control cost {day.cost_tokens} tokens" if day.cost_tokens else ""
    if cost and price:
        cost += f", {price.shown(price.of(day.cost_replica_hours))}"
    return (
        f"In 24 h {day.tokens} tokens (at least {day.tokens_lower}), as many as {day.replica_hours:.2f} more "
        f"replica-hours without speculation (at least {day.replica_hours_lower:.2f}){worth}{cost}."
    )


def figures_line(evidence: EvidenceStatus | None) -> str:
    """What the last verdict rests on; what was not measured is left out."""
    if evidence is None:
        return ""
    source = evidence.source or "Not measured"
    parts = []
    if evidence.speedup is not None:
        parts.append(f"S {evidence.speedup} [{evidence.speedup_lower or '-'}, {evidence.speedup_upper or '-'}]")
    said = evidence.objective
    if said is not None and said.end_to_end is not None:
        parts.append(f"to the last token {said.end_to_end.value} [{said.end_to_end.lower}, {said.end_to_end.upper}]")
    if said is not None and said.throughput is not None:
        parts.append(f"tokens per second {said.throughput.value} [{said.throughput.lower}, {said.throughput.upper}]")
    for name, each in (("TTFT", said.ttft if said else None), ("TPOT", said.tpot if said else None)):
        if each is not None:
            without = f" against {each.off}" if each.off is not None else ""
            parts.append(f"{name} within {each.seconds} s {each.on}{without} ({each.quantile} wanted)")
    if evidence.acceptance is not None:
        needs = evidence.break_even_acceptance
        parts.append(
            f"acceptance {evidence.acceptance}" + (f" against break-even {needs}" if needs is not None else "")
        )
    return ": ".join(part for part in (source, ", ".join(parts)) if part)


def waiting_line(stay: StayStatus | None) -> str:
    """Why nothing is changed; empty when something was, or nothing is wanted."""
    return f"{stay.reason}: {stay.message}" if stay is not None else ""

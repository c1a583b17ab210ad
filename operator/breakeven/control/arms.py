"""The variants that a report counts replicas of, and what each drafts with. Pure."""

from collections.abc import Mapping

from breakeven.api.names import spoken_model
from breakeven.api.spec import DraftSpec
from breakeven.api.status import Role, Status, VariantStatus
from breakeven.domain.counters.observation import Fleet
from breakeven.domain.decision import Decision, Placement

_UNKNOWN_DRAFT = "leaving"
"""What a variant drafts with when that is no longer known."""


def draft_in_words(draft: DraftSpec | None) -> str:
    """What a variant drafts with, in words."""
    if draft is None:
        return "off"
    words = [str(draft.method), f"k={draft.num_speculative_tokens}"]
    if draft.model:
        words.append(spoken_model(draft.model))
    return " ".join(words)[:128]


def arms_of(
    decision: Decision, fleet: Mapping[str, Fleet], old: Status, awake: Mapping[str, int]
) -> list[VariantStatus]:
    """Replicas by variant: those that are placed, then those on their way out, as the last report knew them.

    `awake` is in how many replicas each variant is awake, where they hold two: the other one has a line as well.
    """
    placed = [
        VariantStatus(
            name=p.variant.name,
            role=p.role,
            speculation=draft_in_words(p.variant.draft),
            speculates=p.variant.speculates,
            wanted=p.replicas,
            ready=fleet[p.variant.name].ready if p.variant.name in fleet else 0,
            awake=awake.get(p.variant.name),
        )
        for p in (*decision.placements, *_beside(decision))
    ]
    names = {v.name for v in placed}
    known = {v.name: v for v in old.details.variants}
    leaving = [
        VariantStatus(
            name=name,
            role=known[name].role if name in known else Role.STABLE,
            speculation=known[name].speculation if name in known else _UNKNOWN_DRAFT,
            speculates=known[name].speculates if name in known else None,
            wanted=0,
            ready=f.ready,
            awake=awake.get(name),
        )
        for name, f in fleet.items()
        if name not in names and (f.existing or f.terminating)
    ]
    return (placed + leaving)[:8]


def _beside(decision: Decision) -> list[Placement]:
    """The variant that sleeps in the replicas of what serves."""
    serving, other = decision.slots or (None, None)
    if serving is None or other is None or other.name in {p.variant.name for p in decision.placements}:
        return []
    canary = decision.memory.canary
    role = Role.CANARY if canary is not None and canary.name == other.name else Role.HOLDBACK
    replicas = sum(p.replicas for p in decision.placements if p.variant.name == serving.name)
    return [Placement(variant=other, role=role, replicas=replicas)]

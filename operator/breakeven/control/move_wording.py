"""Moves in words that a person follows: the hash of a variant with what it drafts with. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from breakeven.api.status import VariantStatus
from breakeven.control.moves import Arrived, Blocked, Move, Paused
from breakeven.domain.decision import Placement

_NOTHING = "no speculation"


def variant_words(placements: Iterable[Placement], reported: Iterable[VariantStatus]) -> Mapping[str, str]:
    """What each variant drafts with, by name; those on their way out are known from the last report."""
    words = {v.name: _NOTHING if v.speculates is False else v.speculation for v in reported}
    for placement in placements:
        draft = placement.variant.draft
        words[placement.variant.name] = f"{draft.method} k={draft.num_speculative_tokens}" if draft else _NOTHING
    return words


def explained(move: Move, words: Mapping[str, str]) -> Move:
    """The move with its hashes explained; names of pods, which contain hashes, stay as they are."""
    if not words or isinstance(move, Arrived | Paused):
        return move
    names = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, words))})(?![\w-])")

    def explain(text: str) -> str:
        return names.sub(lambda match: f"{match[1]} ({words[match[1]]})", text)

    if isinstance(move, Blocked):
        return Blocked(finding=replace(move.finding, message=explain(move.finding.message)))
    return replace(move, reason=explain(move.reason))

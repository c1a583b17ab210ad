"""Moves in words that a person follows: a variant's hash with what it drafts with. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from breakeven.api.status import VariantStatus
from breakeven.control.moves import Arrived, Blocked, Move
from breakeven.domain.decision import Placement


def known_as(placed: Iterable[Placement], before: Iterable[VariantStatus]) -> Mapping[str, str]:
    """Words for each variant by name; those on their way out are known from the last report."""
    words = {v.name: "no speculation" if v.speculation == "off" else v.speculation for v in before}
    for placement in placed:
        draft = placement.variant.draft
        spoken = f"{draft.method} k={draft.num_speculative_tokens}" if draft else "no speculation"
        words[placement.variant.name] = spoken
    return words


def spoken(move: Move, words: Mapping[str, str]) -> Move:
    """The move with its hashes explained; names of pods, which contain hashes, stay as they are."""
    if isinstance(move, Arrived) or not words:
        return move

    def explained(text: str) -> str:
        names = "|".join(map(re.escape, words))
        return re.sub(rf"(?<![\w-])({names})(?![\w-])", lambda m: f"{m[1]} ({words[m[1]]})", text)

    if isinstance(move, Blocked):
        return Blocked(finding=replace(move.finding, message=explained(move.finding.message)))
    return replace(move, reason=explained(move.reason))

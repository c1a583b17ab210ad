"""The troubleshooting page has every word that the operator publishes when something is not as it should be."""

import re
from pathlib import Path

from breakeven.api.conditions import CONDITIONS
from breakeven.api.vocabulary import HoldReason, Reason, StayReason

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
FINE = {
    Reason.SERVING,
    Reason.SCALED_TO_ZERO,
    Reason.PROGRESSING,
    Reason.MOVING_REPLICAS,
    Reason.LOADING_ENGINE,
    Reason.PAYS,
    Reason.PINNED_ON,
    Reason.STARTING,
    Reason.FRESH,
    Reason.ANSWERS_ALIKE,
    Reason.VARIANTS_RESIDENT,
}
"""Nothing is wrong, and nobody looks for these."""


def named() -> set[str]:
    return set(re.findall(r"`([A-Z][A-Za-z]+)`", PAGE.read_text(encoding="utf-8")))


def test_every_reason_that_means_trouble_is_there() -> None:
    trouble = {r for doc in CONDITIONS.values() for r in doc.reasons if r not in doc.silent} - FINE
    waits = {*HoldReason, *StayReason}
    assert sorted({str(word) for word in trouble | waits} - named()) == []


def test_every_word_of_its_tables_is_one_that_is_published() -> None:
    first = re.findall(r"^\| ((?:`[A-Za-z]+`(?:, )?)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    words = {word for cell in first for word in re.findall(r"`([A-Za-z]+)`", cell)}
    assert words
    assert sorted(words - {str(w) for w in (*Reason, *HoldReason, *StayReason)}) == []

"""What is emitted is what is published: every word of the vocabulary is used, and no word is made up on the spot."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import breakeven
from breakeven.api.vocabulary import Action, HoldReason, Reason, StayReason

PACKAGE = Path(breakeven.__file__).parent
PUBLISHED: tuple[type[StrEnum], ...] = (Action, Reason, HoldReason, StayReason)
PUBLISHERS = {PACKAGE / "api" / "vocabulary.py", PACKAGE / "api" / "conditions.py"}
ONE_WORD = re.compile(r"[A-Z][A-Za-z]+")
DOCS = Path(__file__).parents[2] / "docs" / "decisions.md"


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path not in PUBLISHERS:
            yield from ((path, node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("words", PUBLISHED)
def test_every_published_word_is_emitted(words: type[StrEnum]) -> None:
    used = {
        node.attr
        for _, node in nodes()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == words.__name__
    }
    assert set(words.__members__) - used == set()


def test_no_reason_or_action_is_a_raw_string() -> None:
    raw = [
        f"{path.relative_to(PACKAGE)}:{node.value.lineno} {node.arg}={node.value.value}"
        for path, node in nodes()
        if isinstance(node, ast.keyword) and node.arg in ("reason", "action")
        if isinstance(node.value, ast.Constant) and ONE_WORD.fullmatch(str(node.value.value))
    ]
    assert raw == []


def test_no_reason_is_compared_with_a_string() -> None:
    compared = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path, node in nodes()
        if isinstance(node, ast.Compare)
        if any(isinstance(each, ast.Attribute) and each.attr in ("reason", "action") for each in ast.walk(node))
        if any(isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value for each in ast.walk(node))
    ]
    assert compared == []


@pytest.mark.parametrize("words", [Action, HoldReason, StayReason])
def test_the_page_on_decisions_has_every_word(words: type[StrEnum]) -> None:
    page = DOCS.read_text(encoding="utf-8")
    listed = set(re.findall(r"`([A-Z][A-Za-z]+)`", page))
    for first in re.findall(r"^\| ([A-Z][A-Za-z, ]+) \|", page, re.MULTILINE):
        listed |= set(first.split(", "))
    assert {word.value for word in words} - listed == set()

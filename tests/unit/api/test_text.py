"""Whatever an engine, an API server or a user wrote, a message is one printable line of at most 1024 characters."""

from datetime import UTC, datetime

import pytest

from breakeven.api.conditions import ConditionType, Reason, set_condition
from breakeven.api.status import DecisionRecord, DiagnosisStatus, StayStatus
from breakeven.api.text import LONGEST, first_sentence, plain, sentence

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOSTILE = [
    "line one\nline two\r\n\ttabbed",
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07bell\x07",
    "nul \x00 backspace \x08\x08 delete \x7f next line \x85",
    "right to left \u202e override, zero width \u200b, line separator \u2028",
    "half a pair \ud83d, and a whole one 😀",
    "ü" * 5000,
    "😀" * 2000,
    "a" * 1023 + "é",
    "Traceback (most recent call last):\n" + '  File "x.py", line 1\n' * 500,
    "\x1b[" * 4000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_becomes_one_printable_line_of_at_most_1024_characters(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert len(shown) <= LONGEST
    shown.encode()
    assert plain(shown) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_every_message_of_the_status_is_such_a_line(text: str) -> None:
    conditions = set_condition(
        [],
        type=ConditionType.READY,
        status=False,
        reason=Reason.ENGINE_FAILING,
        message=text,
        generation=1,
        now=NOON,
    )
    messages = [
        conditions[0].message,
        DecisionRecord(at=NOON, action="Disable", reason="EngineFailing", message=text, generation=1).message,
        StayStatus(reason="Paused", message=text).message,
        DiagnosisStatus(reason="EngineFault", message=text, since=NOON).message,
    ]
    assert all(m.isprintable() and len(m) <= LONGEST for m in messages)


def test_a_harmless_text_stays_as_it_is() -> None:
    text = "3 of 4 replicas serve:  P99 ×1.30 [1.2, 1.4] – é"
    assert plain(text) == text


def test_colours_leave_nothing_behind() -> None:
    assert plain("\x1b[1;31mERROR\x1b[0m: out of memory\n") == "ERROR: out of memory"


def test_a_sentence_ends_at_its_full_stop_and_not_inside_a_field_or_a_version() -> None:
    assert first_sentence("Set spec.policy.mode for vLLM 0.33.0. More.") == "Set spec.policy.mode for vLLM 0.33.0."
    assert first_sentence("no stop") == "no stop"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("every replica has a node", "Every replica has a node"),
        ("spec.draft is absent", "spec.draft is absent"),
        ("vLLM 0.33.0", "vLLM 0.33.0"),
        ("3 of 4 replicas serve", "3 of 4 replicas serve"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_a_name_stands_there(text: str, shown: str) -> None:
    assert sentence(text) == shown

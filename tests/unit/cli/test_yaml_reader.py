"""YAML is read offline as kubectl reads it."""

from typing import Any

import pytest

from breakeven.cli.yaml_reader import read_yaml

AS_KUBECTL: list[tuple[str, Any]] = [
    ("y", True),
    ("N", False),
    ("yes", True),
    ("Off", False),
    ("on", True),
    ('"Off"', "Off"),
    ("1e3", 1000),
    ("1E+2", 100),
    (".5", 0.5),
    ("0x1f", 31),
    ("0o17", 15),
    ("017", 15),
    ("08", 8),
    ("0b11", 3),
    ("1_000", 1000),
    ("+1", 1),
    ("1.", 1),
    ("~", None),
    ("Null", None),
    ("2026-11-22", "2026-11-22"),
    ("22:30", "22:30"),
    ("1:30:00", "1:30:00"),
    ("06:00", "06:00"),
    ("None", "None"),
    ("1.0", 1),
    ("3.5", 3.5),
    ("=", "="),
    ("<<", "<<"),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("0.1e-2", 0.001),
    ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
    ("!!str 5", "5"),
    ("0x1G", "0x1G"),
    ("+0x1f", 31),
    ("-0o7", -7),
    ("-.5", -0.5),
    ("_1", "_1"),
]
"""What `kubectl label --local -o json` of Kubernetes 1.32 made of each."""


@pytest.mark.parametrize(("written", "value"), AS_KUBECTL, ids=[written for written, _ in AS_KUBECTL])
def test_a_plain_scalar_is_what_kubectl_makes_of_it(written: str, value: Any) -> None:
    (found,) = read_yaml(f"a: {written}\n")[0].values()

    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


def test_keys_are_text() -> None:
    assert read_yaml("{1: a, yes: b, 1.5: c}") == [{"1": "a", "true": "b", "1.5": "c"}]


def test_documents_merges_and_json_are_read() -> None:
    assert read_yaml("base: &b {q: 1, r: 2}\nmerged: {<<: *b, r: 3}\n---\n- x\n") == [
        {"base": {"q": 1, "r": 2}, "merged": {"q": 1, "r": 3}},
        ["x"],
    ]
    assert read_yaml('{\n\t"a": 1e3}') == [{"a": 1000.0}]


@pytest.mark.parametrize("text", ["a: .inf", "a: -.INF", "a: .nan", "a: 1e999"])
def test_a_number_that_json_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        read_yaml(text)

"""Where the last lines of a log begin."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.lab.kubelet.logserver import tail_offset


@pytest.mark.parametrize(
    ("text", "lines", "tail"),
    [
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb\nc", 1, "c"),
        ("a\n\n\n", 2, "\n\n"),
        ("a\n", 5, "a\n"),
        ("", 3, ""),
        ("a\nb\n", 0, ""),
    ],
)
def test_the_tail(tmp_path: Path, text: str, lines: int, tail: str) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    assert text[tail_offset(path, lines) :] == tail


@settings(max_examples=40)
@given(lengths=st.lists(st.integers(0, 40000), max_size=8), lines=st.integers(0, 9))
def test_the_tail_over_the_bounds_of_chunks(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], lines: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    rows = [b"x" * length + b"\n" for length in lengths]
    path.write_bytes(b"".join(rows))
    assert path.read_bytes()[tail_offset(path, lines) :] == b"".join(rows[max(len(rows) - lines, 0) :])

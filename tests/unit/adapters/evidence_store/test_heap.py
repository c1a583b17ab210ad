"""Freed memory goes back to the system where the C library can do that, and nothing breaks where it cannot."""

import pytest

from breakeven.adapters.evidence_store import heap


def test_the_whole_heap_is_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(heap, "_TRIM", asked.append)
    heap.give_back()
    assert asked == [0]


def test_a_c_library_without_it_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_TRIM", None)
    heap.give_back()
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert heap._trim_of_libc() is None

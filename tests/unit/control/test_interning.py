"""Equal parts of objects are kept once, and nothing else changes."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from breakeven.control import interning
from breakeven.control.interning import Shared

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(0, 1) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=12,
)


def pod(name: str) -> dict[str, Any]:
    text = json.dumps({"metadata": {"name": name}, "spec": {"containers": [{"args": ["serve", "--port", "8000"]}]}})
    found: dict[str, Any] = json.loads(text)
    return found


@given(st.lists(VALUES, max_size=8))
def test_values_stay_what_they_are(values: list[Any]) -> None:
    pool = Shared()
    for value in values:
        before = copy.deepcopy(value)
        assert repr(pool.of(value)) == repr(before)


def test_equal_parts_become_one_and_the_others_do_not() -> None:
    pool = Shared()
    first, second = pool.of(pod("a")), pool.of(pod("b"))
    assert first["spec"] is second["spec"]
    assert first["metadata"] is not second["metadata"]


def test_true_and_one_are_not_alike() -> None:
    pool = Shared()
    assert pool.of({"a": 1})["a"] is not True
    assert pool.of({"a": True})["a"] is True


def test_parts_that_came_once_are_forgotten(monkeypatch: Any) -> None:
    monkeypatch.setattr(interning, "ONCE", 64)
    pool = Shared()
    common = pool.of(pod("a"))["spec"]
    assert pool.of(pod("a"))["spec"] is common
    for n in range(100):
        pool.of({f"k{n}": [f"v{n}"]})
    assert len(pool._texts._once) <= 64
    assert pool.of(pod("c"))["spec"] is common


def test_what_is_nested_too_deep_is_cut_and_the_rest_is_kept() -> None:
    deep: Any = 1
    for _ in range(9_000):
        deep = {"a": deep}
    kept = Shared().of({"deep": deep, "list": [["y"]], "name": "x"})
    assert kept["name"] == "x"
    assert kept["list"] == [["y"]]
    levels = 0
    while kept["a" if levels else "deep"] is not None:
        kept = kept["a" if levels else "deep"]
        levels += 1
    assert levels == interning.DEEPEST - 1

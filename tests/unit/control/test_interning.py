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


def test_what_does_not_come_again_is_forgotten_and_what_does_stays_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(interning, "GENERATION", 64)
    pool = Shared()
    common = pool.of(pod("a"))["spec"]
    for n in range(500):
        pool.of({f"k{n}": [f"v{n}"]})
        pool.of({f"k{n}": [f"v{n}"]})  # an object comes again with each change of another part of it
        assert pool.of(pod(f"p{n}"))["spec"] is common
    assert len(pool) <= 4 * 64


def test_objects_that_are_gone_leave_no_long_text_behind() -> None:
    pool = Shared()
    status = {"memory": "x" * 5000, "state": "Speculating", "selector": {"app": "one"}}
    assert pool.of(status) == status
    assert pool.of(dict(status))["selector"] is pool.of(dict(status))["selector"]
    held = [*pool._texts._recent, *pool._parts._recent.values()]
    assert max(len(repr(part)) for part in held) < 100


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

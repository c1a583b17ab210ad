"""Everybody gets a turn, nobody gets more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from breakeven.adapters.evidence_store.histogram_turns import TURN_S, on_turn


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 130), max_size=30), st.integers(0, 100))
def test_each_has_its_turn_within_the_room(welcome: dict[str, int], room: int) -> None:
    turns = [on_turn(welcome, room=room, now=i * TURN_S) for i in range(len(welcome) + 1)]
    assert all(sum(welcome[key] for key in turn) <= room for turn in turns)
    assert set().union(*turns) == {key for key, pods in welcome.items() if pods <= room}


def test_a_turn_lasts_an_hour_and_depends_on_nothing_else() -> None:
    welcome = {"a": 60, "b": 60}
    assert on_turn(welcome, room=100, now=0.0) == on_turn(welcome, room=100, now=TURN_S - 1) == {"a"}
    assert on_turn(dict(reversed(welcome.items())), room=100, now=TURN_S) == {"b"}
    assert on_turn({}, room=100, now=0.0) == frozenset()

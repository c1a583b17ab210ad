"""A look is spared only when it rests on the very same objects and wishes."""

from breakeven.control.ports import Key
from breakeven.control.unchanged import Unchanged

KEY = Key("inference", "llama")


def test_the_same_wish_on_the_same_objects_is_covered() -> None:
    seen, objects = Unchanged(), [{"kind": "Pod"}]
    assert not seen.covers(KEY, 1, objects)
    seen.found(KEY, 1, objects, nothing=True)
    assert seen.covers(KEY, 1, list(objects))


def test_another_wish_or_another_copy_of_an_object_is_not() -> None:
    seen, objects = Unchanged(), [{"kind": "Pod"}]
    seen.found(KEY, 1, objects, nothing=True)
    assert not seen.covers(KEY, 2, objects)
    assert not seen.covers(KEY, 1, [{"kind": "Pod"}])
    assert not seen.covers(KEY, 1, [*objects, {"kind": "Pod"}])


def test_a_look_that_found_something_to_write_covers_nothing() -> None:
    seen, objects = Unchanged(), [{"kind": "Pod"}]
    seen.found(KEY, 1, objects, nothing=True)
    seen.found(KEY, 1, objects, nothing=False)
    assert not seen.covers(KEY, 1, objects)
    seen.found(KEY, 1, objects, nothing=True)
    seen.forget(KEY)
    assert not seen.covers(KEY, 1, objects)

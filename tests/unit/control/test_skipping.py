"""An answer is used again only when it rests on the very same objects and values."""

from breakeven.control.skipping import Basis


def test_the_same_values_on_the_same_objects_are_the_same_basis() -> None:
    objects = [{"kind": "Pod"}]
    assert Basis(objects=objects, values=1).same_as(Basis(objects=list(objects), values=1))


def test_other_values_or_another_copy_of_an_object_are_not() -> None:
    pod = {"kind": "Pod"}
    last = Basis(objects=[pod], values=1)
    assert not Basis(objects=[pod], values=2).same_as(last)
    assert not Basis(objects=[{"kind": "Pod"}], values=1).same_as(last)
    assert not Basis(objects=[pod, {"kind": "Pod"}], values=1).same_as(last)
    assert not Basis(objects=[pod], values=1).same_as(None)

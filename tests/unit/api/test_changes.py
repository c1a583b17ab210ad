"""Changes of memory and of evidence name the fields of the models and their types, nothing else."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from breakeven.api.changes import EvidenceChange, MemoryChange, changed, revised
from breakeven.api.status import EvidenceStatus, Memory, State


def plain(hint: Any) -> Any:
    """A type without its annotations, unions as sets."""
    if get_origin(hint) is Annotated:
        return plain(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return frozenset(plain(each) for each in get_args(hint))
    if get_args(hint):
        return (get_origin(hint), *(plain(each) for each in get_args(hint)))
    return hint


@pytest.mark.parametrize(("change", "model"), [(MemoryChange, Memory), (EvidenceChange, EvidenceStatus)])
def test_a_change_has_the_fields_of_its_model_and_their_types(change: type, model: type[BaseModel]) -> None:
    hints = get_type_hints(model, include_extras=True)
    assert {k: plain(v) for k, v in get_type_hints(change).items()} == {k: plain(hints[k]) for k in model.model_fields}


def test_nothing_to_change_leaves_the_same_object() -> None:
    memory, report = Memory(), EvidenceStatus()
    assert changed(memory) is memory and revised(report) is report
    assert changed(memory, state=State.TRIAL).state is State.TRIAL and memory.state is State.BASELINE

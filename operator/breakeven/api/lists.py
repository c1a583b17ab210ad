"""Lists whose items come once each."""

from typing import TypeVar

_T = TypeVar("_T")

SET = {"x-kubernetes-list-type": "set"}


def once(items: list[_T]) -> list[_T]:
    """Check it, offline as the API server does. Raises ValueError."""
    if len(set(items)) < len(items):
        raise ValueError("write each item once")
    return items

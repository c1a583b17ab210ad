"""What a look rested on when it found no object to write: a look at the very same need not render again."""

from collections.abc import Sequence
from typing import Any

from breakeven.control.ports import Key, Manifest


class Unchanged:
    """By resource. Objects count as the same only when they are: the cache replaces what changes."""

    def __init__(self) -> None:
        self._rested: dict[Key, tuple[Any, Sequence[Manifest]]] = {}

    def covers(self, key: Key, wanted: Any, objects: Sequence[Manifest]) -> bool:
        """Whether this is what the last look rested on, and that one found nothing to write."""
        held = self._rested.get(key)
        return (
            held is not None
            and len(held[1]) == len(objects)
            and all(a is b for a, b in zip(held[1], objects, strict=True))
            and bool(held[0] == wanted)
        )

    def found(self, key: Key, wanted: Any, objects: Sequence[Manifest], *, nothing: bool) -> None:
        """Keep or forget what a look rested on."""
        if nothing:
            self._rested[key] = wanted, objects
        else:
            self._rested.pop(key, None)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._rested.pop(key, None)

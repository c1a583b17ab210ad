"""One copy of what many objects say alike: a thousand Deployments differ in little more than their names.

Each watch event brings its own copy of every key, label and probe. Cached objects are never changed in place, so equal
parts of them can be one and the same.
"""

from typing import Any

ONCE = 4096
"""Parts seen once that are remembered, in case they come again."""
DEEPEST = 64
"""Levels that are kept, far beyond what any object of ours has: deeper ones come from somebody who wants us to recurse,
and a spec that has them is refused by name (`api.free_form`)."""
OFTEN = 65_536
"""Parts seen twice or more that are remembered. Beyond it all are forgotten: what is shared stays so."""


class _Known:
    """Values by what marks them; those that came once only are soon forgotten."""

    def __init__(self) -> None:
        self._often: dict[Any, Any] = {}
        self._once: dict[Any, Any] = {}

    def of(self, mark: Any, value: Any) -> Any:
        """The value that came first under this mark."""
        known = self._often.get(mark)
        if known is not None:
            return known
        known = self._once.pop(mark, None)
        if known is not None:
            if len(self._often) >= OFTEN:
                self._often.clear()
            self._often[mark] = known
            return known
        if len(self._once) >= ONCE:
            self._once.clear()
        self._once[mark] = value
        return value


class Shared:
    """Gives back an equal value that was seen before, part by part. Not shared between threads."""

    def __init__(self) -> None:
        self._texts = _Known()
        self._parts = _Known()

    def of(self, value: Any, levels: int = DEEPEST) -> Any:
        """The value with every part that is known in its place, and null for what is nested deeper than `levels`."""
        if isinstance(value, str):
            return self._texts.of(value, value)
        if levels == 0 and isinstance(value, dict | list):
            return None
        if isinstance(value, dict):
            parts: Any = {self._texts.of(k, k): self.of(v, levels - 1) for k, v in value.items()}
            # The parts of a known value live as long as it is known, so nothing else can have their identity.
            return self._parts.of((dict, *((k, _mark(v)) for k, v in parts.items())), parts)
        if isinstance(value, list):
            parts = [self.of(v, levels - 1) for v in value]
            return self._parts.of((list, *map(_mark, parts)), parts)
        return value


def _mark(value: Any) -> Any:
    """The same for shared values that are the same, and different for others: 1, 1.0 and True are not alike."""
    return id(value) if isinstance(value, str | dict | list) else (type(value), value)

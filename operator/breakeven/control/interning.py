"""One copy of what many objects say alike: a thousand Deployments differ in little more than their names.

Each watch event brings its own copy of every key, label and probe. Cached objects are never changed in place, so equal
parts of them can be one and the same.
"""

from typing import Any

DEEPEST = 64
"""Levels that are kept, far beyond what any object of ours has: deeper ones come from somebody who wants us to recurse,
and a spec that has them is refused by name (`api.free_form`)."""
LONGEST = 256
"""Characters of the longest text that is shared: longer ones are messages, memories and reports, which differ, and
would be held on to after their objects are gone."""
GENERATION = 8192
"""Parts after which those are forgotten that nobody had in so many and as many before: what is shared stays so."""


class _Known:
    """Values by what marks them; those that do not come again are soon forgotten."""

    def __init__(self) -> None:
        self._recent: dict[Any, Any] = {}
        self._before: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._before)

    def of(self, mark: Any, value: Any) -> Any:
        """The value that came first under this mark."""
        known = self._recent.get(mark)
        if known is None:
            known = self._before.get(mark, value)
            if len(self._recent) >= GENERATION:
                self._before, self._recent = self._recent, {}
            self._recent[mark] = known
        return known


class Shared:
    """Gives back an equal value that was seen before, part by part. Not shared between threads."""

    def __init__(self) -> None:
        self._texts = _Known()
        self._parts = _Known()

    def __len__(self) -> int:
        """Parts that are remembered."""
        return len(self._texts) + len(self._parts)

    def of(self, value: Any, levels: int = DEEPEST) -> Any:
        """The value with every part that is known in its place, and null for what is nested deeper than `levels`."""
        return self._of(value, levels)[0]

    def _of(self, value: Any, levels: int) -> tuple[Any, bool]:
        """The same, and whether it may be remembered: nothing that holds a long text is."""
        if isinstance(value, str):
            return (value, False) if len(value) > LONGEST else (self._texts.of(value, value), True)
        if not isinstance(value, dict | list):
            return value, True
        if levels == 0:
            return None, True
        inner = [self._of(part, levels - 1) for part in (value.values() if isinstance(value, dict) else value)]
        parts: Any = [part for part, _ in inner]
        marks: list[Any] = [_mark(part) for part in parts]
        if isinstance(value, dict):
            keys = [self._texts.of(key, key) for key in value]
            parts, marks = dict(zip(keys, parts, strict=True)), [*zip(keys, marks, strict=True)]
        if not all(remembered for _, remembered in inner):
            return parts, False
        # The parts of a known value live as long as it is known, so nothing else can have their identity.
        return self._parts.of((type(parts), *marks), parts), True


def _mark(value: Any) -> Any:
    """The same for shared values that are the same, and different for others: 1, 1.0 and True are not alike."""
    return id(value) if isinstance(value, str | dict | list) else (type(value), value)

"""How long each phase of an order took, and which one is under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timing:
    """Made when the order is begun."""

    def __init__(self) -> None:
        self.current = ""
        self.phases: dict[str, float] = {}
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return round(time.monotonic() - self._began, 4)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """The time inside counts for a phase, also when it ends by an exception."""
        self.current, began = name, time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(self.phases.get(name, 0.0) + time.monotonic() - began, 4)

"""What one pass answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """When the same key should be looked at again without any event."""

    again_s: float | None = None
    """Seconds from now. None: only when something happens."""

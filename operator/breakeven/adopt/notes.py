"""What could not be kept, and why nothing could be adopted at all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is not as it was, or that somebody has to look at."""

    field: str
    """Where it stood: a field of the original, or a flag."""
    message: str
    """What became of it, and what to do."""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class NotAdoptable(ValueError):
    """There is no vLLM server in it that could be adopted; the message says what to give instead."""

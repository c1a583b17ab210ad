"""How many waiting requests make a queue: one bound for the guards, the diagnosis and the quiet passes."""

AT_LEAST = 8.0
"""Waiting requests of a replica below which nothing is a queue."""
SHARE = 0.25
"""Share of the running requests that may wait before they are a queue."""


def bound(running: float) -> float:
    """Waiting requests from which a replica with so many running ones has a queue."""
    return max(AT_LEAST, SHARE * running)

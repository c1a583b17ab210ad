"""What the replicas of one arm did, each for itself."""

from collections.abc import Mapping, Sequence

from breakeven.domain.counters.observation import Batch, Share

PRESENT = 0.5
"""Share of the batches that a replica must be in: one that came or went in between is no sibling yet."""


def by_replica(batches: Sequence[Batch]) -> Mapping[str, Sequence[Share]]:
    """Shares of each replica that was there, oldest first, by name of its pod. Empty where they are not told apart."""
    found: dict[str, list[Share]] = {}
    for batch in batches:
        for share in batch.shares:
            found.setdefault(share.replica, []).append(share)
    return {name: shares for name, shares in sorted(found.items()) if len(shares) >= PRESENT * len(batches)}

"""Whose histograms are read beside the counters: some seventy series a pod, against two dozen of everything else.

A trial needs them. A live control is welcome to them while there is room; when there is more than room for, resources
take turns, so that the samples and the queries of a cycle do not grow with the number of resources.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

TURN_S = 3600.0
"""Seconds of one turn: six windows of the default length, as many as are judged together."""
ROOM = 100
"""Pods whose histograms are read for live controls at the same time: as many as one selector names."""

K = TypeVar("K", bound=Hashable)


def on_turn(welcome: Mapping[K, int], *, room: int, now: float) -> frozenset[K]:
    """Which of these resources, each with so many pods, are read in this turn (`now` in Unix seconds).

    One with more pods than there is room for is never read: its batches need every one of its pods.
    """
    groups: list[list[K]] = []
    left = 0
    for key in sorted(welcome, key=str):
        pods = welcome[key]
        if pods > room:
            continue
        if pods > left or not groups:
            groups.append([])
            left = room
        groups[-1].append(key)
        left -= pods
    return frozenset(groups[int(now // TURN_S) % len(groups)]) if groups else frozenset()

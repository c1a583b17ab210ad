"""Which CPU cores pods are bound to."""

import os


class Cores:
    """Hands out the least used cores of those this process may run on."""

    def __init__(self) -> None:
        self._uses = dict.fromkeys(sorted(os.sched_getaffinity(0)), 0)

    def take(self, count: int) -> list[int]:
        """As many cores as asked for, or all there are."""
        chosen = sorted(self._uses, key=lambda core: (self._uses[core], core))[:count]
        for core in chosen:
            self._uses[core] += 1
        return chosen

    def give_back(self, cores: list[int]) -> None:
        """They are not used any more."""
        for core in cores:
            self._uses[core] -= 1

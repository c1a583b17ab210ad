"""Which variant is awake in which pod of a warm fleet, for every moment: the rota.

Most pods keep the variant that serves awake. A few *take part*: each of them serves half of every *cell* with one
variant and half with the other, so both arms of a comparison come from the same GPUs at the same load, and what a pod
is like (its node, its clients, how full its cache is) cancels within a cell. The variant that began a cell ends the
next, and the neighbour does the opposite: what drifts within a cell cancels over two, and a stretch with one variant
lasts a whole cell. After a *turn* others take part.

All of it follows from the names of the pods and from the clock, so an operator that was restarted goes on where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from breakeven.domain.counters.windows import BATCHES

EPOCH = datetime.fromtimestamp(0, UTC)
"""Batches lie on a grid that begins here, and so do cells and turns."""
WORTH = 20
"""A stretch with one variant lasts at least so many times as long as the switch before it: 5 % of the time."""
BATCHES_PER_CELL = (1, 2, 5, BATCHES)
"""Lengths that a cell may have: whole batches, and whole cells in a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """The times of one warm fleet."""

    major: str
    """Name of the variant that serves where nothing alternates."""
    minor: str = ""
    """Name of the variant that it alternates with. Empty: nothing alternates."""
    taking_part: int = 0
    """Pods that alternate at a time; half of them have the minor variant awake at any moment."""
    cell: timedelta = timedelta(minutes=1)
    """Time in which a pod that takes part serves half with each variant."""

    @property
    def turn(self) -> timedelta:
        """How long the same pods take part."""
        return BATCHES * self.cell

    @property
    def alternates(self) -> bool:
        """Whether any pod ever changes."""
        return bool(self.minor) and self.minor != self.major and self.taking_part > 0

    def awake(self, pods: Sequence[str], at: datetime) -> Mapping[str, str]:
        """By pod, the name of the variant that should be awake; `at` is a moment with a time zone."""
        serving = dict.fromkeys(pods, self.major)
        cell, into = divmod(at - EPOCH, self.cell)
        later = into >= self.cell / 2
        for place, pod in enumerate(self.part_of(pods, at)):
            minor_first = (cell + place) % 2 == 1
            if minor_first != later:
                serving[pod] = self.minor
        return serving

    def part_of(self, pods: Sequence[str], at: datetime) -> Sequence[str]:
        """Pods that alternate in the turn of that moment, whatever the order they are given in."""
        if not self.alternates or not pods:
            return ()
        ordered = sorted(set(pods), key=_shuffled)
        many = min(self.taking_part, len(ordered))
        first = (at - EPOCH) // self.turn * many
        return [ordered[(first + place) % len(ordered)] for place in range(many)]

    def next_change(self, at: datetime) -> datetime | None:
        """When `awake` answers differently next, at the latest; None: never."""
        if not self.alternates:
            return None
        cell, into = divmod(at - EPOCH, self.cell)
        middle = cell if into < self.cell / 2 else cell + 1
        turn = (at - EPOCH) // self.turn + 1
        return EPOCH + min(middle * self.cell + self.cell / 2, turn * self.turn)


def cell_of(batch: timedelta, switch: timedelta) -> timedelta:
    """The shortest cell in which a switch of that length takes no more than its share; a window at most."""
    fits = (many for many in BATCHES_PER_CELL if many * batch >= WORTH * switch)
    return next(fits, BATCHES_PER_CELL[-1]) * batch


def _shuffled(pod: str) -> str:
    """Names of neighbours differ little and often tell the node; their digests do not."""
    return sha256(pod.encode()).hexdigest()

"""What the status says of warm replicas. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from breakeven.api.status import SwitchingStatus
from breakeven.control.warm.book import Book
from breakeven.control.warm.fleet import WarmPool, switch_seconds
from breakeven.domain.decision import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """Warm replicas, counted."""

    awake: Mapping[str, int] = field(default_factory=dict)
    """Replicas in which each variant is awake; a variant that all of them hold asleep is there with 0."""
    switches: int = 0
    """Switches since this process began to look."""
    seconds: float | None = None
    """Median of the last switch of each replica. None: none was seen."""
    finding: Finding | None = None
    """The condition WarmSwitching. None: there is no warm replica."""

    def status(self, before: SwitchingStatus | None) -> SwitchingStatus | None:
        """The part of the status; None where there is no warm replica. `before` is what the last one said."""
        if self.finding is None:
            return None
        known = before.last_seconds if before is not None else None
        seconds = known if self.seconds is None else Decimal(f"{self.seconds:.2f}")
        return SwitchingStatus(switches=self.switches, last_seconds=seconds)


def report_of(warm: Mapping[str, WarmPool], finding: Finding | None, book: Book) -> WarmReport:
    """Count what is awake."""
    states = [p.known.state for pool in warm.values() for p in pool.pods if p.known.state is not None]
    awake = Counter(state.awake for state in states if state.awake)
    held = {name for pool in warm.values() for name in pool.file.variants}
    return WarmReport(
        awake={name: awake[name] for name in sorted(held | awake.keys())},
        switches=book.switches,
        seconds=switch_seconds(warm),
        finding=finding,
    )

"""How long a build still takes, from what it did so far: the pinned seconds are those of one idle machine."""

from dataclasses import dataclass
from pathlib import Path

_ENOUGH = 0.03
"""Share of the packages after which this machine's own speed says more than the pinned seconds."""
_LINKING = 0.95
"""Share of the time in which packages are compiled; the rest links them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Where one build stands."""

    elapsed_s: float
    share: float
    """Of the packages that a build with cold caches compiles; less with warm caches, which then end sooner."""
    expected_s: float
    """Pinned for an idle machine."""

    @property
    def left_s(self) -> float:
        """Seconds that this build still takes."""
        if self.share < _ENOUGH:
            # Nothing to go by yet. Past what was expected it is the machine that is slow, so as long again.
            return max(self.expected_s - self.elapsed_s, self.elapsed_s)
        return self.elapsed_s * (1 - self.share * _LINKING) / (self.share * _LINKING)

    @property
    def slowness(self) -> float:
        """How many times longer than expected it takes; for the builds that follow."""
        return (self.elapsed_s + self.left_s) / self.expected_s


def compiled(log: Path) -> int:
    """Packages that `go build -v` has named so far: one line each, without blanks."""
    return sum(1 for line in log.read_text(errors="replace").splitlines() if line and " " not in line)

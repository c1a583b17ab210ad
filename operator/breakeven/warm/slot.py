"""One of two places for an engine, and what has become of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .engine import Engine
from .wanted import EngineSpec

SETTLED_S = 3600.0
"""An engine that served for so long and dies then has died once, whatever was before."""
EMPTY, STARTING, ASLEEP, AWAKE, FAILED = "empty", "starting", "asleep", "awake", "failed"


@dataclass(eq=False)
class Slot:
    """Written by the thread that works on it alone; others read."""

    name: str
    port: int
    spec: EngineSpec | None = None
    engine: Engine | None = None
    phase: str = EMPTY
    since: float = field(default_factory=time.time)
    error: str = ""
    deaths: int = 0
    """How often its engine was lost after it was up, or could not be started since then."""
    loaded_at: float = 0.0

    @property
    def loaded(self) -> bool:
        """Whether its engine can serve, at once or after waking."""
        return self.phase in (ASLEEP, AWAKE)

    def become(self, phase: str, error: str = "") -> None:
        """Enter a phase."""
        self.phase, self.error, self.since = phase, error, time.time()

    def fail(self, error: str) -> None:
        """Kill its engine: one that does not do as told may take the GPU memory that the other needs."""
        if self.loaded and time.time() - self.loaded_at > SETTLED_S:
            self.deaths = 0
        self.deaths += self.loaded or self.deaths > 0
        if self.engine is not None:
            self.engine.end(0)
        self.become(FAILED, error)

    def begin(self, spec: EngineSpec) -> None:
        """Make room for an engine. What is known of the deaths of this very one stays."""
        if self.engine is not None:
            self.engine.end(0)
        self.become(STARTING)  # before the rest: others must not take the new one for one that is loaded
        if spec != self.spec:
            self.deaths = 0
        self.spec, self.engine = spec, None

    def hold(self) -> None:
        """Its engine is up, and asleep."""
        self.become(ASLEEP)
        self.loaded_at = self.since

    def described(self) -> dict[str, object]:
        """As /state shows it."""
        return {
            "variant": self.spec.variant if self.spec else None,
            "phase": self.phase,
            "since": round(self.since, 3),
            "error": self.error,
            "deaths": self.deaths,
        }

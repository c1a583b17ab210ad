"""What is asked of planning besides the variant itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from breakeven.planning.measured import Profile
from breakeven.planning.outlook import DEFAULT_BATCHES

TYPICAL_CONTEXT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Circumstances of a plan. The defaults ask the usual question offline."""

    replicas: int = 1
    batches: tuple[int, ...] = DEFAULT_BATCHES
    temperature: float = 0.0
    """Sampling temperature of the traffic."""
    alpha: float | None = None
    """Conditional acceptance per position. None: assumed from the method, and said to be."""
    drafting: float | None = None
    """Share of steps in which n-gram or suffix drafting finds something. None: assumed, and said to be."""
    context: int = TYPICAL_CONTEXT
    """Mean context of a running request in tokens."""
    target_config: Mapping[str, Any] | None = None
    """A config.json of the target, read by the caller."""
    draft_config: Mapping[str, Any] | None = None
    profile: Profile | None = None
    """Step times measured by the user for this resource; they win over built-in tables."""
    loading_minutes: float | None = None
    """Measured minutes from pod start to ready. None: estimated from the weights."""

"""What this process keeps about each resource between passes. All of it can be lost; forgetting a key is one `pop`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from breakeven.api.status import Memory, ValueStatus
from breakeven.control.answers import Comparison
from breakeven.control.fleet import SmokeResult
from breakeven.control.parsed_resource import Parsed
from breakeven.control.ports import ObjectId
from breakeven.control.skipping import Basis, QuietPass
from breakeven.control.warm.book import Book


class Applied(NamedTuple):
    """Fingerprints of what was applied and of what the API server made of it: it may write a value in another way."""

    sent: str
    answered: str


@dataclass(slots=True, kw_only=True)
class ResourceState:
    """One resource, as this process knows it beyond what the API server has."""

    parsed: Parsed | None = None
    """The resource as it was last read; while it rests, without its models."""
    awaits_metrics: bool = False
    """Whether its last pass rested on metrics, so that newer ones may ask for another."""
    metrics_read: bool = False
    """Whether its metrics were read once; an outage before that may be nothing but the start of this process."""
    unsettled_at: dict[str, datetime] = field(default_factory=dict)
    """When each variant was last seen unsettled: pods that went leave no trace in those that stay."""
    smoke: dict[str, SmokeResult] = field(default_factory=dict)
    """Outcomes of smoke tests by uid of the pod."""
    answers: dict[str, Comparison] = field(default_factory=dict)
    """What comparing the answers of the canary came to, by its variant."""
    warm: Book = field(default_factory=Book)
    """What its warm replicas said."""
    applied: dict[ObjectId, Applied] = field(default_factory=dict)
    """What was applied last."""
    refusal: str = ""
    """Why an object could not be written, until it can."""
    value: ValueStatus | None = None
    """What speculation brought, further than the status has it: growing sums alone are not written."""
    quiet_pass: QuietPass | None = None
    """The last pass, when it found nothing to do and the next ones may rest on it."""
    nothing_to_write: Basis | None = None
    """What the last rendering rested on, when no object differed from it."""

    def with_newest_value(self, memory: Memory) -> Memory:
        """The memory with the sums of this process where they are ahead of the written ones."""
        ahead, written = self.value, memory.value
        if ahead is None or (written is not None and written.counted_until >= ahead.counted_until):
            return memory
        return memory.model_copy(update={"value": ahead})

"""What planning found, as `plan` in `status.details` reports it: predictions, never evidence."""

from typing import Annotated

from pydantic import Field

from breakeven.api.base import StatusModel
from breakeven.api.scalars import DecimalString


class PlannedSpeedup(StatusModel):
    """Prediction at one batch."""

    batch: int
    """Running requests per replica."""
    speedup: DecimalString
    """Predicted S at the assumed acceptance."""
    lower: DecimalString | None = None
    """Lower bound of S: four measurements in five lie between the bounds. Absent in the status of an older release."""
    upper: DecimalString | None = None
    """Upper bound of S."""
    inflation: DecimalString
    """Predicted step-time inflation R."""
    break_even_acceptance: DecimalString
    """Accepted / drafted at which S would be 1, whatever the acceptance is."""


class PlanStatus(StatusModel):
    """The plan of the declared variant on the GPU model with the least room. Absent figures are not known."""

    answer: Annotated[str, Field(max_length=512)] = ""
    """What the plan comes to before anything is measured: use it, leave it off, or measure first, and why. Empty without a draft."""
    gpu: Annotated[str, Field(max_length=32)] = ""
    """GPU model the figures are for."""
    starts: Annotated[str, Field(max_length=16)] = ""
    """Whether a replica is expected to start: Yes, Tight, No or Unknown."""
    baseline_kv_tokens: int | None = None
    """KV tokens of a replica without speculation."""
    kv_tokens: int | None = None
    """KV tokens of a replica as declared."""
    lost_percent: int | None = None
    """KV tokens that speculation takes, in percent."""
    assumed_acceptance: DecimalString | None = None
    """Acceptance per position that the speed-ups assume."""
    speedups: Annotated[list[PlannedSpeedup], Field(max_length=16)] = []
    """Predictions by batch. Empty in status: `breakeven plan` prints them."""
    crossover_batch: int | None = None
    """Running requests per replica from which speculation is predicted slower. Absent: at none that was looked at."""
    best_k: int | None = None
    """Draft length with the best prediction at the smallest batch; 0 is none."""
    switch_replica_minutes: int | None = None
    """Replica-minutes that changing every replica once is estimated to cost."""
    source: Annotated[str, Field(max_length=256)] = ""
    """Where the step times come from."""

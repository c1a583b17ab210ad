"""What counts as paying, and how much must be measured before a verdict: thresholds and evidence of `spec`."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from breakeven.api.base import SpecModel
from breakeven.api.rules import DecimalRange, DurationRange, Rule
from breakeven.api.scalars import DECIMAL_PATTERN, DURATION_PATTERN, DecimalString, Duration
from breakeven.api.serving import ModelName, Share

_ORDERED = (
    "!has(self.{lower}) || !has(self.{upper}) || !self.{lower}.matches(r'"
    + DECIMAL_PATTERN.replace("{", "{{").replace("}", "}}")
    + "')"
    " || !self.{upper}.matches(r'" + DECIMAL_PATTERN.replace("{", "{{").replace("}", "}}") + "')"
    " || double(self.{lower}) {relation} double(self.{upper})"
)
"""Two decimal numbers in order; what is no number is the scalar rule's to refuse."""


Prompt = Annotated[str, Field(min_length=1, max_length=4096)]
"""Text of a completion request."""


class SpeedupSpec(SpecModel):
    """Bounds on the measured speed-up S = TPOT without speculation / TPOT with it."""

    rules = (
        Rule(
            field="disable",
            message="write less than promote, for example 0.98 with promote 1.05: the gap keeps speculation from flapping",
            cel=_ORDERED.format(lower="disable", upper="promote", relation="<"),
            holds=lambda s: s.disable < s.promote,
        ),
    )

    promote: Annotated[DecimalString, DecimalRange("0.5", "10")] = Decimal("1.05")
    """Speculation is switched on when the lower bound of S is above this. Default 1.05."""
    disable: Annotated[DecimalString, DecimalRange("0.1", "10")] = Decimal("0.98")
    """Speculation leaves when the upper bound of S stays below this. Default 0.98."""


class QuantizationReferenceSpec(SpecModel):
    """What a quantized pair is compared with, where it has other names than the pair it was made from."""

    target: ModelName | None = None
    """Unquantized checkpoint that `target.model` was made from. Absent: the same name."""
    draft: ModelName | None = None
    """Unquantized checkpoint that `draft.model` was made from. Absent: the same name."""
    acceptance: Annotated[DecimalString, DecimalRange("0", "1")] | None = None
    """Accepted / drafted tokens of the unquantized pair, measured elsewhere. Absent: as it was measured here when that pair
    was promoted last."""


class FixedAcceptanceSpec(SpecModel):
    """Fixed thresholds on accepted / drafted tokens, honoured when set; a measured speed-up is the better judge."""

    rules = (
        Rule(
            field="floor",
            message="write at most caution",
            cel=_ORDERED.format(lower="floor", upper="caution", relation="<="),
            holds=lambda a: a.floor is None or a.caution is None or a.floor <= a.caution,
        ),
        Rule(
            field="caution",
            message="write at most healthy",
            cel=_ORDERED.format(lower="caution", upper="healthy", relation="<="),
            holds=lambda a: a.caution is None or a.healthy is None or a.caution <= a.healthy,
        ),
        Rule(
            field="floor",
            message="write at most healthy",
            cel=_ORDERED.format(lower="floor", upper="healthy", relation="<="),
            holds=lambda a: a.floor is None or a.healthy is None or a.floor <= a.healthy,
        ),
    )

    floor: Share | None = None
    """Below this, speculation leaves. Absent: not used."""
    caution: Share | None = None
    """Below this, a condition warns. Absent: not used."""
    healthy: Share | None = None
    """A trial is promoted on acceptance only at or above this. Absent: not used."""


class LatencySpec(SpecModel):
    """Tail latency that speculation may cost."""

    max_p99_tpot_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxP99TPOTRegressionPercent")] = 10
    """Largest rise of the 99th percentile of time per output token, in percent. Default 10."""
    max_ttft_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxTTFTRegressionPercent")] = 15
    """Largest rise of the 95th percentile of time to first token, in percent. Default 15."""


class EvidenceSpec(SpecModel):
    """How much must be measured before a verdict."""

    rules = (
        Rule(
            field="trialTimeout",
            message="write at least window: a trial needs one window to be judged",
            cel=f"!self.trialTimeout.matches(r'{DURATION_PATTERN}') || !self.window.matches(r'{DURATION_PATTERN}')"
            " || duration(self.trialTimeout) >= duration(self.window)",
            holds=lambda e: e.trial_timeout >= e.window,
        ),
    )

    window: Annotated[Duration, DurationRange("10s", "24h")] = timedelta(minutes=10)
    """Length of one window; it is cut into ten batches whose spread gives the bounds. Default 10m, at least ten scrapes."""
    warmup: Annotated[Duration, DurationRange("0s", "24h")] = timedelta(minutes=5)
    """What a replica measures in this time after it became ready is left out. Default 5m."""
    min_requests: Annotated[int, Field(ge=0, le=10_000_000)] = 100
    """Finished requests an arm needs in a window. Default 100."""
    min_draft_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 2000
    """Drafted tokens an arm needs in a window. Default 2000."""
    promote_windows: Annotated[int, Field(ge=1, le=100)] = 3
    """Full windows a trial must measure before it may be promoted. Default 3."""
    leave_windows: Annotated[int, Field(ge=1, le=100)] = 2
    """Windows that a loss is shown over, taken together, before speculation leaves; 24 at most count. Default 2."""
    alarm_after: Annotated[Duration, DurationRange("0s", "24h")] = timedelta(0)
    """How long a large and plain loss must have lasted before speculation leaves ahead of the windows. Longer spares the switch for short bursts. Default 0s: as soon as chance is ruled out."""
    trial_timeout: Annotated[Duration, DurationRange("10s", "720h")] = timedelta(hours=6)
    """A trial without a verdict ends after this. Default 6h."""
    prompts: Annotated[list[Prompt], Field(max_length=8)] = []
    """Prompts that a trial asks with the draft and without, at temperature 0, after eight of its own: a draft with which the answers differ is not promoted. Neither prompts nor answers are logged or written to the status. Default: none."""


class ThresholdsSpec(SpecModel):
    """What counts as paying."""

    speedup: SpeedupSpec = SpeedupSpec()
    """Bounds on the measured speed-up. Default: on above 1.05, off below 0.98."""
    acceptance: FixedAcceptanceSpec = FixedAcceptanceSpec()
    """Fixed thresholds on accepted / drafted. Absent: not used."""
    latency: LatencySpec = LatencySpec()
    """Tail latency that speculation may cost. Default: 10 percent of P99 time per output token, 15 percent of P95 time to first token."""
    baseline_drop_points: Annotated[int, Field(ge=1, le=100)] = 5
    """Points of acceptance lost against the recorded unquantized pair that are reported as a quantization penalty. A diagnosis, never an action. Default 5."""

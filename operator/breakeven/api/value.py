"""The part of `status` that says what speculation gained and what knowing cost."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from breakeven.api.base import StatusModel
from breakeven.api.scalars import DecimalString, Sum, Time


class ValueSums(StatusModel):
    """What speculation gained and what knowing cost, over some time. Only judged windows are counted."""

    tokens: Sum = 0
    """Tokens that the same decoding time would not have given without speculation: tokens * (1 - 1 / S)."""
    tokens_lower: Sum = 0
    """The same with the lower bound of S in every window."""
    replica_hours: DecimalString = Decimal(0)
    """Hours of plain replicas that would have been needed on top: replica-hours that speculate * (S - 1)."""
    replica_hours_lower: DecimalString = Decimal(0)
    """The same with the lower bound of S."""
    cost_tokens: Sum = 0
    """Tokens that the live control would have decoded more if it had speculated: its tokens * (S - 1)."""
    cost_replica_hours: DecimalString = Decimal(0)
    """The same in hours of plain replicas."""


class ValueHour(ValueSums):
    """The sums of one hour."""

    start: Time
    """When it began."""


class ValueStatus(StatusModel):
    """Sums of what speculation gained. Written with other news, and once an hour at most when they moved; live sums are
    in the operator's own metrics."""

    counted_until: Time
    """End of the last batch that is in the sums."""
    since: Time
    """When the last verdict that changed something was reached."""
    since_verdict: ValueSums = ValueSums()
    """Since then."""
    day: ValueSums = ValueSums()
    """Over the last 24 hours, by whole hours."""
    hours: Annotated[list[ValueHour], Field(max_length=25)] = []
    """The hours of that day, oldest first."""


class ValueReport(StatusModel):
    """What speculation gained and what knowing cost, in sums. Written with other news, and once an hour at most when they
    moved; live sums are in the operator's own metrics."""

    counted_until: Time
    """End of the last batch that is in the sums."""
    since: Time
    """When the last verdict that changed something was reached."""
    since_verdict: ValueSums = ValueSums()
    """Since then."""
    day: ValueSums = ValueSums()
    """Over the last 24 hours, by whole hours."""

"""What speculation is for: the time that users wait, tokens per GPU, or requests within bounds of latency."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from breakeven.api.base import SpecModel
from breakeven.api.rules import DecimalRange, Rule
from breakeven.api.scalars import DecimalString


class ObjectiveKind(StrEnum):
    """By what it is decided whether speculation pays."""

    LATENCY = "Latency"
    THROUGHPUT = "Throughput"
    GOODPUT = "Goodput"


class LatencyBound(SpecModel):
    """A share of the requests, and the time within which it has to be served."""

    quantile: Annotated[DecimalString, DecimalRange("0.01", "0.999")]
    """Share of the requests that must stay within the bound; 0.95 is the 95th percentile."""
    seconds: Annotated[DecimalString, DecimalRange("0.0005", "600")]
    """The bound, in seconds. From vLLM 0.32 on the engine counts requests at exactly this time, and another one replaces the replicas; before, only at the bounds that it has."""


class ObjectiveSpec(SpecModel):
    """By what it is decided whether speculation pays."""

    rules = (
        Rule(
            field="kind",
            message="write Goodput where ttft or tpot is set, and set one of them, for example "
            'tpot: {quantile: "0.99", seconds: "0.05"}, where kind is Goodput',
            cel="(self.kind == 'Goodput') == (has(self.ttft) || has(self.tpot))",
            holds=lambda o: (o.kind is ObjectiveKind.GOODPUT) == (o.ttft is not None or o.tpot is not None),
        ),
    )

    kind: ObjectiveKind = ObjectiveKind.LATENCY
    """Latency: time from request to last token. Throughput: output tokens per second of a replica, whatever a request waits. Goodput: share of requests within ttft and tpot, and the time to the last token where that share does not tell. Default Latency."""
    ttft: LatencyBound | None = None
    """Bound of the time to first token, with Goodput. Absent: none."""
    tpot: LatencyBound | None = None
    """Bound of a request's mean time per output token, with Goodput. Absent: none."""


class HistogramBounds(SpecModel):
    """Bounds at which an engine has to count requests, in seconds: part of its command line."""

    ttft: DecimalString | None = None
    """Of the time to first token. Absent: none."""
    tpot: DecimalString | None = None
    """Of the time per output token. Absent: none."""


def histogram_bounds(objective: ObjectiveSpec) -> HistogramBounds | None:
    """What the engine has to count at for this objective; None for nothing but its usual bounds."""
    ttft, tpot = (_seconds(bound) for bound in (objective.ttft, objective.tpot))
    return None if ttft is None and tpot is None else HistogramBounds(ttft=ttft, tpot=tpot)


def _seconds(bound: LatencyBound | None) -> Decimal | None:
    return None if bound is None else bound.seconds.normalize()

"""What the operator may do: mode, control, switching and budget of `spec`."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from breakeven.api.base import SpecModel
from breakeven.api.choices import HoldbackMode, LadderStep, Mode, OnDrainTimeout, SwitchingMode, Weekday
from breakeven.api.lists import SET, once
from breakeven.api.rules import DurationRange, Pattern, Rule
from breakeven.api.scalars import Duration


class HoldbackSpec(SpecModel):
    """Replicas without speculation, kept as a live control."""

    mode: HoldbackMode = HoldbackMode.AUTO
    """Auto: only while knowing pays. Always: as long as speculation is on. Never: before/after windows with wider bounds. Default Auto."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """How many. Default 1."""


TimeOfDay = Annotated[
    str,
    Field(max_length=5),
    Pattern(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", 'write HH:MM in UTC, in quotes, for example "22:30"'),
]


class SwitchingWindow(SpecModel):
    """A weekly time in which replicas may be switched, in UTC."""

    rules = (
        Rule(
            field="end",
            message="write another time than start: equal times leave no window; for whole days write 00:00 and 23:59",
            cel="self.start != self.end",
            holds=lambda w: w.start != w.end,
        ),
    )

    days: Annotated[list[Weekday], AfterValidator(once), Field(max_length=7, json_schema_extra=SET)] = []
    """Days it applies to. Absent: every day."""
    start: TimeOfDay
    """First minute, HH:MM in UTC."""
    end: TimeOfDay
    """Minute it ends, HH:MM in UTC; earlier than start means the next day."""


class SwitchingSpec(SpecModel):
    """How replicas are switched, and what that may use."""

    rules = (
        Rule(
            field="onDrainTimeout",
            message="leave Abort out or set mode: Warm: with Reload a replica that stops lets its requests finish for engine.shutdownTimeout",
            cel="!has(self.onDrainTimeout) || self.onDrainTimeout != 'Abort' || (has(self.mode) && self.mode == 'Warm')",
            holds=lambda s: s.on_drain_timeout is not OnDrainTimeout.ABORT or s.mode is SwitchingMode.WARM,
        ),
    )

    mode: SwitchingMode = SwitchingMode.RELOAD
    """Reload: a switch stops a replica and loads another. Warm: each replica holds both variants, one of them asleep, and a switch takes about a second; needs host memory for the weights of both. Default Reload."""
    drain_timeout: Annotated[Duration, DurationRange("0s", "10m")] = timedelta(seconds=30)
    """With mode Warm: how long a switch lets streams in flight finish; new requests wait meanwhile. Default 30s."""
    on_drain_timeout: OnDrainTimeout = OnDrainTimeout.WAIT
    """With mode Warm, when streams are still in flight after drainTimeout: Wait gives the switch up and tries again later, Abort ends them. Default Wait."""
    surge: Annotated[int, Field(ge=0, le=100)] = 0
    """Spare replicas that a switch may start before it stops others; they need GPUs that are free. Default 0."""
    allow_downtime: bool = False
    """Whether the last serving replica may stop. Default false: without a surge replica the verdict stands and nothing is switched."""
    windows: Annotated[list[SwitchingWindow], Field(max_length=16)] = []
    """When switches may happen. Absent: at any time."""


def _renamed(value: Any) -> Any:
    """Name the word that took the place of On and Off. Raises ValueError."""
    word = {True: "On", False: "Off"}[value] if isinstance(value, bool) else value
    if word in ("On", "Off"):
        raise ValueError(
            f"write {Mode('Always' + word).value} instead of {word}: YAML reads a bare {word} as a boolean"
        )
    return value


class PolicySpec(SpecModel):
    """What the operator may do."""

    mode: Annotated[Mode, BeforeValidator(_renamed)] = Mode.AUTO
    """Auto decides and acts; Advise decides, records and touches nothing; AlwaysOn and AlwaysOff pin speculation. Default Auto."""
    paused: bool = False
    """Stops every change of running replicas; observation goes on. Default false."""
    on_below_break_even: Annotated[
        list[LadderStep], AfterValidator(once), Field(max_length=8, json_schema_extra=SET)
    ] = [
        LadderStep.TUNE,
        LadderStep.CHANGE_ACCEPTANCE_METHOD,
        LadderStep.DISABLE,
    ]
    """What is tried, in this order, when speculation falls under break-even. Default Tune, ChangeAcceptanceMethod, Disable."""
    holdback: HoldbackSpec = HoldbackSpec()
    """The live control: replicas kept without speculation. Default: one, only while knowing pays."""
    switching: SwitchingSpec = SwitchingSpec()
    """How replicas are switched. Default: Reload, without spare replica and downtime, at any time."""
    cooldown: Annotated[Duration, DurationRange("0s", "24h")] = timedelta(minutes=30)
    """Time off before the next trial; doubles with each failed attempt, up to 15h. Default 30m."""
    max_transitions_per_day: Annotated[int, Field(ge=0, le=1000)] = 4
    """Changes of speculation in 24 hours, after which the state is Frozen. Default 4."""

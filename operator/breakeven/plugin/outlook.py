"""What comes next for a resource, and what would change it. Pure: from spec, status and time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from breakeven.api.conditions import ConditionType, find_condition
from breakeven.api.scalars import format_duration
from breakeven.api.spec import Mode, SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State, Status
from breakeven.plugin.moments import clock, until


class Outlook(NamedTuple):
    """Two sentences."""

    next: str
    """What is looked at or done next, and when."""
    changes: str
    """What would change what runs, the user's own commands among it."""


def outlook(name: str, spec: SpeculativeDeploymentSpec | None, status: Status, now: datetime) -> Outlook:
    """What comes next: a person's orders first, then what the state waits for."""
    if not status.conditions:
        return Outlook(
            "The operator has not looked at it yet.",
            "Is it running? `kubectl get pods -A -l app.kubernetes.io/name=breakeven`",
        )
    if spec is None:
        return Outlook(
            "Unknown: this release cannot read the spec.", "Use the `kubectl breakeven` of the operator's release."
        )
    return _ordered(name, spec, status) or _of_state(name, spec, status, now)


def _ordered(name: str, spec: SpeculativeDeploymentSpec, status: Status) -> Outlook | None:
    """What a person decided, or has to."""
    refused = find_condition(status.conditions, ConditionType.CONFIGURATION_VALID)
    if refused is not None and refused.status == "False":
        return Outlook("Nothing is started or changed before the spec is.", refused.message)
    if spec.policy.paused:
        return Outlook(
            "Measuring goes on, nothing is changed: spec.policy.paused is true.", f"`kubectl breakeven resume {name}`."
        )
    if spec.draft is None:
        return Outlook("It serves without speculation: spec.draft is absent.", "Write spec.draft.")
    if spec.policy.mode in (Mode.ALWAYS_ON, Mode.ALWAYS_OFF):
        back = "on" if spec.policy.mode is Mode.ALWAYS_OFF else "auto"
        return Outlook(
            f"Speculation is pinned: spec.policy.mode is {spec.policy.mode}. What can be measured is reported.",
            f"`kubectl breakeven {back} {name}` lets the operator decide again.",
        )
    if spec.replicas == 0:
        return Outlook("No replica is declared: spec.replicas is 0.", "Write spec.replicas.")
    return None


def _of_state(name: str, spec: SpeculativeDeploymentSpec, status: Status, now: datetime) -> Outlook:
    evidence, speedup, memory = spec.evidence, spec.thresholds.speedup, status.memory
    window, advise = format_duration(evidence.window), spec.policy.mode is Mode.ADVISE
    match status.state:
        case State.TRIAL | State.TUNING:
            begun = memory.since or now
            return Outlook(
                f"A verdict on the canary after {evidence.promote_windows} windows of {window}, "
                f"by {until(begun + evidence.trial_timeout, now)}, at the latest.",
                f"Promoted when the lower bound of S is above {speedup.promote}, ended when the upper bound is "
                f"below 1; `kubectl breakeven promote {name}` or `abort {name}` decides it now.",
            )
        case State.SPECULATING:
            would = "It would be switched off (spec.policy.mode is Advise)" if advise else "Switched off"
            return Outlook(
                f"Judged every {window}{_next_window(status, evidence.window, now)}; "
                "a large loss is seen within a few scrapes.",
                f"{would} when the upper bound of S is below {speedup.disable} in {evidence.leave_windows} windows "
                f"in a row; `kubectl breakeven abort {name}` ends it until the next try, `off {name}` for good.",
            )
        case State.COOLDOWN:
            when = f"{until(memory.cooldown_until, now)}" if memory.cooldown_until else "as soon as it settles"
            return Outlook(
                f"Next try: {when}; sooner once the load is half of what it was at the failure.",
                f"`kubectl breakeven retry {name}` forgets the cooldown.",
            )
        case State.FROZEN:
            return Outlook(_thawing(spec, memory, now), f"`kubectl breakeven retry {name}` forgets the day's changes.")
        case State.BASELINE:
            return Outlook(
                "A canary is tried once what serves is at rest, measured and scraped."
                if not advise
                else "What is measured is recorded, and nothing is tried: spec.policy.mode is Advise.",
                f"`kubectl breakeven promote {name}` switches on without a trial.",
            )


def _next_window(status: Status, window: timedelta, now: datetime) -> str:
    """When the next window ends: they lie on a grid, and the last one that was written tells which."""
    judged = status.details.evidence
    if judged is None or judged.window_end is None or judged.window_end > now:
        return ""
    ended = (now - judged.window_end) // window
    return f", next about {until(judged.window_end + (ended + 1) * window, now)}"


def _thawing(spec: SpeculativeDeploymentSpec, memory: Memory, now: datetime) -> str:
    day = f"The day's changes are used up (spec.policy.maxTransitionsPerDay: {spec.policy.max_transitions_per_day})"
    if not memory.transitions:
        return f"{day}."
    oldest = min(memory.transitions)
    return f"{day}; the oldest, of {clock(oldest, now)}, counts until {until(oldest + timedelta(days=1), now)}."

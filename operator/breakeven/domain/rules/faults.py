"""What acts without statistics, within minutes: pods that do not come up, crash, or drown in work.

Faults of pods come from the API server and act even while Prometheus is away. Storms come from counters and compare
with the control: what the control suffers too is load, not speculation.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from breakeven.api.scalars import format_duration
from breakeven.api.status import State
from breakeven.api.vocabulary import Reason, StayReason
from breakeven.domain.answer import Answer, Stay, Transition
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Smoke
from breakeven.domain.measures import queues
from breakeven.domain.rules import cooldown
from breakeven.domain.rules.transitions import abandon_trial, disable, fail_trial
from breakeven.domain.situation import Situation

GRACE = timedelta(minutes=2)
"""A fault has to last this long, or one window where that is shorter."""
CRASHES = 3
"""Restarts of a canary's containers that end its trial."""
PREEMPTIONS_PER_MINUTE = 1.0
KV_FULL = 0.95
ERROR_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the replicas that speculate."""

    reason: Reason
    message: str


def grace(situation: Situation) -> timedelta:
    """How long a fault may last."""
    return min(GRACE, situation.evidence.window)


def guard_canary(situation: Situation) -> Transition | None:
    """End a trial whose canary does not come up, answers wrongly, or crashes."""
    memory = situation.memory
    if not situation.on_trial or memory.canary is None or memory.since is None:
        return None
    fleet = situation.fleet(memory.canary)
    if fleet is None:
        return None
    lasted = situation.time - memory.since >= grace(situation)
    if fleet.smoke == Smoke.FAILED:
        return fail_trial(situation, Reason.SMOKE_TEST_FAILED, f"a real completion failed: {fleet.smoke_message}")
    if fleet.unschedulable and lasted:
        return _put_off(situation, fleet)
    if fleet.failing and lasted:
        return fail_trial(situation, Reason.ENGINE_FAILING, f"the canary does not come up: {fleet.failing}")
    if fleet.restarts >= CRASHES:
        message = f"containers of the canary restarted {fleet.restarts} times"
        message += f", the last time {fleet.crash}" if fleet.crash else ""
        return fail_trial(situation, Reason.ENGINE_FAILING, message)
    # A canary that served and lost its node starts anew, and has its time anew.
    waited = situation.time - max(memory.since, fleet.waiting_since or memory.since)
    if fleet.ready == 0 and waited >= situation.spec.engine.startup_timeout:
        limit = format_duration(situation.spec.engine.startup_timeout)
        message = f"the canary was not ready within {limit} (spec.engine.startupTimeout)"
        return fail_trial(situation, Reason.STARTUP_TIMEOUT, message)
    return None


def _put_off(situation: Situation, fleet: Fleet) -> Transition:
    """Wait for the shortest cooldown: nothing failed but the search for a node."""
    message = f"the canary found no node, and the trial is put off: {fleet.unschedulable}"
    return abandon_trial(situation, Reason.UNSCHEDULABLE, message).also(
        cooldown_until=situation.time + cooldown.wait(situation.policy, 0),
        state=State.SPECULATING if situation.stable.speculates else State.COOLDOWN,
    )


def guard_stable(situation: Situation) -> Answer:
    """Serve without speculation when the speculating variant that serves does not come up any more."""
    memory = situation.memory
    if situation.on_trial or not situation.stable.speculates or memory.since is None:
        return None
    fleet = situation.fleet(situation.stable)
    if fleet is None or not fleet.failing or situation.time - memory.since < grace(situation):
        return None
    if fleet.ready > 0 and not fleet.ready < fleet.wanted:
        return None
    if not cooldown.may_switch(situation.policy, memory, situation.time):
        return _used_up("replicas with speculation do not come up")
    return disable(situation, Reason.ENGINE_FAILING, f"replicas with speculation do not come up: {fleet.failing}")


def guard_storm(situation: Situation) -> Answer:
    """Stop speculation that preempts, queues or fails where the control does not."""
    watched = storm_watch(situation)
    if watched is None or situation.observation.outage is not None:
        return None
    fault = watched.fault(situation.observation.arms, situation.time)
    if fault is None:
        return None
    if situation.on_trial:
        return fail_trial(situation, fault.reason, fault.message)
    if not cooldown.may_switch(situation.policy, situation.memory, situation.time):
        return _used_up(f"replicas with speculation do worse than the control ({fault.reason})")
    return disable(situation, fault.reason, fault.message)


def _used_up(fault: str) -> Stay:
    """The day's changes are used up; what the measurements say is asked all the same, and may freeze."""
    message = f"{fault}, and the changes of 24 h are used up (spec.policy.maxTransitionsPerDay)"
    return Stay(reason=StayReason.DAY_USED_UP, message=message, ends=False)


@dataclass(frozen=True, slots=True)
class StormWatch:
    """Which arms the guard against storms looks at until memory, spec or fleet change, by the names of variants."""

    on: str
    control: str | None
    grace: float
    """Seconds that a storm has to last."""

    def rages(self, arms: Mapping[str, Arm], now: datetime) -> bool:
        """Whether there is a storm."""
        return self.fault(arms, now) is not None

    def fault(self, arms: Mapping[str, Arm], now: datetime) -> Fault | None:
        """What is wrong with the speculating arm and not with its control; None when nothing is."""
        ours = self._recent(arms.get(self.on), now)
        if _calm(ours):
            return None
        control = arms.get(self.control) if self.control is not None else None
        return storm(ours, self._recent(control, now))

    def _recent(self, arm: Arm | None, now: datetime) -> Sequence[Batch]:
        """The newest batches of an arm that cover the grace, all of them within it or nothing."""
        if arm is None:
            return ()
        since = now.timestamp() - 2 * self.grace
        batches = arm.batches[bisect_left(arm.batches, since, key=lambda b: b.start) :]
        covered = sum(b.end - b.start for b in batches)
        return batches if covered >= self.grace * 0.999 else ()


def _calm(on: Sequence[Batch]) -> bool:
    """Whether nothing is there that every storm has, so that the control need not be looked at."""
    return not any(
        batch.totals.preemptions or batch.totals.failed or (batch.gauges.waiting or 0.0) > queues.AT_LEAST
        for batch in on
    )


def storm_watch(situation: Situation) -> StormWatch | None:
    """What the guard looks at; None when nothing speculates."""
    on = situation.memory.canary if situation.on_trial else situation.stable
    if on is None or not on.speculates:
        return None
    control = situation.stable if situation.on_trial else situation.stable.baseline
    return StormWatch(on.name, control.name if control != on else None, grace(situation).total_seconds())


def storm(on: Sequence[Batch], control: Sequence[Batch]) -> Fault | None:
    """What is wrong with the speculating arm and not with its control; None when nothing is."""
    if not on:
        return None
    return _preempting(on) or _queueing(on, control) or _failing(on, control)


def _preempting(on: Sequence[Batch]) -> Fault | None:
    for batch in on:
        per_minute = (batch.totals.preemptions or 0.0) / max(1, batch.replicas) / ((batch.end - batch.start) / 60)
        if per_minute <= PREEMPTIONS_PER_MINUTE or (batch.gauges.kv_usage or 0.0) <= KV_FULL:
            return None
    message = (
        f"more than {PREEMPTIONS_PER_MINUTE:g} preemption a minute and replica with the KV cache above {KV_FULL:.0%}"
    )
    return Fault(reason=Reason.PREEMPTION_STORM, message=message)


def _queueing(on: Sequence[Batch], control: Sequence[Batch]) -> Fault | None:
    if not control:
        return None
    waiting = [batch.gauges.waiting or 0.0 for batch in on]
    limits = [queues.bound(batch.gauges.running or 0.0) for batch in on]
    growing = waiting[-1] > waiting[0]
    theirs = max((batch.gauges.waiting or 0.0 for batch in control), default=0.0)
    if not growing or any(w <= limit for w, limit in zip(waiting, limits, strict=True)):
        return None
    if theirs > min(limits) / 2:
        return None
    message = f"{waiting[-1]:.0f} requests wait per replica and the queue grows; the control has {theirs:.0f}"
    return Fault(reason=Reason.QUEUE_GROWTH, message=message)


def _failing(on: Sequence[Batch], control: Sequence[Batch]) -> Fault | None:
    ours, requests = _failures(on)
    theirs, others = _failures(control)
    if requests < 20 or not control:
        return None
    share, usual = ours / requests, theirs / others if others else 0.0
    if share <= max(ERROR_SHARE, 3 * usual) or ours < 5:
        return None
    return Fault(reason=Reason.ERROR_RATE, message=f"{share:.1%} of the requests fail, {usual:.1%} in the control")


def _failures(batches: Sequence[Batch]) -> tuple[float, float]:
    failed = sum(batch.totals.failed or 0.0 for batch in batches)
    return failed, failed + sum(batch.totals.finished or 0.0 for batch in batches)

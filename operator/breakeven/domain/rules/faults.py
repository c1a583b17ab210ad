"""What acts without statistics, within minutes: pods that do not come up, crash, or drown in work.

Faults of pods come from the API server and act even while Prometheus is away. Storms come from counters and compare
with the control: what the control suffers too is load, not speculation.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from breakeven.api.scalars import format_duration
from breakeven.api.spec import ObjectiveKind
from breakeven.api.status import State
from breakeven.api.vocabulary import Reason, StayReason
from breakeven.domain.answer import Answer, Stay, Transition
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Smoke
from breakeven.domain.measures import queues
from breakeven.domain.rules import cooldown, live_control
from breakeven.domain.rules.transitions import abandon_trial, disable, fail_trial
from breakeven.domain.situation import Situation

GRACE = timedelta(minutes=2)
"""A fault has to last this long, or one window where that is shorter."""
CRASHES = 3
"""Restarts of a canary's containers that end its trial."""
PREEMPTIONS_PER_MINUTE = 1.0
KV_FULL = 0.95
KV_BUSY = 0.85
"""KV cache in use from which a queue may be one for room in it: a request waits until there is room for its prompt."""
MANY_TIMES = 3.0
"""A queue is another one than at the promotion when it is so many times as long."""
ERROR_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the replicas that speculate."""

    reason: Reason
    message: str
    doubted: bool = False
    """Nothing was there to compare with, so load may be the cause: a live control is bought first, where one may be."""


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
    # A canary that lost its node starts anew, and has its time anew; one whose turn has not come has all of it.
    waited = situation.time - max(memory.since, fleet.waiting_since or memory.since)
    if fleet.existing and fleet.ready == 0 and waited >= situation.spec.engine.startup_timeout:
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
    if fault.doubted and live_control.may_buy(situation):
        return live_control.bought(situation, fault.reason, f"{fault.message}: measure it live")
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
    window: float
    """Seconds that a queue has to stand when it does not grow."""
    usual: float | None
    """Requests that waited on a replica when this variant was promoted. None: queues are not guarded against alone."""
    waits: bool
    """Whether anybody minds a queue: with the objective Throughput it is what keeps a replica busy."""

    def rages(self, arms: Mapping[str, Arm], now: datetime) -> bool:
        """Whether there is a storm."""
        return self.fault(arms, now) is not None

    def fault(self, arms: Mapping[str, Arm], now: datetime) -> Fault | None:
        """What is wrong with the speculating arm and not with its control; None when nothing is."""
        ours = self._recent(arms.get(self.on), now, self.grace)
        if _calm(ours):
            return None
        control = arms.get(self.control) if self.control is not None else None
        theirs = self._recent(control, now, self.grace)
        fault = storm(ours, theirs)
        if fault is None and self.waits:
            fault = _queueing(ours, theirs, growing=True)
        if fault is not None or not self.waits or not _queued(ours):
            return fault
        standing = self._recent(arms.get(self.on), now, self.window)
        return _queueing(standing, self._recent(control, now, self.window), growing=False) or self._alone(standing)

    def _alone(self, on: Sequence[Batch]) -> Fault | None:
        """A queue that stands for a window and was not there at the promotion, with nothing to compare it with."""
        if self.usual is None or not on or not _queued(on):
            return None
        waiting = fmean(batch.gauges.waiting or 0.0 for batch in on)
        full = all((batch.gauges.kv_usage or 0.0) > KV_BUSY for batch in on)
        if not full or waiting <= MANY_TIMES * self.usual:
            return None
        message = f"{waiting:.0f} requests wait per replica for room in the KV cache, of which a draft takes its share"
        message += f"; {self.usual:.0f} did at the promotion, and there is no control"
        return Fault(reason=Reason.QUEUE_GROWTH, message=message, doubted=True)

    def _recent(self, arm: Arm | None, now: datetime, seconds: float) -> Sequence[Batch]:
        """The newest batches of an arm that cover so long, all of them within twice as long or nothing."""
        if arm is None:
            return ()
        since = now.timestamp() - seconds - max(self.grace, 0.2 * seconds)
        batches = arm.batches[bisect_left(arm.batches, since, key=lambda b: b.start) :]
        covered = sum(b.end - b.start for b in batches)
        return batches if covered >= seconds * 0.999 else ()


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
    return StormWatch(
        on=on.name,
        control=control.name if control != on else None,
        grace=grace(situation).total_seconds(),
        window=situation.evidence.window.total_seconds(),
        usual=None if situation.on_trial or situation.memory.holdback else _usual_queue(situation),
        waits=situation.spec.objective.kind is not ObjectiveKind.THROUGHPUT,
    )


def _usual_queue(situation: Situation) -> float:
    """Requests that waited on a replica when what serves was promoted; none where that was not written down."""
    reference = situation.memory.reference
    return float(reference.waiting_on) if reference is not None and reference.waiting_on is not None else 0.0


def storm(on: Sequence[Batch], control: Sequence[Batch]) -> Fault | None:
    """What is wrong with the speculating arm and not with its control; None when nothing is."""
    if not on:
        return None
    return _preempting(on) or _failing(on, control)


def _preempting(on: Sequence[Batch]) -> Fault | None:
    for batch in on:
        per_minute = (batch.totals.preemptions or 0.0) / max(1, batch.replicas) / ((batch.end - batch.start) / 60)
        if per_minute <= PREEMPTIONS_PER_MINUTE or (batch.gauges.kv_usage or 0.0) <= KV_FULL:
            return None
    message = (
        f"more than {PREEMPTIONS_PER_MINUTE:g} preemption a minute and replica with the KV cache above {KV_FULL:.0%}"
    )
    return Fault(reason=Reason.PREEMPTION_STORM, message=message)


def _queueing(on: Sequence[Batch], control: Sequence[Batch], *, growing: bool) -> Fault | None:
    """A queue that the control does not share: one that grows, or one that stands for longer."""
    if not control or not on or not _queued(on):
        return None
    waiting = [batch.gauges.waiting or 0.0 for batch in on]
    limit = min(queues.bound(batch.gauges.running or 0.0) for batch in on)
    theirs = max((batch.gauges.waiting or 0.0 for batch in control), default=0.0)
    if theirs > limit / 2 or (growing and waiting[-1] <= waiting[0]):
        return None
    how = "and the queue grows" if growing else f"for {(on[-1].end - on[0].start) / 60:.0f} min"
    message = f"{waiting[-1]:.0f} requests wait per replica {how}; the control has {theirs:.0f}"
    return Fault(reason=Reason.QUEUE_GROWTH, message=message)


def _queued(on: Sequence[Batch]) -> bool:
    """Whether requests wait in every batch."""
    return all((b.gauges.waiting or 0.0) > queues.bound(b.gauges.running or 0.0) for b in on)


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

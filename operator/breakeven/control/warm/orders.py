"""What to ask the warm replicas of one resource next. Pure.

Each is asked what it holds before it is told anything, so an order that was lost, repeated or cut short by the end of
this process does no harm: what the replica says afterwards is what counts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from breakeven.control.warm.book import Replica
from breakeven.control.warm.state import Doing, Order, WarmState

REFRESH = timedelta(minutes=1)
"""Age from which an answer is asked for again."""
UNDER_WAY = timedelta(seconds=2)
"""The same while a replica switches or loads."""
UNREAD = timedelta(seconds=5)
"""The same while a replica has not read the newest slots file, which its kubelet brings within a minute or so."""
PATIENCE = timedelta(seconds=5)
"""Pause after the first order that failed; it doubles with each further one."""
LONGEST = timedelta(minutes=5)
AT_ONCE = 8
"""One replica of so many may switch at a time, and always one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPod:
    """A living warm replica."""

    uid: str
    name: str
    address: str
    """Empty: it has none of its own, and is not asked."""
    ready: bool
    known: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the replicas should do."""

    awake: Mapping[str, str]
    """By name of the pod, the variant that should serve."""
    holds: Sequence[str]
    """Variants that the slots file names."""
    revision: str
    """Of that file; empty when there is none yet."""
    frozen: bool = False
    """Whether nothing that serves may change."""
    may_load: bool = True
    """Whether a replica may leave for the minutes in which it loads: the switching windows."""
    allow_downtime: bool = False
    """Whether the last serving replica may do so."""


def next_orders(pods: Sequence[WarmPod], wish: Wish, now: datetime) -> list[Order]:
    """Everything that can be asked now: questions of all, orders only of as many as may switch at a time."""
    # One that has never been ready loads, and listens at its own time; when it is ready, the watch says so.
    speaks = [pod for pod in pods if pod.address and (pod.ready or pod.known.state is not None)]
    reachable = [pod for pod in speaks if pod.known.doing is None]
    found = [_ask(pod, Doing.LOOK) for pod in reachable if _due(pod.known, wish, now)]
    if wish.frozen:
        return found
    asked = {order.uid for order in found}
    free = max(1, len(pods) // AT_ONCE) - sum(_is_changing(pod) for pod in pods)
    for pod in reachable:
        variant = _to_wake(pod, wish) if pod.uid not in asked else ""
        if variant and free > 0 and _patient(pod.known, now):
            found.append(_ask(pod, Doing.WAKE, variant))
            free -= 1
    asked = {order.uid for order in found}
    loading = next((p for p in reachable if p.uid not in asked and lacks(p, wish) and _patient(p.known, now)), None)
    if loading is not None and wish.may_load and not why_not_load(pods, wish):
        found.append(_ask(loading, Doing.LOAD))
    return found


def next_look(pods: Sequence[WarmPod], wish: Wish, now: datetime) -> timedelta:
    """When one of the replicas is to be asked again without any event."""
    free = [pod.known for pod in pods if pod.known.asked_at and not pod.known.doing]
    waits = [known.asked_at + _age(known, wish) - now for known in free if known.asked_at]
    pauses = [known.failed_at + _pause(known) - now for known in free if known.failures and known.failed_at]
    waits += [pause for pause in pauses if pause > timedelta()]  # what failed is tried again when its pause is over
    return max(timedelta(seconds=1), min(waits, default=REFRESH))


def lacks(pod: WarmPod, wish: Wish) -> bool:
    """Whether a variant of the slots file is neither loaded here nor known to fail, or has died."""
    state = pod.known.state
    if state is None or not pod.ready or not wish.revision or state.revision != wish.revision:
        return False  # a file that changed reaches the pod within a minute
    missing = set(wish.holds) - {slot.variant for slot in state.slots.values() if slot.loaded}
    if state.loaded_revision != wish.revision:
        return bool(missing)
    return any(slot.comes_back and slot.variant in missing for slot in state.slots.values())


def why_not_load(pods: Sequence[WarmPod], wish: Wish) -> str:
    """What keeps a replica from leaving for the minutes in which it loads; empty: nothing does."""
    if any(_is_changing(pod) or not pod.ready for pod in pods):
        return "another replica is not ready or is changing"
    if len(pods) <= 1 and not wish.allow_downtime:
        return "it would stop the last serving replica"
    return ""


def _to_wake(pod: WarmPod, wish: Wish) -> str:
    """The variant to be woken in a replica; empty when it is awake, or cannot be."""
    state, lost = pod.known.state, pod.known.lost
    wanted = wish.awake.get(pod.name, "")
    if state is None or not pod.ready or _is_changing(pod):
        return ""
    if wanted in lost:
        wanted = next((s.variant for s in state.slots.values() if s.loaded and s.variant not in lost), "")
    slot = state.slot_of(wanted) if wanted else None
    return wanted if slot is not None and slot.loaded and state.awake != wanted else ""


def _ask(pod: WarmPod, doing: Doing, variant: str = "") -> Order:
    identity = "" if doing is Doing.LOOK else _identity(pod, doing, variant)
    return Order(uid=pod.uid, address=pod.address, doing=doing, id=identity, variant=variant)


def _identity(pod: WarmPod, doing: Doing, variant: str) -> str:
    """The order that follows the last one that the replica has carried out: the same in every process."""
    state = pod.known.state
    last = state.last.id if state is not None and state.last is not None else ""
    return hashlib.sha256("/".join((pod.uid, last, doing, variant)).encode()).hexdigest()[:16]


def _is_changing(pod: WarmPod) -> bool:
    state = pod.known.state
    return pod.known.doing in (Doing.WAKE, Doing.LOAD) or (state is not None and state.switching)


def _due(known: Replica, wish: Wish, now: datetime) -> bool:
    return known.asked_at is None or now - known.asked_at >= _age(known, wish)


def _age(known: Replica, wish: Wish) -> timedelta:
    """How long an answer is good for."""
    if known.error:
        return _pause(known)
    if known.state is None:
        return REFRESH
    if _moves(known.state):
        return UNDER_WAY
    return UNREAD if wish.revision and known.state.revision != wish.revision else REFRESH


def _moves(state: WarmState) -> bool:
    return state.switching or not state.awake


def _patient(known: Replica, now: datetime) -> bool:
    """Whether the pause after a failed order is over."""
    return not known.failures or known.failed_at is None or now - known.failed_at >= _pause(known)


def _pause(known: Replica) -> timedelta:
    doubled: int = 2 ** min(10, max(0, known.failures - 1))
    return min(LONGEST, PATIENCE * doubled)

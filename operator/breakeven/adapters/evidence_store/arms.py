"""One arm from the histories of its replicas: the same for the present and for the recorded past."""

from collections.abc import Collection, Sequence

from breakeven.adapters.evidence_store.arm_batches import ArmBatches
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory, increments_of
from breakeven.domain.counters.batches import Replica, number
from breakeven.domain.counters.observation import Arm


def replica_of(
    name: str, ready_since: float | None, history: ReplicaHistory | None, others: Sequence[ReplicaHistory] = ()
) -> Replica:
    """A replica as batches are made of it; one without a history has no pieces yet.

    `others` are the histories of the other engines in its pod.
    """
    if history is None:
        return Replica(name=name, ready_since=ready_since, serial=-1)
    return Replica(
        name=name,
        ready_since=ready_since,
        pieces=history.pieces,
        restarts=tuple(history.restarts),
        serial=history.serial,
        others=tuple(each.pieces for each in others),
    )


def arm_of(
    variant: str,
    members: Sequence[tuple[Replica, ReplicaHistory | None]],
    made: ArmBatches,
    *,
    now: float,
    first: int,
    length: float,
    warmup: float,
    fresh: Collection[str],
) -> Arm:
    """The arm as it is known at `now` (Unix seconds), with batches from number `first` on.

    `fresh` are the names of those ready replicas whose samples are current: batches are final as far as theirs are.
    """
    ready = [(r, h) for r, h in members if r.ready_since is not None]
    # No batch ends after the present, whatever the samples are dated.
    ends = {r.name: min(h.until, number(now, length)) for r, h in ready if h is not None}
    final = min((end for name, end in ends.items() if name in fresh), default=number(now, length))
    batches = made.batches(
        [r for r, _ in members],
        length=length,
        warmup=warmup,
        numbers=range(first, final),
        firm=min(ends.values(), default=final),
    )
    newest = increments_of([(r, h) for r, h in members if h is not None], batch=length, warmup=warmup)
    return Arm(variant=variant, batches=batches, ready=len(ready), scraped=len(fresh), newest=newest)

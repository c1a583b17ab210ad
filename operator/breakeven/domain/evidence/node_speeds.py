"""How fast the nodes are: difference in differences, so that a fast or slow node is not taken for a speed-up.

A canary or a control of one replica sits on one node, and a node that is 8 % faster looks like S = 1.08. While all
replicas run plain, the speed of each node shows in their step times; S is then corrected by what the nodes of both arms
differed by before, and the error of that is part of its error.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean, pstdev

from breakeven.api.evidence import NodesStatus
from breakeven.api.status import NodeSpeed
from breakeven.api.variant import Variant
from breakeven.domain.counters.observation import Batch
from breakeven.domain.counters.windows import batch_length
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.statistics import LogRatio, quantile
from breakeven.domain.situation import Situation

LONGEST_WAIT = 60
"""Batches that a trial waits for, at most: an hour at the default window, of which replicas may load half."""
MOST = 120
"""Newest batches that are measured, where there are so many."""
FEWEST = 10
"""Batches that tell anything: one window."""
EXACT = 0.01
"""Error of a node's speed that is small enough for a trial: a fifth of the gain that a promotion asks for."""
NEIGHBOURS = 2.0
"""Minutes of one node hang together: the error is so many times that of independent ones (correlation 0.6)."""
VALID = timedelta(days=90)
"""A speed older than this is not used. It is of the hardware, and every trial measures it anew."""
KEPT = 256
SHOWN = 16
FREEDOM = 60.0


@dataclass(frozen=True, slots=True)
class Shift:
    """What the nodes of two arms make of S, and how well that is known."""

    log: float = 0.0
    """Logarithm of the step time on the nodes of what speculates over that on the nodes of the control."""
    error: float = 0.0

    @property
    def factor(self) -> float:
        """What S is multiplied by."""
        return math.exp(self.log)

    def against(self, control: "Shift") -> "Shift":
        """What is made of S where this is the place of what speculates, and the other one that of the control."""
        return Shift(self.log - control.log, math.hypot(self.error, control.error))

    def of(self, speedup: LogRatio) -> LogRatio:
        """The corrected ratio, with the error of the correction."""
        return replace(speedup, value=speedup.value * self.factor, error=math.hypot(speedup.error, self.error))

    def bound(self, leave: float) -> float:
        """The bound that the uncorrected S has to fall below, so that the corrected one is below `leave`."""
        return leave / self.factor * math.exp(-quantile(FREEDOM, 0.001) * self.error)


NO_SHIFT = Shift()


def slowed(batches: Sequence[Batch], factor: float) -> Sequence[Batch]:
    """The same batches as they would be on nodes whose steps take so many times as long."""
    return batches if factor == 1.0 else tuple(_slowed(batch, factor) for batch in batches)


def _slowed(batch: Batch, factor: float) -> Batch:
    def times(seconds: float | None) -> float | None:
        return None if seconds is None else seconds * factor

    totals = batch.totals
    slower = replace(
        totals,
        step_seconds=times(totals.step_seconds),
        request_decode_seconds=times(totals.request_decode_seconds),
        ttft_seconds=times(totals.ttft_seconds),
    )
    return replace(batch, totals=slower)


def shift(situation: Situation, off: Variant, on: Variant) -> Shift:
    """The correction of S between two variants; none where the nodes are not known apart, or are the same ones."""
    if situation.same_pods(off, on):
        return NO_SHIFT
    return position(situation, on).against(position(situation, off))


def place_of(speed: NodeSpeed) -> Shift:
    """Step time on one node over that of a usual node."""
    return Shift(math.log(float(speed.factor)), float(speed.error))


def position(situation: Situation, variant: Variant) -> Shift:
    """Step time on the nodes of a variant over that of a usual node. A node that was never measured may be any of those
    that were.
    """
    fleet, known = situation.fleet(variant), _known(situation)
    if fleet is None or not fleet.nodes or not known:
        return NO_SHIFT
    nodes = fleet.nodes.values()
    unknown = Shift(0.0, pstdev([each.log for each in known.values()]) if any(n not in known for n in nodes) else 0.0)
    found = [known.get(node, unknown) for node in nodes]
    return Shift(fmean(each.log for each in found), math.hypot(*(each.error for each in found)) / len(found))


def _known(situation: Situation) -> Mapping[str, Shift]:
    nodes = situation.memory.nodes
    return {each.node: place_of(each) for each in nodes if situation.time - each.measured_at <= VALID}


def unmeasured(situation: Situation) -> bool:
    """Whether a trial should wait for the speed of the nodes: not longer than `LONGEST_WAIT`, and not where both
    variants take turns on the same nodes.
    """
    if not situation.moves_pods:
        return False
    measured = _measured(situation)
    if measured is None or situation.memory.since is None:
        return False
    if situation.time - situation.memory.since >= LONGEST_WAIT * batch_length(situation.evidence):
        return False
    return not measured or max(error for _, error in measured.values()) > EXACT


def learned(situation: Situation) -> list[NodeSpeed]:
    """The remembered speeds, renewed by what the plain replicas that serve side by side show now."""
    fresh, known = _measured(situation), _known(situation)
    if not fresh:
        return situation.memory.nodes
    common = [known[node].log - fresh[node][0] for node in fresh if node in known]
    offset = fmean(common) if common and len(fresh) < len(known) else 0.0  # both are relative to a mean of their own
    new = [_speed(node, log + offset, error, situation.time) for node, (log, error) in fresh.items()]
    others = [each for each in situation.memory.nodes if each.node not in fresh and each.node in known]
    return sorted([*new, *others][:KEPT], key=lambda each: each.node)


def _speed(node: str, log: float, error: float, now: datetime) -> NodeSpeed:
    factor, spread = rounded(math.exp(log)), rounded(error, 2)
    return NodeSpeed(node=node, factor=factor or 1, error=spread or 0, measured_at=now)


def _measured(situation: Situation) -> Mapping[str, tuple[float, float]] | None:
    """By node: log step time over the mean of all, and its error. Empty: not yet. None: there is nothing to compare."""
    fleet, arm = situation.fleet(situation.stable), situation.arm(situation.stable)
    if situation.stable.speculates or fleet is None or len(set(fleet.nodes.values())) < 2 or arm is None:
        return None
    if arm.batches and not arm.batches[-1].shares:
        return None
    rows = [row for batch in arm.batches[-MOST:] if (row := _contrasts(batch, fleet.nodes))]
    if len(rows) < FEWEST:
        return {}
    scale = NEIGHBOURS / math.sqrt(len(rows))
    columns = {node: [row[node] for row in rows] for node in rows[0]}
    return {node: (fmean(logs), scale * pstdev(logs)) for node, logs in columns.items()}


def _contrasts(batch: Batch, nodes: Mapping[str, str]) -> Mapping[str, float] | None:
    """By node: log step time over the mean of all nodes in one batch; None where a node is missing."""
    rates: dict[str, list[float]] = {}
    for share in batch.shares:
        if share.replica in nodes and share.steps and share.step_seconds:
            rates.setdefault(nodes[share.replica], []).append(math.log(share.step_seconds / share.steps))
    if rates.keys() != set(nodes.values()):
        return None
    logs = {node: fmean(of) for node, of in rates.items()}
    usual = fmean(logs.values())
    return {node: log - usual for node, log in logs.items()}


def reported(situation: Situation, off: Variant, on: Variant, by: Shift) -> NodesStatus | None:
    """What stands in the evidence; None where nothing was corrected."""
    factor, error = rounded(by.factor), rounded(by.error, 2)
    if by == NO_SHIFT or factor is None or error is None:
        return None
    fleets = [situation.fleet(variant) for variant in (off, on)]
    used = {node for fleet in fleets if fleet is not None for node in fleet.nodes.values()}
    speeds = [each for each in situation.memory.nodes if each.node in used]
    return NodesStatus(correction=factor, error=error, speeds=speeds[:SHOWN])

"""Nodes of different speed: a fast one is not taken for a speed-up, a slow one hides no loss."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.api.vocabulary import StayReason
from breakeven.domain.counters.observation import Batch, Observation
from breakeven.domain.evidence.node_speeds import Shift
from breakeven.domain.measures.statistics import LogRatio

Make = Callable[..., Any]


@dataclass
class Placed:
    """A world whose pods stand on nodes of different speed: pod 0 of a canary or a control on the odd one."""

    world: Any
    odd: float
    """Step time on the odd node over that on the others."""

    def __post_init__(self) -> None:
        self._batch, self._seen = self.world._batch, self.world.observation
        self.world._batch, self.world.observation = self.batch, self.observation

    def nodes(self, name: str) -> Mapping[str, str]:
        """The odd node is taken by the plain arm while it is whole, and by what is alone."""
        count, serving = self.world.serving[name], {n: c for n, c in self.world.serving.items() if c}
        first = 0 if len(serving) == 1 or count == 1 else 1
        return {f"{name}-{pod}": f"node-{pod + first}" for pod in range(count)}

    def batch(self, name: str, count: int, *times: Any) -> Batch:
        plain = self._batch(name, count, *times)
        factors = [self.odd if node == "node-0" else 1.0 for node in self.nodes(name).values()]
        shares = tuple(replace(s, step_seconds=s.step_seconds * f) for s, f in zip(plain.shares, factors, strict=False))
        seconds = plain.totals.step_seconds * sum(factors) / len(factors)
        return replace(plain, totals=replace(plain.totals, step_seconds=seconds), shares=shares)

    def observation(self) -> Observation:
        seen = self._seen()
        fleet = {name: replace(each, nodes=self.nodes(name)) for name, each in seen.fleet.items()}
        return replace(seen, fleet=fleet)


def test_a_canary_on_a_faster_node_is_not_promoted_for_it(world: Make) -> None:
    w = Placed(world(), odd=0.92).world
    w.speedup = lambda variant: 1.0
    w.until(State.TRIAL)
    w.run(timedelta(hours=2))
    assert w.memory.state == State.TRIAL
    assert float(w.last.evidence.speedup) == pytest.approx(1.0, abs=0.02)
    assert float(w.last.evidence.nodes.correction) == pytest.approx(0.92, abs=0.01)
    assert "for the speed of the nodes" in w.last.evidence.message


def test_a_control_on_a_slower_node_hides_no_loss(world: Make) -> None:
    w = Placed(world(), odd=1.12).world
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.speedup = lambda variant: 0.93 if variant.speculates else 1.0
    w.until(State.COOLDOWN, limit=timedelta(hours=1))


def test_a_control_on_a_faster_node_switches_nothing_off(world: Make) -> None:
    w = Placed(world(), odd=0.87).world
    w.speedup = lambda variant: 1.12 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    w.run(timedelta(hours=6))
    assert [action for action, _ in w.news if action in ("Disable", "KeepControl")] == []


def test_the_first_trial_waits_until_the_nodes_are_measured(world: Make) -> None:
    w = Placed(world(), odd=1.1).world
    w.run(timedelta(minutes=5))
    assert w.memory.state == State.BASELINE
    assert w.last.stay.reason == StayReason.NODES_NOT_MEASURED
    w.until(State.TRIAL, limit=timedelta(minutes=40))
    assert {each.node for each in w.memory.nodes} == {f"node-{n}" for n in range(4)}


def test_one_node_for_all_needs_no_measurement(world: Make) -> None:
    placed = Placed(world(), odd=1.0)
    placed.nodes = lambda name: {f"{name}-{pod}": "the-node" for pod in range(placed.world.serving[name])}  # type: ignore[method-assign]
    placed.world.step()
    assert placed.world.memory.state == State.TRIAL


def test_the_error_of_the_correction_widens_the_bounds() -> None:
    shift = Shift(log=math.log(0.92), error=0.03)
    corrected = shift.of(LogRatio(value=1.08, error=0.04, freedom=9))
    assert corrected.value == pytest.approx(0.9936)
    assert corrected.error == pytest.approx(0.05)
    assert shift.bound(0.98) < 0.98 / 0.92

"""A simulated warm fleet: no pod is restarted for a switch, and the operator's own rota says what is awake."""

import json

import pytest

from breakeven.api.choices import SwitchingMode
from breakeven.simulation.run import Run, run, world
from breakeven.simulation.scenario import Scenario, ScenarioError, parse

BASE = {
    "title": "x",
    "days": 0.1,
    "speedup": 1.5,
    "requestsPerSecond": 5,
    "tasks": [{"acceptance": 0.45, "spread": 0.11}],
    "spec": {"replicas": 1, "policy": {"switching": {"mode": "Warm"}}},
}


def scenario(**changed: object) -> Scenario:
    return parse(json.dumps(BASE | changed), name="test")


def decided(found: Run) -> list[str]:
    return [change.action for change in found.changes]


def test_one_replica_is_tried_promoted_and_switched_off_without_a_restart() -> None:
    found = run(world(scenario(events=[{"at": "1h", "acceptanceShift": -0.4}]), 1))
    assert decided(found)[:4] == ["Begin", "StartTrial", "Promote", "Disable"]
    assert found.restarts == 0
    assert found.switches > 20
    assert found.delivered > 0.85


def test_a_switch_takes_its_time_of_what_is_delivered() -> None:
    slow, fast = (run(world(scenario(days=0.05, switch=switch), 1)) for switch in ("3s", "100ms"))
    assert decided(slow) == decided(fast)
    assert slow.switches == fast.switches
    assert slow.delivered < fast.delivered
    assert slow.knowing > fast.knowing


def test_it_is_not_scraped() -> None:
    made = scenario()
    assert made.resource.policy.switching.mode == SwitchingMode.WARM
    with pytest.raises(ScenarioError, match="Warm"):
        world(made, 1, exact=True)

"""A switch that loses more than it gains is not made, and the verdict stands with both figures."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.domain.counters.observation import Observation

Make = Callable[..., Any]


def loads(w: Any, minutes: float) -> None:
    """From now on pods need so long to load."""
    seen: Callable[[], Observation] = w.observation
    w.observation = lambda: replace(seen(), loading_minutes=minutes)


def test_a_promotion_that_pays_says_what_it_costs(world: Make) -> None:
    w = world()
    loads(w, 8.0)
    w.until(State.SPECULATING)
    message = w.memory.decisions[0].message
    assert "the switch gains" in message
    assert "while 3 replicas load 8.0 min each (measured)" in message


def test_a_promotion_that_does_not_pay_is_not_made_and_ends_with_the_trial(world: Make) -> None:
    w = world()
    loads(w, 600.0)
    w.run(timedelta(hours=3))
    assert w.memory.state == State.TRIAL
    finding = next(f for f in w.last.findings if f.type == "CapacityAvailable")
    assert (finding.status, finding.reason) == (True, "SwitchDoesNotPay")
    assert "nothing is switched" in finding.message
    w.until(State.COOLDOWN, timedelta(hours=5))
    assert w.memory.decisions[0].reason == "SwitchDoesNotPay"


@pytest.mark.parametrize(("speedup", "off"), [(0.93, False), (0.80, True)])
def test_a_small_loss_waits_where_a_switch_is_dear_and_a_clear_one_does_not(
    world: Make, speedup: float, off: bool
) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    loads(w, 120.0)
    w.speedup = lambda variant: speedup if variant.speculates else 1.0
    w.run(timedelta(hours=2))
    assert (("Disable", "BelowBreakEven") in w.news) is off
    if not off:
        assert any(f.reason == "SwitchDoesNotPay" for f in w.last.findings)


def test_a_surge_loses_no_capacity(world: Make) -> None:
    w = world(policy={"switching": {"surge": 1}})
    loads(w, 600.0)
    w.until(State.SPECULATING)
    assert "loses 0 tokens" in w.memory.decisions[0].message


def test_the_more_changes_the_less_a_change_is_worth(world: Make) -> None:
    w = world()
    loads(w, 75.0)
    w.memory = w.memory.model_copy(update={"transitions": [w.now, w.now]})
    w.run(timedelta(hours=2))
    assert w.memory.state == State.SPECULATING
    assert "within 8h" in w.memory.decisions[0].message

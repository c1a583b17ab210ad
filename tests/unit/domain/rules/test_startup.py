"""How long a canary may take to serve."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.domain.counters.observation import Observation


@pytest.mark.parametrize(("lost", "ends"), [(timedelta(0), True), (timedelta(hours=2), False)])
def test_a_canary_that_lost_its_node_has_its_time_anew(
    world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, lost: timedelta, ends: bool
) -> None:
    """`lost`: how long after the begin of the trial its pod was made anew. It is never ready."""
    w = world()
    w.step()
    begun, seen = w.now, w.observation

    def without_canary() -> Observation:
        observation = seen()
        fleet = {
            name: replace(f, ready=0, settled_since=None, waiting_since=begun + lost)
            if w.variants[name].speculates
            else f
            for name, f in observation.fleet.items()
        }
        return replace(observation, fleet=fleet)

    monkeypatch.setattr(w, "observation", without_canary)
    w.now = begun + max(timedelta(minutes=31), lost + timedelta(minutes=29))
    w.look()
    assert (w.memory.state == State.COOLDOWN) is ends
    w.now = begun + lost + timedelta(minutes=31)
    w.look()
    assert w.memory.state == State.COOLDOWN
    assert w.memory.decisions[0].reason == "StartupTimeout"


def test_a_canary_whose_turn_to_move_has_not_come_does_not_time_out(
    world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = world()
    w.step()
    seen = w.observation

    def still_queued() -> Observation:
        observation = seen()
        fleet = {
            name: replace(f, existing=0, ready=0, settled_since=None) if w.variants[name].speculates else f
            for name, f in observation.fleet.items()
        }
        return replace(observation, fleet=fleet)

    monkeypatch.setattr(w, "observation", still_queued)
    w.now += timedelta(hours=2)
    w.look()
    assert w.memory.state == State.TRIAL

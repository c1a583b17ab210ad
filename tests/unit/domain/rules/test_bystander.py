"""What serves is watched while something is on trial."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import Role, State
from breakeven.api.variant import Variant

Make = Callable[..., Any]


def tuning(world: Make, **changes: object) -> Any:
    """A longer draft is on trial beside what serves."""
    w = world(draft={"model": "a/draft", "numSpeculativeTokens": 3}, **changes)
    w.survival = (0.85, 0.75, 0.65)
    w.speedup = lambda variant: 1.5 if variant.speculates else 1.0
    w.until(State.TUNING)
    return w


def test_the_control_stays_beside_a_trial_of_the_operators_own(world: Make) -> None:
    w = tuning(world)
    placed = [(p.role, p.replicas) for p in w.last.placements]
    assert placed == [(Role.STABLE, 2), (Role.CANARY, 1), (Role.HOLDBACK, 1)]


@pytest.mark.parametrize(("speedup", "within"), [(0.75, timedelta(minutes=10)), (0.93, timedelta(minutes=60))])
def test_a_loss_ends_the_trial_and_switches_off(world: Make, speedup: float, within: timedelta) -> None:
    w = tuning(world)
    begin = w.now

    def both_lose(variant: Variant) -> float:
        return speedup if variant.speculates else 1.0

    w.speedup = both_lose
    while w.news[-1][0] == "StartTrial":
        w.step()
    assert w.news[-1] in [("Disable", "BelowBreakEven"), ("EndTrial", "NotBetter")]
    w.until(State.COOLDOWN)
    assert w.now - begin <= within
    assert not w.memory.stable.speculates


def test_a_longer_draft_that_is_no_better_is_given_up_early(world: Make) -> None:
    w = tuning(world)
    assert w.until(State.SPECULATING) <= timedelta(minutes=60)
    assert w.news[-1] == ("EndTrial", "NotBetter")

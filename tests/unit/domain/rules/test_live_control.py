"""When the live control is returned, and when it is bought back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from breakeven.api.status import State
from breakeven.api.variant import Variant

Make = Callable[..., Any]


def paying(variant: Variant) -> float:
    return 1.3 if variant.speculates else 1.0


def losing(variant: Variant) -> float:
    return 0.7 if variant.speculates else 1.0


def test_the_control_stays_after_a_second_promotion_until_it_was_verified_too(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=26))
    assert ("ReturnControl", "NothingNew") in w.news
    w.speedup = losing
    w.until(State.COOLDOWN)
    w.speedup = paying
    w.until(State.SPECULATING)
    w.run(timedelta(hours=5))
    assert w.memory.holdback
    w.run(timedelta(hours=2))
    assert not w.memory.holdback


def test_shorter_contexts_do_not_hide_a_loss_from_the_stored_control(world: Make) -> None:
    w = world(evidence={"minDraftTokens": 100})
    w.until(State.SPECULATING)
    w.run(timedelta(hours=26))
    assert not w.memory.holdback
    faster = 1 / 0.85  # every step takes 15 % less: against what is stored, S reads 1.08
    w.speedup = lambda variant: faster * (0.92 if variant.speculates else 1.0)
    w.until(State.COOLDOWN, limit=timedelta(hours=2))
    assert ("KeepControl", "Contradiction") in w.news


def test_a_control_is_not_bought_for_a_speed_up_that_stands_as_it_was_measured(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=26))
    w.speedup = lambda variant: 1.22 if variant.speculates else 1.0
    w.run(timedelta(hours=3))
    assert "KeepControl" not in [action for action, _ in w.news]

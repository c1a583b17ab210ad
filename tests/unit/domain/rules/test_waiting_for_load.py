"""What failed for the load is not tried again before the load has fallen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breakeven.api.status import LoadBand, State
from breakeven.domain.rules.schedules import rises_with_load

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Make = Callable[..., Any]
DISABLE = {"policy": {"onBelowBreakEven": ["Disable"]}}


def serving(world: Make) -> Any:
    w = world(**DISABLE)
    w.running = 4.0
    w.speedup = lambda variant: 1.4 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    return w


def lose(w: Any, *, requests_per_second: float) -> None:
    w.speedup = lambda variant: 0.7 if variant.speculates else 1.0
    w.running, w.requests_per_second = requests_per_second, requests_per_second
    w.until(State.COOLDOWN)


def trials(w: Any) -> int:
    return [action for action, _ in w.news].count("StartTrial")


def test_a_loss_that_came_with_load_waits_until_the_load_is_gone(world: Make) -> None:
    w = serving(world)
    lose(w, requests_per_second=16.0)
    assert w.memory.failed_at_load is not None
    w.run(timedelta(hours=12))
    assert trials(w) == 2  # the alarm came before a window had told how the new load does; the second trial did
    w.requests_per_second, w.running = 4.0, 4.0
    w.speedup = lambda variant: 1.4 if variant.speculates else 1.0
    assert w.until(State.SPECULATING) <= timedelta(hours=1.5)
    assert trials(w) == 3


def test_it_waits_a_day_at_most(world: Make) -> None:
    w = serving(world)
    lose(w, requests_per_second=16.0)
    w.run(timedelta(hours=23))
    assert trials(w) == 2
    w.run(timedelta(hours=4))
    assert trials(w) == 3


def test_a_loss_at_the_same_load_is_tried_again_after_the_cooldown(world: Make) -> None:
    w = serving(world)
    lose(w, requests_per_second=4.0)
    w.run(timedelta(hours=2))
    assert trials(w) >= 2


def test_the_control_stays_where_the_load_switched_within_a_day(world: Make) -> None:
    w = serving(world)
    lose(w, requests_per_second=16.0)
    w.run(timedelta(hours=3))
    w.requests_per_second, w.running = 4.0, 4.0
    w.speedup = lambda variant: 1.4 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    w.run(timedelta(hours=23))
    assert w.memory.holdback
    w.run(timedelta(hours=2))
    assert not w.memory.holdback


def band(load: str, speedup: str, inflation: str) -> LoadBand:
    return LoadBand(
        load=load,
        off_tpot_ms="20",
        spread="0.01",
        variant="a",
        speedup=speedup,
        inflation=inflation,
        running=load,
        measured_at=NOW,
    )


@pytest.mark.parametrize(("at_the_load", "explains"), [("0.85", True), ("1.3", False)])
def test_a_load_at_which_speculation_paid_is_not_why_it_failed(at_the_load: str, explains: bool) -> None:
    profile = [band("100", "1.4", "1.5"), band("200", "0.9", "1.9"), band("400", at_the_load, "2.0")]
    assert rises_with_load(profile, failed=400.0, apart=1.5, now=NOW) is explains

"""Why nothing was done: every reason to stay is reached, named in the decision, and the same in every quiet pass."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.api.vocabulary import StayReason
from breakeven.domain.counters.observation import Outage
from breakeven.domain.rules.switch_off import GATES

from ..conftest import World

Make = Callable[..., World]
HOUR = timedelta(hours=1)


def stay(world: World) -> str:
    return world.last.stay.reason if world.last.stay is not None else ""


def losing(make: Make, **changes: Any) -> World:
    """Speculation serves, and then loses for longer than any verdict takes."""
    w = make(**changes)
    w.until(State.SPECULATING)
    w.speedup = lambda variant: 0.93 if variant.speculates else 1.0
    return w


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"paused": True}, StayReason.PAUSED),
        ({"mode": "AlwaysOff"}, StayReason.PINNED),
    ],
)
def test_a_policy_that_forbids_changes_is_the_reason(world: Make, policy: dict[str, Any], reason: StayReason) -> None:
    w = world(policy=policy)
    w.step()
    assert stay(w) == reason


def test_no_replica_is_the_reason(world: Make) -> None:
    w = world(replicas=0)
    w.serving = {}
    w.look()
    assert stay(w) == StayReason.SCALED_TO_ZERO


def test_a_trial_goes_on_until_it_has_a_verdict(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.step()
    assert stay(w) == StayReason.TRIAL_GOES_ON


def test_a_loss_waits_for_more_windows_and_says_so_in_every_pass_between(world: Make) -> None:
    w = losing(world, policy={"holdback": {"mode": "Always"}}, evidence={"leaveWindows": 6, "alarmAfter": "24h"})
    for _ in range(120):
        if stay(w) == StayReason.MORE_WINDOWS:
            break
        w.step()
    assert stay(w) == StayReason.MORE_WINDOWS
    counted, between = w.last.stay, w.look().stay
    assert counted is not None and between is not None
    assert (between.reason, between.message) == (counted.reason, counted.message)


def test_a_list_without_disable_is_the_reason(world: Make) -> None:
    w = losing(world, policy={"onBelowBreakEven": ["Tune"], "holdback": {"mode": "Always"}})
    w.run(2 * HOUR)
    assert (w.memory.state, stay(w)) == (State.SPECULATING, StayReason.DISABLE_NOT_LISTED)


def test_the_days_changes_are_the_reason_once_frozen(world: Make) -> None:
    w = losing(world, policy={"maxTransitionsPerDay": 1, "holdback": {"mode": "Always"}})
    w.run(2 * HOUR)
    assert (w.memory.state, stay(w)) == (State.FROZEN, StayReason.DAY_USED_UP)


def test_a_cooldown_is_the_reason_after_a_failure(world: Make) -> None:
    w = world()
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    w.step()
    assert stay(w) == StayReason.COOLING_DOWN


def test_one_replica_is_the_reason_and_the_message_says_what_to_set(world: Make) -> None:
    w = world(replicas=1)
    w.run(HOUR)
    assert stay(w) == StayReason.LAST_REPLICA
    assert w.last.stay is not None and "spec.replicas" in w.last.stay.message


def test_metrics_that_are_away_keep_a_trial_from_beginning(world: Make) -> None:
    w = world()
    w.outage = Outage(reason="PrometheusUnreachable", message="connection refused")
    w.run(HOUR)
    assert stay(w) == StayReason.NO_METRICS


def test_a_canary_waits_until_what_serves_is_at_rest(world: Make) -> None:
    w = world()
    w.serving = {}
    w.look()
    assert stay(w) == StayReason.NOT_SETTLED


def test_one_replica_after_the_other_waits_for_the_plain_measurement(world: Make) -> None:
    w = world(replicas=1, policy={"switching": {"allowDowntime": True}})
    w.step()
    assert stay(w) == StayReason.CONTROL_NOT_MEASURED


def test_advice_that_stands_is_the_reason_with_mode_advise(world: Make) -> None:
    w = world(policy={"mode": "Advise", "holdback": {"mode": "Always"}})
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.run(3 * HOUR)
    assert ("WouldDisable", "BelowBreakEven") in w.news
    assert stay(w) == StayReason.ADVISE_ONLY


def test_nothing_judged_is_the_reason_when_no_rule_has_one(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.outage = Outage(reason="NoData", message="nothing")
    w.step()
    assert stay(w) == StayReason.NOT_JUDGED


def test_what_runs_as_wanted_needs_no_reason(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(2 * HOUR)
    assert w.last.stay is None


def test_a_pass_that_changed_something_gives_no_reason(world: Make) -> None:
    w = world()
    w.run(6 * HOUR)
    assert all(decision.stay is None for decision in w.decisions if decision.news)
    assert any(decision.stay is not None for decision in w.decisions)


def test_a_reason_has_no_moving_figures_so_that_a_steady_state_writes_nothing(world: Make) -> None:
    w = world()
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    w.step()
    seen = set()
    for _ in range(8):
        w.step()
        assert w.last.stay is not None
        seen.add((w.last.stay.reason, w.last.stay.message))
    assert len(seen) == 1


def test_gates_answer_in_the_order_that_the_page_gives() -> None:
    names = [gate.__name__ for gate in GATES]
    assert names == ["_doubtful", "_remediable", "_not_listed", "_last_replica", "_costs_more", "_day_used_up"]

"""The main path: baseline, trial, speculating, off, cooldown, trial again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import Memory, Role, Source, State
from breakeven.domain.counters.observation import Outage, Smoke

Make = Callable[..., Any]


def roles(world: Any) -> dict[str, int]:
    return {str(p.role): p.replicas for p in world.last.placements}


def test_the_first_deployment_begins_without_speculation(world: Make) -> None:
    w = world()
    assert w.memory.state == State.BASELINE
    assert [(p.role, p.replicas, p.variant.speculates) for p in w.last.placements] == [(Role.STABLE, 4, False)]


def test_a_trial_begins_once_the_baseline_serves(world: Make) -> None:
    w = world()
    w.step()
    assert w.memory.state == State.TRIAL
    assert roles(w) == {"Stable": 3, "Canary": 1}
    assert w.memory.last_good is not None and not w.memory.last_good.variant.speculates


def test_a_faster_canary_is_promoted_after_three_windows_and_keeps_a_control(world: Make) -> None:
    w = world()
    took = w.until(State.SPECULATING)
    assert timedelta(minutes=35) <= took <= timedelta(minutes=38)
    assert roles(w) == {"Stable": 3, "Holdback": 1}
    assert w.memory.evidence is not None
    assert w.memory.evidence.source == Source.MEASURED
    assert float(w.memory.evidence.speedup) == pytest.approx(1.3, rel=0.02)
    assert w.memory.last_good.variant.speculates
    assert w.memory.profile


def test_speculation_that_stops_paying_is_switched_off_after_two_windows(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    took = w.until(State.COOLDOWN)
    assert took <= timedelta(minutes=31)
    assert roles(w) == {"Stable": 4}
    assert not w.memory.stable.speculates
    assert w.memory.decisions[0].reason == "BelowBreakEven"
    assert "S 0.8" in w.memory.decisions[0].message


def test_after_the_cooldown_it_is_tried_again_and_the_next_cooldown_doubles(world: Make) -> None:
    w = world()
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    first = w.memory.cooldown_until - w.now
    w.until(State.TRIAL)
    w.until(State.COOLDOWN)
    assert first == timedelta(minutes=30)
    assert w.memory.cooldown_until - w.now == timedelta(hours=1)


def test_a_slower_canary_ends_in_cooldown(world: Make) -> None:
    w = world()
    w.speedup = lambda variant: 0.9 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert w.news[-1] == ("EndTrial", "BelowBreakEven")
    assert roles(w) == {"Stable": 4}


def test_a_canary_that_is_not_clearly_faster_runs_out_of_time(world: Make) -> None:
    w = world()
    w.speedup = lambda variant: 1.03 if variant.speculates else 1.0
    took = w.until(State.COOLDOWN, timedelta(hours=7))
    assert took >= timedelta(hours=6)
    assert w.memory.decisions[0].reason == "Undecided"


def test_an_outage_toggles_nothing_and_its_end_needs_a_fresh_window(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(minutes=20))
    before = len(w.news)
    w.outage = Outage(reason="PrometheusUnreachable", message="connection refused")
    w.speedup = lambda variant: 0.5 if variant.speculates else 1.0
    w.run(timedelta(minutes=40))
    assert w.last.hold.reason == "PrometheusUnreachable"
    assert len(w.news) == before
    w.outage = None
    took = w.until(State.COOLDOWN)
    assert timedelta(minutes=20) <= took <= timedelta(minutes=22)


@pytest.mark.parametrize(("smoke", "reason"), [(Smoke.FAILED, "SmokeTestFailed")])
def test_a_canary_that_answers_wrongly_is_removed(world: Make, smoke: Smoke, reason: str) -> None:
    w = world()
    w.step()
    w.smoke = smoke
    w.step()
    assert w.memory.state == State.COOLDOWN
    assert w.memory.decisions[0].reason == reason


def test_nothing_is_judged_before_the_smoke_test_passed(world: Make) -> None:
    w = world()
    w.smoke = Smoke.PENDING
    w.run(timedelta(hours=2))
    assert w.memory.state == State.TRIAL
    assert w.last.hold.reason == "SmokeTest"


def test_a_canary_that_crashes_ends_the_trial_even_without_metrics(world: Make) -> None:
    w = world()
    w.step()
    w.outage = Outage(reason="PrometheusUnreachable", message="connection refused")
    w.failing = "CrashLoopBackOff: unrecognized arguments"
    w.run(timedelta(minutes=4))
    assert w.memory.state == State.COOLDOWN
    assert w.memory.decisions[0].reason == "EngineFailing"


def test_an_unschedulable_canary_puts_the_trial_off_without_counting_as_a_failure(world: Make) -> None:
    w = world()
    w.step()
    w.unschedulable = "0/4 nodes are available: insufficient nvidia.com/gpu"
    w.run(timedelta(minutes=4))
    assert w.memory.decisions[0].reason == "Unschedulable"
    assert w.memory.attempts == 0


def test_mode_off_and_on_are_obeyed_at_once(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.spec = w.spec.model_copy(update={"policy": w.spec.policy.model_copy(update={"mode": "AlwaysOff"})})
    w.generation = 2
    w.step()
    assert roles(w) == {"Stable": 4}
    assert w.memory.decisions[0].reason == "PinnedOff"
    w.spec = w.spec.model_copy(update={"policy": w.spec.policy.model_copy(update={"mode": "AlwaysOn"})})
    w.step()
    assert w.memory.stable.speculates
    assert w.memory.decisions[0].reason == "PinnedOn"


def test_advise_touches_nothing_and_says_once_what_it_would_do(world: Make) -> None:
    w = world(policy={"mode": "Advise", "holdback": {"mode": "Always"}})
    w.speedup = lambda variant: 0.7 if variant.speculates else 1.0
    w.run(timedelta(hours=2))
    assert roles(w) == {"Stable": 3, "Holdback": 1}
    assert w.memory.stable.speculates
    assert [news for news in w.news if news[0] == "WouldDisable"] == [("WouldDisable", "BelowBreakEven")]


def test_paused_changes_nothing(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.spec = w.spec.model_copy(update={"policy": w.spec.policy.model_copy(update={"paused": True})})
    w.speedup = lambda variant: 0.5 if variant.speculates else 1.0
    before = len(w.news)
    w.run(timedelta(hours=2))
    assert len(w.news) == before
    assert w.last.hold.reason == "Paused"
    assert w.last.evidence is not None and w.last.evidence.verdict == "Hurts"


def test_one_replica_without_room_reports_and_stops_nothing(world: Make) -> None:
    w = world(replicas=1)
    w.run(timedelta(hours=2))
    assert roles(w) == {"Stable": 1}
    assert not w.memory.stable.speculates
    finding = next(f for f in w.last.findings if f.type == "CapacityAvailable")
    assert finding.status is False
    assert "surge" in finding.message


def test_one_replica_with_a_surge_is_tried_beside_what_serves(world: Make) -> None:
    w = world(replicas=1, policy={"switching": {"surge": 1}})
    w.until(State.TRIAL)
    assert roles(w) == {"Stable": 1, "Canary": 1}
    w.until(State.SPECULATING)
    assert roles(w) == {"Stable": 1}


def test_one_replica_that_may_go_down_compares_before_with_after(world: Make) -> None:
    w = world(replicas=1, policy={"switching": {"allowDowntime": True}})
    w.until(State.TRIAL)
    assert roles(w) == {"Canary": 1}
    w.until(State.SPECULATING)
    assert w.memory.evidence.source == Source.CALIBRATED


def test_a_changed_image_is_tried_against_the_last_good_and_rolled_back_when_worse(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    old = w.memory.stable
    w.spec = w.spec.model_copy(
        update={"engine": w.spec.engine.model_copy(update={"image": "vllm/vllm-openai:v0.34.0"})}
    )
    w.generation = 2
    w.speedup = lambda v: (0.9 if "0.34" in v.engine.image else 1.3) if v.speculates else 1.0
    w.step()
    assert w.memory.state in (State.TRIAL, State.TUNING)
    assert w.memory.canary.engine.image.endswith("v0.34.0")
    w.until(State.SPECULATING)
    assert w.memory.stable == old
    assert w.memory.decisions[0].action == "RollBack"


def test_a_changed_image_that_is_no_worse_is_taken(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.spec = w.spec.model_copy(
        update={"engine": w.spec.engine.model_copy(update={"image": "vllm/vllm-openai:v0.34.0"})}
    )
    w.generation = 2
    w.step()
    w.until(State.SPECULATING)
    assert w.memory.stable.engine.image.endswith("v0.34.0")
    assert w.memory.stable.speculates


def test_replicas_and_thresholds_change_without_starting_over(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    since = w.memory.since
    w.spec = w.spec.model_copy(update={"replicas": 6})
    w.generation = 2
    w.step()
    assert w.memory.since == since
    assert roles(w) == {"Stable": 5, "Holdback": 1}


def test_commands_are_taken_once(world: Make) -> None:
    w = world()
    w.step()
    w.command, w.command_id = "promote", "promote@1"
    w.step()
    assert w.memory.state == State.SPECULATING
    w.command, w.command_id = "abort", "abort@1"
    w.step()
    w.step()
    assert w.memory.state == State.COOLDOWN
    assert [n for n in w.news if n[1] == "Commanded"] == [("Promote", "Commanded"), ("Disable", "Commanded")]
    w.command, w.command_id = "retry", "retry@1"
    w.step()
    w.step()
    assert w.memory.state == State.TRIAL


def test_command_counts_again_when_it_was_taken_away_in_between(world: Make) -> None:
    w = world()
    w.step()
    for _ in range(2):
        w.command, w.command_id = "retry", "retry"
        w.step()
        w.generation += 1
        w.step()
        w.command, w.command_id = "", ""
        w.step()
        assert w.memory.command == ""
    assert [n for n in w.news if n[0] == "Retry"] == [("Retry", "Commanded")] * 2


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("abrot", "there is no command 'abrot' (did you mean abort?); the commands are promote, abort, retry, restart"),
        ("disable", "there is no command 'disable'; the commands are promote, abort, retry, restart"),
        ("abort", "there is nothing to abort in state Baseline; the commands are promote, abort, retry, restart"),
    ],
)
def test_a_command_that_cannot_be_carried_out_takes_no_line_and_lists_the_commands(
    world: Make, command: str, answer: str
) -> None:
    w = world(draft=None)
    before = w.memory.decisions
    w.command = w.command_id = command
    w.look()
    assert w.memory.decisions == before
    assert w.last.news == ()
    assert (w.memory.command, w.memory.command_refused) == (command, answer)
    w.command = w.command_id = ""
    w.look()
    assert (w.memory.command, w.memory.command_refused) == ("", "")


def test_a_command_while_paused_says_which_field_stands_in_its_way(world: Make) -> None:
    w = world(policy={"paused": True})
    w.command = w.command_id = "promote"
    w.look()
    assert w.memory.command_refused == "promote is not carried out, because spec.policy.paused is true"


def test_the_day_allows_no_more_changes_than_declared(world: Make) -> None:
    w = world(policy={"maxTransitionsPerDay": 2, "cooldown": "5m"})
    for hour in range(20):
        good = hour % 2 == 0
        w.speedup = lambda v, good=good: (1.3 if good else 0.7) if v.speculates else 1.0
        w.run(timedelta(hours=1))
    assert len(w.memory.transitions) <= 2


def test_a_steady_state_publishes_nothing_new(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=5))  # until the spread over windows is known
    before = w.memory
    w.run(timedelta(hours=6))
    growing = {"value": None, "hours": ""}
    assert w.memory.model_copy(update=growing) == before.model_copy(update=growing)


def test_memory_survives_the_status_to_the_letter(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    text = w.memory.model_dump_json()
    assert Memory.model_validate_json(text) == w.memory
    assert Memory.model_validate_json(text).model_dump_json() == text


def test_a_fast_demo_with_short_windows_goes_all_the_way(world: Make) -> None:
    evidence = {
        "window": "20s",
        "warmup": "2s",
        "minRequests": 20,
        "minDraftTokens": 100,
        "promoteWindows": 1,
        "leaveWindows": 1,
    }
    w = world(replicas=3, evidence=evidence, policy={"cooldown": "15s"})
    assert w.until(State.SPECULATING) <= timedelta(seconds=50)
    w.run(timedelta(seconds=30))
    w.speedup = lambda variant: 0.75 if variant.speculates else 1.0
    assert w.until(State.COOLDOWN) <= timedelta(seconds=60)
    w.speedup = lambda variant: 1.3 if variant.speculates else 1.0
    assert w.until(State.SPECULATING) <= timedelta(seconds=90)

"""What is tried before speculation is switched off."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.domain.conftest import START, spec_of

from breakeven.api.status import LoadBand, State
from breakeven.api.variant import Variant, declared_variant
from breakeven.domain.rules.schedules import AtLoad, crossover, obeys

Make = Callable[..., Any]


def busy(w: Any, *, limited: float, unlimited: float = 0.9) -> None:
    """Four times the load, at which speculation loses; S with and without a limit by batch size."""

    def speedup(variant: Variant) -> float:
        if variant.draft is None:
            return 1.0
        return unlimited if variant.draft.disable_above_batch_size is None else limited

    w.speedup = speedup
    w.running, w.requests_per_second = 16.0, 16.0


def quiet(world: Make, **changes: object) -> Any:
    w = world(**changes)
    w.running = 4.0
    w.speedup = lambda variant: 1.4 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    return w


def test_a_limit_by_batch_size_is_tried_where_load_crosses_break_even(world: Make) -> None:
    w = quiet(world)
    busy(w, limited=0.99)
    w.until(State.TUNING)
    assert w.memory.decisions[0].reason == "LoadCrossesBreakEven"
    limit = w.memory.canary.draft.disable_above_batch_size
    assert 4 < limit < 16
    assert str(limit) in w.memory.decisions[0].message
    w.until(State.SPECULATING)
    w.run(timedelta(hours=2))
    assert w.memory.state == State.SPECULATING
    assert w.memory.stable.draft.disable_above_batch_size == limit
    assert ("Disable", "BelowBreakEven") not in w.news


@pytest.mark.parametrize("limited", [0.7, 0.9])
def test_a_limit_that_does_not_help_ends_in_no_speculation_and_is_not_tried_again(world: Make, limited: float) -> None:
    w = quiet(world)
    busy(w, limited=limited)
    w.until(State.TUNING)
    assert w.until(State.COOLDOWN) <= timedelta(minutes=70)
    assert w.news[-1] == ("Disable", "BelowBreakEven")
    w.run(timedelta(hours=20))
    assert [reason for _, reason in w.news].count("LoadCrossesBreakEven") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": {"image": "vllm/vllm-openai:v0.22.0"}},
        {"policy": {"onBelowBreakEven": ["Disable", "Tune"]}},
        {"draft": {"model": "a/draft", "disableAboveBatchSize": 64}},
    ],
    ids=["no schedule in this version", "off before tuning", "declared by the user"],
)
def test_it_is_switched_off_at_once_where_no_limit_can_be_tried(world: Make, changes: dict[str, object]) -> None:
    w = quiet(world, **changes)
    busy(w, limited=0.9)
    w.until(State.COOLDOWN)
    assert w.news[-1] == ("Disable", "BelowBreakEven")
    assert not w.memory.remedies


def test_a_loss_at_an_unchanged_step_time_is_no_matter_of_load(world: Make) -> None:
    w = quiet(world)
    w.speedup = lambda variant: 0.9 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert not w.memory.remedies


def test_a_large_loss_is_not_experimented_with(world: Make) -> None:
    w = quiet(world)
    busy(w, limited=0.99, unlimited=0.7)
    w.until(State.COOLDOWN)
    assert not w.memory.remedies


def variant(version: str, method: str = "DraftModel", **engine: object) -> Variant:
    draft: dict[str, object] = {"method": method, "numSpeculativeTokens": 3}
    if method not in ("NGram", "MTP"):
        draft["model"] = "a/draft"
    return declared_variant(spec_of(draft=draft, engine={"image": f"vllm/vllm-openai:v{version}", **engine}))


@pytest.mark.parametrize(
    ("version", "method", "honoured"),
    [
        ("0.7.3", "DraftModel", True),
        ("0.9.2", "DraftModel", True),
        ("0.9.2", "Eagle", False),
        ("0.16.0", "Eagle", False),
        ("0.23.0", "DraftModel", False),
        ("0.24.0", "DraftModel", True),
        ("0.33.0", "DraftModel", True),
        ("0.26.0", "Eagle3", False),
        ("0.32.0", "Eagle3", True),
        ("0.33.0", "MTP", True),
        ("0.24.0", "NGram", True),
        ("0.33.0", "NGram", False),
        ("0.33.0", "DFlash", False),
    ],
)
def test_engines_that_obey_a_limit_by_batch_size(version: str, method: str, honoured: bool) -> None:
    assert obeys(variant(version, method)) is honoured


def test_a_schedule_is_not_offered_where_it_is_dropped_or_the_runner_is_chosen() -> None:
    assert not obeys(variant("0.33.0", extraArgs=["--data-parallel-size", "2"]))
    assert not obeys(variant("0.33.0", env=[{"name": "VLLM_USE_V2_MODEL_RUNNER", "value": "1"}]))


def band(running: str, speedup: str, inflation: str, *, of: str = "v", hours: int = 0) -> LoadBand:
    return LoadBand(
        load=Decimal(running),
        off_tpot_ms=Decimal(20),
        spread=Decimal("0.01"),
        measured_at=START - timedelta(hours=hours),
        variant=of,
        speedup=Decimal(speedup),
        running=Decimal(running),
        inflation=Decimal(inflation),
    )


def test_the_crossover_lies_between_what_pays_and_what_loses() -> None:
    present = AtLoad(running=64, speedup=0.8, inflation=2.5, load=64)
    profile = [band("4", "1.6", "1.2"), band("16", "1.25", "1.6")]
    assert crossover(profile, variant="v", present=present, now=START) == 32
    lower = [*profile, band("32", "0.95", "2.1")]
    assert 16 < (crossover(lower, variant="v", present=present, now=START) or 0) < 32
    assert crossover(profile, variant="w", present=present, now=START) is None
    assert crossover([band("16", "1.25", "1.6", hours=200)], variant="v", present=present, now=START) is None
    assert crossover([band("16", "1.25", "2.45")], variant="v", present=present, now=START) is None
    assert crossover([], variant="v", present=present, now=START) is None


def test_more_running_requests_at_the_same_load_are_no_crossover() -> None:
    slower = AtLoad(running=24, speedup=0.8, inflation=2.5, load=16)
    assert crossover([band("16", "1.25", "1.6")], variant="v", present=slower, now=START) is None


def drafting(world: Make, *, longer: float, **changes: object) -> Any:
    """Three drafted tokens that survive well at S 1.3, and the S of a longer draft."""
    w = world(draft={"model": "a/draft", "numSpeculativeTokens": 3}, **changes)
    w.survival = (0.85, 0.75, 0.65)

    def speedup(variant: Variant) -> float:
        if variant.draft is None:
            return 1.0
        return 1.5 if variant.draft.num_speculative_tokens == 3 else longer

    w.speedup = speedup
    w.until(State.SPECULATING)
    return w


def test_a_longer_draft_is_tried_while_speculation_pays_and_kept_when_it_is_faster(world: Make) -> None:
    w = drafting(world, longer=1.7)
    w.until(State.TUNING)
    assert w.memory.canary.draft.num_speculative_tokens == 5
    w.until(State.SPECULATING)
    assert w.memory.stable.draft.num_speculative_tokens == 5
    assert w.memory.last_good.variant.draft.num_speculative_tokens == 5
    w.run(timedelta(hours=3))
    assert w.memory.state == State.SPECULATING


def test_a_longer_draft_that_is_slower_is_taken_back_and_not_tried_again(world: Make) -> None:
    w = drafting(world, longer=1.3)
    w.until(State.TUNING)
    w.until(State.SPECULATING)
    assert w.memory.stable.draft.num_speculative_tokens == 3
    assert w.news[-1] == ("EndTrial", "NotBetter")
    assert w.memory.cooldown_until is None and w.memory.attempts == 0
    w.run(timedelta(hours=30))
    assert [reason for _, reason in w.news].count("LongerDraft") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": {"onBelowBreakEven": ["Disable"]}},
        {"policy": {"maxTransitionsPerDay": 2}},
    ],
    ids=["not allowed", "no room in the day"],
)
def test_no_longer_draft_is_tried_against_the_users_policy(world: Make, changes: dict[str, object]) -> None:
    w = drafting(world, longer=1.7, **changes)
    w.run(timedelta(hours=4))
    assert w.memory.state == State.SPECULATING
    assert w.memory.stable.draft.num_speculative_tokens == 3
    assert not w.memory.remedies


def decaying(world: Make, **changes: object) -> Any:
    """S and acceptance fall with the hours since the replicas were last replaced."""
    w = world(**changes)
    began: dict[str, Any] = {}

    def hours(variant: Variant) -> float:
        return float(
            (w.now - began.setdefault(f"{variant.name} {w.serving[variant.name]}", w.now)) / timedelta(hours=1)
        )

    w.speedup = lambda variant: 1.3 - 0.1 * hours(variant) if variant.speculates else 1.0
    w.accepted = lambda variant: 3.0 - 0.3 * hours(variant)
    w.until(State.SPECULATING)
    return w


def test_replicas_whose_acceptance_decays_are_restarted_once_and_judged_again(world: Make) -> None:
    w = decaying(world, policy={"onBelowBreakEven": ["Restart", "Disable"]})
    changes = len(w.memory.transitions)
    while ("Restart", "DegradedUntilRestart") not in w.news:
        w.step()
        assert w.memory.state == State.SPECULATING
    assert w.memory.stable.restarts == 1 and w.memory.holdback
    assert "acceptance decays with uptime" in w.memory.decisions[0].message
    assert len(w.memory.transitions) == changes
    w.run(timedelta(hours=1))
    assert w.memory.state == State.SPECULATING
    w.until(State.COOLDOWN, timedelta(hours=6))
    assert [action for action, _ in w.news].count("Restart") == 1


def test_without_the_users_word_or_a_decay_nothing_is_restarted(world: Make) -> None:
    w = decaying(world)
    w.until(State.COOLDOWN, timedelta(hours=6))
    assert not w.memory.remedies
    w = world(policy={"onBelowBreakEven": ["Restart", "Disable"]})
    w.until(State.SPECULATING)
    w.run(timedelta(hours=2))
    w.speedup = lambda variant: 0.9 if variant.speculates else 1.0
    w.until(State.COOLDOWN, timedelta(hours=6))
    assert not w.memory.remedies

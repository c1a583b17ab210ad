"""What a decision says first: a plain sentence with why, how much, and what comes next."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from breakeven.api.status import EvidenceStatus, State
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain.counters.observation import Smoke
from breakeven.domain.report.sentences import CAUSES, LEADS, WHY, clock, speed

Make = Callable[..., Any]
SYMBOLS = re.compile(r"\b[SER] [0-9]")


def last(world: Any) -> str:
    """The newest line of the ledger."""
    return str(world.memory.decisions[0].message)


def head(message: str) -> str:
    """What stands before the first symbol."""
    return SYMBOLS.split(message)[0]


def falls(speedup: float) -> Callable[[Any], float]:
    return lambda variant: speedup if variant.speculates else 1.0


def test_a_switch_off_says_how_much_slower_what_was_accepted_and_when_the_next_try_is(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.speedup = falls(0.8)
    w.until(State.COOLDOWN)
    until = w.memory.cooldown_until
    shown = head(last(w))
    assert re.match(r"Switched off: \d\d % slower with the draft \(at least 1\d %\)\. Accepted 20 %, needs ", shown)
    assert f"Next try {until:%H:%M} UTC." in shown
    assert SYMBOLS.search(last(w)), "the figures come after the sentence"


def test_a_promotion_says_how_much_faster(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    assert re.match(r"Switched on: (29|30|31) % faster with the draft \(at least 2\d %\)\. Accepted 20 %, ", last(w))


def test_a_trial_that_begins_says_what_is_tried_against_what_and_for_how_long(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    assert last(w).startswith("Trial begins: DraftModel meta-llama/Llama-3.1-8B-Instruct k=5 against no speculation. ")
    assert last(w).endswith("Measured for 6h at most.")


def test_a_trial_that_fails_says_how_much_slower_and_when_the_next_try_is(world: Make) -> None:
    w = world()
    w.speedup = falls(0.9)
    w.until(State.COOLDOWN)
    assert last(w).startswith("Trial failed: 10 % slower with the draft (at least ")
    assert "Next try " in last(w)


def test_a_trial_without_a_verdict_says_between_what_the_truth_lies(world: Make) -> None:
    w = world()
    w.speedup = falls(1.03)
    w.until(State.COOLDOWN, timedelta(hours=7))
    assert re.match(r"Trial ended: no verdict within 6h \(spec\.evidence\.trialTimeout\), between \d %", last(w))


def test_a_changed_engine_that_is_worse_is_told_against_what_serves(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.speedup = lambda v: (0.9 if "0.32" in v.engine.image else 1.3) if v.speculates else 1.0
    w.spec = w.spec.model_copy(
        update={"engine": w.spec.engine.model_copy(update={"image": "vllm/vllm-openai:v0.32.0"})}
    )
    w.generation = 2
    w.until(State.TRIAL)
    w.until(State.SPECULATING)
    assert re.match(r"Rolled back: 3\d % slower than what serves \(at least ", last(w))
    assert "needs" not in head(last(w)), "break-even of two drafts against each other is no break-even"


def test_a_day_whose_changes_are_used_up_says_when_the_next_one_may_be(world: Make) -> None:
    w = world(policy={"maxTransitionsPerDay": 2})
    w.until(State.SPECULATING)
    earlier = w.now - timedelta(hours=5)
    w.memory = w.memory.model_copy(update={"transitions": [earlier, w.now]})
    w.speedup = falls(0.7)
    w.until(State.FROZEN)
    assert re.match(r"Left on: \d+ % slower with the draft .*, and the 2 changes of 24 h are used up", last(w))
    assert f"Next change {earlier + timedelta(hours=24):%Y-%m-%d %H:%M} UTC." in last(w)


def test_faults_are_told_in_their_own_words(world: Make) -> None:
    w = world()
    w.smoke = Smoke.FAILED
    w.until(State.COOLDOWN)
    assert last(w).startswith("Trial failed: a real completion failed: ")


def test_advice_says_what_would_be_done_and_names_no_time(world: Make) -> None:
    w = world(policy={"mode": "Advise"})
    w.speedup = falls(0.8)
    w.run(timedelta(hours=3))
    assert w.memory.decisions[0].action == "WouldDisable"
    assert last(w).startswith("Would switch off: 20 % slower with the draft")
    assert "Next try" not in last(w)


def test_people_are_told_that_it_was_them(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.command = w.command_id = "abort"
    w.look()
    assert last(w).startswith("Trial ended: by command. Next try ")


def test_the_cause_is_named_in_a_few_words(world: Make) -> None:
    w = world()
    w.accepted = lambda variant: 2.0
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.accepted, w.speedup = (lambda variant: 1.0), falls(0.8)
    w.until(State.COOLDOWN)
    assert "Likely cause: temperature, or other traffic." in head(last(w))


def test_every_action_has_its_words_and_every_reason_with_words_is_published() -> None:
    assert set(LEADS) == set(Action) - {Action.REFUSE}, "a refused command is no decision"
    assert set(WHY) <= set(Reason)
    assert set(CAUSES) <= set(Reason)


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        ("0.74", "0.60", "0.92", "26 % slower (at least 8 %)"),
        ("0.74", "0.50", "1.10", "26 % slower"),
        ("1.31", "1.25", "1.40", "31 % faster (at least 25 %)"),
        ("1.002", "0.9", "1.1", "less than 1 % faster"),
        ("2.5", "2.0", "3.0", "150 % faster (at least 100 %)"),
        ("0.999", "0.9", "0.998", "less than 1 % slower"),
        ("1", "1", "1", "0 % faster"),
    ],
)
def test_speed_is_told_in_per_cent_with_the_bound_that_holds_at_least(
    value: str, low: str, high: str, words: str
) -> None:
    report = EvidenceStatus(speedup=Decimal(value), speedup_lower=Decimal(low), speedup_upper=Decimal(high))
    assert speed(report) == words


def test_nothing_is_told_of_a_speed_that_was_not_measured() -> None:
    assert speed(EvidenceStatus()) == ""
    assert speed(EvidenceStatus(speedup=Decimal(0))) == ""


def test_times_are_utc_and_say_so_with_the_date_on_another_day() -> None:
    now = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
    assert clock(now + timedelta(minutes=35), now) == "23:35 UTC"
    assert clock(now + timedelta(hours=2), now) == "2026-03-03 01:00 UTC"
    assert clock(now + timedelta(seconds=20), now) == "23:00:20 UTC"
    east = timezone(timedelta(hours=2))
    assert clock((now + timedelta(minutes=35)).astimezone(east), now.astimezone(east)) == "23:35 UTC"

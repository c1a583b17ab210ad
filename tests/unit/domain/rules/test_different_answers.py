"""A draft with which answers differ is not promoted, whatever it gains."""

from collections.abc import Callable
from datetime import timedelta

from breakeven.api.status import State
from breakeven.api.vocabulary import Action, HoldReason, Reason
from breakeven.domain.counters.observation import Answers

from ..conftest import World

Make = Callable[..., World]
FIGURES = "8 of 8 greedy prompts are answered differently with the draft"


def lossless(w: World) -> tuple[bool | None, str, str]:
    said = next(f for f in w.last.findings if f.type == "Lossless")
    return said.status, said.reason, said.message


def test_a_trial_with_other_answers_ends_at_once_with_the_figures(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.answers = (Answers.DIFFERENT, FIGURES)
    w.step()
    assert w.news[-1] == (Action.END_TRIAL, Reason.ANSWERS_DIFFER)
    assert FIGURES in w.last.news[-1].message
    assert "spec.engine.image" in w.last.news[-1].message
    assert w.memory.state == State.COOLDOWN
    assert lossless(w) == (False, Reason.ANSWERS_DIFFER, FIGURES)


def test_nothing_is_judged_while_answers_are_compared(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.answers = (Answers.PENDING, "")
    w.run(timedelta(hours=2))
    assert w.memory.state == State.TRIAL
    assert w.last.hold is not None
    assert w.last.hold.reason == HoldReason.SMOKE_TEST
    assert "compared" in w.last.hold.message
    w.answers = (Answers.ALIKE, "8 greedy prompts are answered alike")
    w.until(State.SPECULATING)
    assert lossless(w)[:2] == (True, Reason.ANSWERS_ALIKE)


def test_what_cannot_be_compared_is_said_and_holds_nothing_up(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.answers = (Answers.UNKNOWN, "no replica of what serves is there beside the canary")
    w.step()
    assert lossless(w)[:2] == (None, Reason.NOT_COMPARED)
    w.until(State.SPECULATING)


def test_what_serves_is_left_as_it_is(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.answers = (Answers.DIFFERENT, FIGURES)
    w.run(timedelta(hours=1))
    assert w.memory.state == State.SPECULATING


def test_what_was_measured_before_the_prompts_were_answered_does_not_count(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.answers = (Answers.PENDING, "")
    w.run(timedelta(hours=1))
    began, asked = w.memory.since, w.now
    w.answers = (Answers.ALIKE, "8 greedy prompts are answered alike")
    w.step()
    assert w.memory.compared == w.memory.canary.name  # type: ignore[union-attr] # a trial has one
    assert w.memory.evidence_after is not None and w.memory.evidence_after > asked
    kept = w.memory.evidence_after
    w.run(timedelta(minutes=20))
    assert (w.memory.since, w.memory.evidence_after) == (began, kept), "it is noted once"


def test_the_next_trial_of_the_same_draft_is_asked_again(world: Make) -> None:
    w = world()
    w.until(State.TRIAL)
    w.answers = (Answers.ALIKE, "8 greedy prompts are answered alike")
    w.step()
    assert w.memory.compared
    w.answers = (Answers.DIFFERENT, FIGURES)
    w.step()
    w.answers = (Answers.UNKNOWN, "")
    w.until(State.TRIAL)
    assert not w.memory.compared

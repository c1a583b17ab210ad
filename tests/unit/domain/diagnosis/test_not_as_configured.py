"""Engines that are not what they were started as: found within two windows, and never evidence."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from breakeven.api.serving import DraftSpec
from breakeven.api.status import State
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, HoldReason, Reason
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.as_configured import accepted_all_or_nothing, drafts_nothing

from ..conftest import World

Make = Callable[..., World]
HOUR = timedelta(hours=1)
NGRAM = {"method": "NGram", "numSpeculativeTokens": 4}
K4 = {"model": "meta-llama/Llama-3.1-8B-Instruct", "numSpeculativeTokens": 4}


def told(w: World) -> list[str]:
    found = (f.reason for decision in w.decisions for f in decision.findings if f.type == "Diagnosis" and f.status)
    return list(dict.fromkeys(found))


def never(variant: Variant) -> float | None:
    return 0.0 if variant.speculates else None


def always(variant: Variant) -> float | None:
    return None if variant.speculates else 4.0


def test_a_canary_that_drafts_nothing_ends_its_trial_within_two_windows(world: Make) -> None:
    w = world()
    w.shown_drafts = never
    w.until(State.TRIAL)
    took = w.until(State.COOLDOWN)
    assert took <= 2 * w.spec.evidence.window + w.spec.evidence.warmup
    assert w.news[-1] == (Action.END_TRIAL, Reason.NOT_DRAFTING)
    assert "nothing was drafted in" in w.last.news[-1].message
    assert "spec.engine.extraArgs" in w.last.news[-1].message
    assert told(w)[-1] == Reason.NOT_DRAFTING


def test_what_serves_and_ceases_to_draft_is_named_and_judged_no_more(world: Make) -> None:
    w = world(policy={"holdback": {"mode": "Always"}})
    w.until(State.SPECULATING)
    w.run(HOUR)
    w.shown_drafts, w.speedup = never, lambda variant: 0.5 if variant.speculates else 1.0
    w.decisions.clear()
    w.run(2 * w.spec.evidence.window + timedelta(minutes=2))
    assert told(w)[-1] == Reason.NOT_DRAFTING
    # Nothing of it is a verdict: a loss of half is not one of the draft.
    w.run(6 * w.spec.evidence.window)
    assert w.memory.state == State.SPECULATING
    assert w.last.hold is not None
    assert w.last.hold.reason == HoldReason.NOT_AS_CONFIGURED
    w.shown_drafts, w.speedup = (lambda variant: None), (lambda variant: 1.3 if variant.speculates else 1.0)
    w.run(HOUR)
    assert w.memory.diagnosis is None


def test_a_plain_variant_that_drafts_is_no_control(world: Make) -> None:
    w = world()
    w.shown_drafts = always
    w.run(4 * HOUR)
    assert Reason.DRAFTS_UNASKED in told(w)
    assert (Action.PROMOTE, Reason.PAYS) not in w.news
    assert w.last.hold is not None
    assert w.last.hold.reason == HoldReason.NOT_AS_CONFIGURED
    w.shown_drafts = lambda variant: None
    w.run(HOUR)
    assert Reason.DRAFTS_UNASKED not in [f.reason for f in w.last.findings]


def test_drafts_without_a_declared_draft_are_named(world: Make) -> None:
    w = world(draft=None)
    w.shown_drafts = always
    w.run(HOUR)
    assert told(w) == [Reason.DRAFTS_UNASKED]


@pytest.mark.parametrize(
    ("accepted", "reason"),
    [(0.0, Reason.NOTHING_ACCEPTED), (4.0, Reason.EVERYTHING_ACCEPTED), (3.9, None), (0.1, None)],
)
def test_none_or_all_accepted_for_six_windows_is_an_alarm(world: Make, accepted: float, reason: Reason | None) -> None:
    w = world(draft=K4, policy={"holdback": {"mode": "Always"}, "onBelowBreakEven": []})
    w.until(State.SPECULATING)
    w.accepted = lambda variant: accepted
    w.run(4 * w.spec.evidence.window)
    extremes = {Reason.NOTHING_ACCEPTED, Reason.EVERYTHING_ACCEPTED}
    assert not extremes & set(told(w))
    w.run(4 * w.spec.evidence.window)
    assert extremes & set(told(w)) == ({reason} if reason else set())


def batches(steps: float, *, drafted: float | None = 0.0, accepted: float = 0.0, running: float = 8.0) -> list[Batch]:
    totals = Totals(steps=steps, drafted=drafted, accepted=accepted)
    return [Batch(start=0, end=60, totals=totals, gauges=Gauges(running=running), replicas=1)]


def test_little_traffic_and_rare_drafts_say_nothing() -> None:
    model, text = DraftSpec.model_validate(K4), DraftSpec.model_validate(NGRAM)
    assert drafts_nothing(model, batches(199)) == 0
    assert drafts_nothing(model, batches(200)) == 200
    assert drafts_nothing(model, batches(5000, drafted=None)) == 0
    # 51 drafts in 2,870 steps were measured with an n-gram that worked, and none in as many can be.
    assert drafts_nothing(text, batches(2870)) == 0
    assert drafts_nothing(text, batches(2870, drafted=204)) == 0
    assert drafts_nothing(text, batches(10_000)) == 10_000


def test_a_limit_by_batch_size_excuses_a_busy_engine() -> None:
    limited = DraftSpec.model_validate({**K4, "disableAboveBatchSize": 16})
    assert drafts_nothing(limited, batches(5000, running=8.0)) == 0
    assert drafts_nothing(limited, batches(5000, running=7.9)) == 5000


def test_a_lossy_method_may_accept_everything() -> None:
    lossy = DraftSpec.model_validate({**K4, "acceptance": {"method": "Typical", "allowLossy": True}})
    assert accepted_all_or_nothing(lossy, batches(1000, drafted=4000, accepted=4000)) is None
    assert accepted_all_or_nothing(lossy, batches(1000, drafted=4000)) == 0
    assert accepted_all_or_nothing(DraftSpec.model_validate(K4), batches(10, drafted=40)) is None

"""What is not judged, and why: each case is judged when that one thing is as it should be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from breakeven.api.changes import changed
from breakeven.api.status import State
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Observation
from breakeven.domain.decision import Declared
from breakeven.domain.evidence.judge import judge
from breakeven.domain.evidence.judgement import Held, Judged, verdict_of
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.situation import Situation, situation_at

from ..conftest import World, spec_of

Change = Callable[[Situation], Situation]


@cache
def beside_a_control() -> World:
    """Three replicas that speculate and one that does not, two hours after the promotion."""
    w = World(spec=spec_of())
    w.look()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=2))
    return w


def present() -> Situation:
    w = beside_a_control()
    return situation_at(Declared(spec=w.spec, generation=w.generation), w.memory, w.observation(), w.now)


def unchanged(situation: Situation) -> Situation:
    return situation


def evidence(**changes: Any) -> Change:
    """Another `spec.evidence`."""

    def change(situation: Situation) -> Situation:
        return replace(situation, declared=replace(situation.declared, spec=spec_of(evidence=changes)))

    return change


def seen(
    situation: Situation, name: str, *, fleet: dict[str, Any] | None = None, arm: dict[str, Any] | None = None
) -> Situation:
    fleets: dict[str, Fleet] = dict(situation.observation.fleet)
    arms: dict[str, Arm] = dict(situation.observation.arms)
    fleets[name] = replace(fleets[name], **(fleet or {}))
    arms[name] = replace(arms[name], **(arm or {}))
    return replace(situation, observation=Observation(arms=arms, fleet=fleets))


def stable(**changes: Any) -> Change:
    return lambda now: seen(now, now.stable.name, **changes)


def control(**changes: Any) -> Change:
    return lambda now: seen(now, now.stable.baseline.name, **changes)


def batches(edit: Callable[[int, Batch], Batch | None], *, of_control: bool = False) -> Change:
    """The same batches, each edited, or left out where that gives None. The first of a window has number 0."""

    def change(situation: Situation) -> Situation:
        name = situation.stable.baseline.name if of_control else situation.stable.name
        edited = (edit(round(batch.start / 60) % 10, batch) for batch in situation.observation.arms[name].batches)
        return seen(situation, name, arm={"batches": tuple(batch for batch in edited if batch is not None)})

    return change


def totals(**changes: Any) -> Callable[[int, Batch], Batch]:
    return lambda _, batch: replace(batch, totals=replace(batch.totals, **changes))


def on_v0(batch: Batch, *, emitted: float) -> Batch:
    """The same decoding as a V0 engine that speculates counts it: one token a step, the true lengths by request."""
    real = batch.totals
    changed = replace(
        real,
        drafts=None,
        drafted=None,
        accepted=None,
        v0_emitted=emitted,
        generation_tokens=real.steps,
        request_tokens=real.generation_tokens,
        request_count=real.first_tokens,
        request_decode_seconds=real.step_seconds,
    )
    return replace(batch, totals=changed)


def later(span: timedelta) -> Change:
    return lambda here: replace(here, time=here.time + span)


HOLDS: dict[str, tuple[Change, str, str]] = {
    "too few requests that speculate": (evidence(minRequests=10_000_000), "TooFewRequests", "speculating arm"),
    "too few in the control": (batches(totals(finished=0.5), of_control=True), "TooFewRequests", "control arm"),
    "too few drafts": (evidence(minDraftTokens=1_000_000_000), "TooFewDrafts", "1000000000 tokens"),
    "replicas change": (stable(fleet={"settled_since": None, "ready": 2}), "ReplicasChanging", "stable"),
    "replicas of the control change": (
        control(fleet={"settled_since": None, "wanted": 2}),
        "ReplicasChanging",
        "control",
    ),
    "none is ready": (stable(fleet={"ready": 0}), "Starting", "stable"),
    "half of the replicas is scraped": (stable(arm={"ready": 4, "scraped": 2}), "PartialData", "stable"),
    "no batch": (control(arm={"batches": ()}), "NoData", "control"),
    "six of ten batches are missing": (batches(lambda n, b: b if n < 4 else None), "MissingBatches", "not scraped"),
    "no requests are counted": (batches(totals(finished=None, first_tokens=None)), "CounterAbsent", "speculating arm"),
    "no drafts are counted": (batches(totals(drafted=None)), "CounterAbsent", "draft counters"),
    "no drafts are counted, and the engine speculates no more": (
        batches(lambda _, batch: on_v0(batch, emitted=0.0)),
        "CounterAbsent",
        "draft counters",
    ),
    "the newest batch is old": (later(timedelta(minutes=31)), "Stale", "two windows"),
    "it began to be measured just now": (
        lambda here: stable(arm={"batches": here.observation.arms[here.stable.name].batches[-9:]})(here),
        "FirstWindow",
        "not complete",
    ),
}


@pytest.mark.parametrize("name", HOLDS)
def test_what_cannot_be_judged_is_held_with_its_reason(name: str) -> None:
    change, reason, words = HOLDS[name]
    found = judge(change(present()))
    assert isinstance(found, Held)
    assert (found.hold.reason, words in found.hold.message) == (reason, True), found.hold


@pytest.mark.parametrize(
    "change",
    [
        unchanged,
        evidence(minRequests=100),
        batches(lambda n, b: b if n < 6 else None),
        stable(arm={"ready": 5, "scraped": 4}),
        later(timedelta(minutes=10)),
        stable(fleet={"settled_since": None, "wanted": 4}),
        lambda here: stable(arm={"batches": here.observation.arms[here.stable.name].batches[-10:]})(here),
        batches(lambda _, batch: on_v0(batch, emitted=900.0)),
    ],
)
def test_what_is_just_enough_is_judged(change: Change) -> None:
    assert verdict_of(judge(change(present()))) == Verdict.PAYS


def test_a_v0_engine_is_judged_by_its_finished_requests_and_not_by_its_count_of_tokens() -> None:
    right = judge(present())
    found = judge(batches(lambda _, batch: on_v0(batch, emitted=900.0))(present()))
    assert isinstance(right, Judged) and isinstance(found, Judged)
    assert right.speedup is not None and found.speedup is not None
    assert found.speedup.value == pytest.approx(right.speedup.value, rel=1e-9)
    unknown = batches(lambda _, b: replace(b, totals=replace(on_v0(b, emitted=900.0).totals, request_tokens=None)))
    assert isinstance(judge(unknown(present())), Held)


def restless_before(situation: Situation, moment: datetime) -> Situation:
    """Before that moment, every other batch of what speculates took twice as long."""
    name = situation.stable.name
    arm = situation.observation.arms[name]
    batches = [
        replace(b, totals=replace(b.totals, step_seconds=2 * (b.totals.step_seconds or 0.0)))
        if b.end <= moment.timestamp() and turn % 2
        else b
        for turn, b in enumerate(arm.batches)
    ]
    arms = {**situation.observation.arms, name: replace(arm, batches=tuple(batches))}
    return replace(situation, observation=replace(situation.observation, arms=arms))


@pytest.mark.parametrize("tried_again", [True, False])
def test_what_s_was_before_the_newest_trial_is_no_scatter(tried_again: bool) -> None:
    now = present()
    begun = now.time - timedelta(minutes=65)
    line = now.memory.decisions[0].model_copy(update={"action": "StartTrial", "at": begun})
    if tried_again:
        now = now.with_memory(changed(now.memory, decisions=[line, *now.memory.decisions]))

    def error(situation: Situation) -> float:
        judgement = judge(situation)
        assert isinstance(judgement, Judged) and judgement.speedup is not None
        return judgement.speedup.error

    wider = error(restless_before(now, begun)) / error(now)
    assert wider == pytest.approx(1.0) if tried_again else wider > 1.1

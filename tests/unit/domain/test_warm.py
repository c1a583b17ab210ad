"""Decisions where each pod holds two variants and one of them is awake: `spec.policy.switching.mode: Warm`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.domain.conftest import START, World, spec_of

from breakeven.api.status import Role, Source, State
from breakeven.domain.counters.batches import share_of
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Gauges, Observation, Outage, Totals
from breakeven.domain.counters.scrapes import total
from breakeven.domain.decision import Decision

HALF = 0.5


@dataclass
class WarmWorld(World):
    """The same small fleet with both variants in every pod, awake by the rota of the last decision."""

    nodes: dict[int, float] = field(default_factory=dict)
    """Factor on the steps of a pod."""
    switch_seconds: float | None = None

    @property
    def names(self) -> list[str]:
        return [f"llama-{index}" for index in range(self.spec.replicas)]

    def step(self) -> Decision:
        batch = self.spec.evidence.window / 10
        rota, begin = self.last.rota, self.now
        assert rota is not None
        self.now += batch
        if self.outage is None:
            halves = [rota.awake(self.names, begin + batch * part) for part in (0.25, 0.75)]
            for name in {name for half in halves for name in half.values()}:
                self.batches.setdefault(name, []).append(self._of(name, halves, begin, self.now))
        return self.look()

    def look(self) -> Decision:
        decision = World.look(self)
        for variant in decision.slots or ():
            if variant is not None:
                self.variants[variant.name] = variant
        return decision

    def observation(self) -> Observation:
        slots = [v.name for v in (self.last.slots or ()) if v is not None] if self.decisions else []
        count, fleet, arms = self.spec.replicas, {}, {}
        for name in slots:
            fleet[name] = Fleet(
                variant=name, wanted=count, existing=count, ready=count, settled_since=START, smoke=self.smoke
            )
            seen = tuple(self.batches.get(name, [])[-300:])
            arms[name] = Arm(variant=name, batches=seen, ready=count, scraped=count)
        return Observation(
            arms=arms, fleet=fleet, outage=self.outage, scrape_interval=1.0, switch_seconds=self.switch_seconds
        )

    def _of(self, name: str, halves: list[Any], begin: datetime, end: datetime) -> Batch:
        variant, n = self.variants[name], int(begin.timestamp() / 60)
        counts: dict[str, list[Totals]] = {}
        for part, half in enumerate(halves):
            for index, pod in enumerate(self.names):
                if half[pod] != name:
                    continue
                wobble = 1 + 0.01 * ((n * 7 + part * 3 + index) % 5 - 2)
                tokens = self.requests_per_second * 30 * 200 / self.spec.replicas * wobble
                steps = tokens / (2.0 if variant.speculates else 1.0)
                drafted = 3 * steps if variant.speculates else None
                counts.setdefault(pod, []).append(
                    Totals(
                        generation_tokens=tokens * 1.005,
                        prompt_tokens=tokens,
                        first_tokens=tokens * 0.005,
                        steps=steps,
                        step_seconds=tokens * 0.020 / self.speedup(variant) * self.nodes.get(index, 1.0),
                        finished=tokens * 0.005,
                        failed=0.0,
                        preemptions=0.0,
                        drafts=steps if variant.speculates else None,
                        drafted=drafted,
                        accepted=steps if variant.speculates else None,
                    )
                )
        return Batch(
            start=begin.timestamp(),
            end=end.timestamp(),
            totals=total(each for of in counts.values() for each in of),
            gauges=Gauges(running=self.running, waiting=0.0),
            replicas=sum(len(of) for of in counts.values()) * HALF,
            shares=tuple(share_of(pod, total(of)) for pod, of in sorted(counts.items())),
        )


def warm(**changes: Any) -> WarmWorld:
    policy = {"switching": {"mode": "Warm"}} | changes.pop("policy", {})
    made = WarmWorld(spec=spec_of(policy=policy, **changes))
    made.look()
    return made


def test_reload_has_neither_a_rota_nor_slots() -> None:
    w = World(spec=spec_of())
    assert (w.look().rota, w.look().slots) == (None, None)


def test_what_would_be_tried_next_is_loaded_beside_what_serves_before_its_trial() -> None:
    w = warm()
    (placement,), (first, second) = w.last.placements, w.last.slots or (None, None)
    assert (placement.role, placement.replicas, placement.variant) == (Role.STABLE, 4, first)
    assert second is not None
    assert (first is not None and first.speculates, second.speculates) == (False, True)


@pytest.mark.parametrize(("replicas", "taking_part"), [(1, 1), (2, 2), (4, 2), (20, 6)])
def test_a_trial_alternates_on_the_pods_that_serve(replicas: int, taking_part: int) -> None:
    w = warm(replicas=replicas)
    w.until(State.TRIAL)
    rota, slots = w.last.rota, w.last.slots
    assert rota is not None
    assert slots is not None
    assert slots[1] == w.memory.canary
    assert (rota.major, rota.minor) == tuple(v.name for v in slots if v is not None)
    assert rota.taking_part == taking_part
    assert [p.replicas for p in w.last.placements] == [replicas]


def test_one_replica_is_promoted_and_switched_off_without_surge_or_downtime() -> None:
    w = warm(replicas=1)
    w.until(State.SPECULATING)
    assert w.memory.evidence is not None
    assert w.memory.evidence.source == Source.ALTERNATING
    assert "1 replicas switch in 1.0 s each (by default)" in w.memory.decisions[0].message
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert ("Disable", "BelowBreakEven") in w.news
    assert [p.replicas for p in w.last.placements] == [1]


def test_a_slower_node_is_no_gain_and_no_loss() -> None:
    w = warm()
    w.nodes, w.speedup = {1: 1.3}, lambda variant: 1.0
    w.until(State.TRIAL)
    w.run(timedelta(hours=1))
    evidence = w.last.evidence
    assert evidence is not None
    assert evidence.speedup is not None
    assert abs(float(evidence.speedup) - 1.0) < 0.005
    assert evidence.nodes is None
    assert ("Promote", "Pays") not in w.news


def test_the_trial_does_not_wait_for_the_speed_of_the_nodes() -> None:
    w = warm()
    w.run(timedelta(minutes=2))
    assert w.memory.state == State.TRIAL


def test_load_is_that_of_the_time_awake() -> None:
    w = warm(replicas=1)
    w.until(State.TRIAL)
    w.run(timedelta(minutes=30))
    assert w.last.evidence is not None
    assert float(w.last.evidence.load or 0) == pytest.approx(4.0 * 200, rel=0.02)


@pytest.mark.parametrize(("speedup", "alternates"), [(1.5, False), (1.09, True)])
def test_the_control_takes_turns_only_while_knowing_pays(speedup: float, alternates: bool) -> None:
    w = warm()
    w.speedup = lambda variant: speedup if variant.speculates else 1.0
    w.until(State.SPECULATING)
    assert w.last.rota is not None
    assert w.last.rota.taking_part == 1
    w.run(timedelta(hours=2))
    assert w.last.rota is not None
    assert w.last.rota.alternates is alternates
    assert (("ReturnControl", "NothingNew") in w.news) is not alternates


def test_more_changes_fit_into_a_day_than_reloads_would() -> None:
    w = warm(policy={"switching": {"mode": "Warm"}, "maxTransitionsPerDay": 2, "cooldown": "5m"})
    for _ in range(2):
        w.speedup = lambda variant: 1.3 if variant.speculates else 1.0
        w.until(State.SPECULATING)
        w.run(timedelta(minutes=20))
        w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
        w.until(State.COOLDOWN)
    assert [action for action, _ in w.news].count("Disable") == 2


def test_a_pair_that_keeps_failing_is_tried_every_two_hours_at_least() -> None:
    w = warm()
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.memory = w.memory.model_copy(update={"attempts": 9})
    w.until(State.COOLDOWN)
    assert w.memory.cooldown_until is not None
    assert w.memory.cooldown_until - w.now <= timedelta(hours=2)


@pytest.mark.parametrize("reason", ["paused", "outage"])
def test_nothing_alternates_while_nothing_can_be_learned(reason: str) -> None:
    w = warm()
    w.until(State.TRIAL)
    if reason == "paused":
        w.spec = spec_of(policy={"switching": {"mode": "Warm"}, "paused": True})
    else:
        w.outage = Outage(reason="PrometheusUnreachable", message="away")
    rota = w.look().rota
    assert rota is not None
    assert not rota.alternates


def test_another_engine_needs_pods_of_its_own() -> None:
    w = warm()
    w.until(State.SPECULATING)
    w.run(timedelta(minutes=10))
    w.spec = spec_of(policy={"switching": {"mode": "Warm"}}, engine={"image": "vllm/vllm-openai:v0.32.0"})
    w.generation += 1
    decision = w.look()
    while w.memory.state != State.TRIAL:
        decision = w.step()
    assert [p.role for p in decision.placements] == [Role.STABLE, Role.CANARY]
    assert decision.rota is not None
    assert not decision.rota.alternates
    assert decision.slots is not None
    assert decision.slots[1] == decision.slots[0].baseline


def test_a_slow_switch_makes_long_cells_that_are_compared_all_the_same() -> None:
    w = warm(replicas=1)
    w.switch_seconds = 5.0
    w.until(State.TRIAL)
    assert w.last.rota is not None
    assert w.last.rota.cell == timedelta(minutes=2)
    w.until(State.SPECULATING)
    assert w.memory.evidence is not None
    assert w.memory.evidence.source == Source.ALTERNATING


def test_the_alarm_sees_a_large_loss_before_a_window_ends() -> None:
    w = warm(replicas=1)
    w.speedup = lambda variant: 1.08 if variant.speculates else 1.0
    w.until(State.SPECULATING)
    w.run(timedelta(minutes=45))
    w.speedup = lambda variant: 0.6 if variant.speculates else 1.0
    assert w.until(State.COOLDOWN) <= timedelta(minutes=6)


def test_one_replica_is_not_asked_to_load_what_it_does_not_hold() -> None:
    w = warm(replicas=1)
    w.until(State.SPECULATING)
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    w.run(timedelta(hours=2))
    assert {each.name for d in w.decisions for each in d.slots or () if each is not None} == set(w.variants)
    assert len(w.variants) == 2


def test_another_draft_waits_with_one_replica_for_leave_to_stop_it() -> None:
    draft = {"model": "meta-llama/Llama-3.2-1B-Instruct", "numSpeculativeTokens": 3}
    w = warm(replicas=1)
    w.until(State.SPECULATING)
    w.spec = spec_of(replicas=1, draft=draft, policy={"switching": {"mode": "Warm"}})
    w.generation += 1
    w.run(timedelta(minutes=5))
    assert w.memory.state == State.SPECULATING
    assert w.last.stay is not None
    assert "allowDowntime" in w.last.stay.message
    w.spec = spec_of(replicas=1, draft=draft, policy={"switching": {"mode": "Warm", "allowDowntime": True}})
    w.until(State.TRIAL)

"""Run one scenario under one policy, minute by minute."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from breakeven.api.choices import SwitchingMode
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.domain.counters.windows import batch_length, history
from breakeven.simulation.fleet import EPOCH, FleetState
from breakeven.simulation.physics import Physics
from breakeven.simulation.policies import Breakeven, Policy, Turn
from breakeven.simulation.scenario import Scenario, ScenarioError
from breakeven.simulation.scraping import Scraping
from breakeven.simulation.traffic import MINUTE, QUARTERS, Traffic, generate
from breakeven.simulation.variation import step_factors, varied
from breakeven.simulation.warm_fleet import WarmFleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision of a run."""

    minute: float
    """After the beginning; the fast mode looks at quarters of a minute where an alarm is possible."""
    action: str
    reason: str
    speedup: float
    """True S in that minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one run. Simulated."""

    scenario: Scenario
    policy: str
    seed: int
    minutes: int
    changes: tuple[Change, ...]
    speculating: tuple[bool, ...]
    """Whether speculation served by decision, by minute."""
    speedup: tuple[float, ...]
    """True S by minute."""
    holds: dict[str, int]
    """Minutes in Hold by its reason."""
    restarts: int
    """Replicas started after the first deployment."""
    delivered: float
    """Decoding capacity delivered over what the better state of every minute would have, no switching costs."""
    in_better_state: float
    """Share of the serving replica-minutes in the better state; within 2 % of break-even both are."""
    noise: float
    """Standard deviation of one minute's log TPOT ratio of three replicas against one."""
    switches: int = 0
    """Warm switches of one replica: one variant goes to sleep and the other wakes."""
    knowing: float = 0.0
    """Share of `delivered` that was given up for comparing: replicas that ran what is slower than what serves, and the
    time of warm switches."""
    goodput: float | None = None
    """Share of the finished requests with a first token within 2 s and 150 ms per token; only with a finite cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The requests and the truth of one seed, shared by all policies."""

    scenario: Scenario
    spec: SpeculativeDeploymentSpec
    traffic: Traffic
    physics: Physics
    noise: tuple[list[float], ...]
    minutes: int
    seed: int


def world(scenario: Scenario, seed: int, *, exact: bool = False) -> World:
    """Make the requests of one seed; single ones are kept for exact runs.

    Raises
    ------
    ScenarioError
        If a warm fleet is asked for exactly.
    """
    spec = scenario.resource
    if exact and spec.policy.switching.mode == SwitchingMode.WARM:
        raise ScenarioError("a fleet with spec.policy.switching.mode Warm is not simulated scrape by scrape")
    minutes = round(scenario.days * 1440)
    k = spec.draft.num_speculative_tokens if spec.draft else 1
    slots = spec.replicas + spec.policy.switching.surge
    drawn = generate(scenario, minutes=minutes, replicas=slots, k=k, seed=seed, keep_requests=exact)
    traffic = varied(drawn, scenario, k=k, seed=seed)
    noise = step_factors(scenario, replicas=slots, minutes=minutes, seed=seed)
    return World(
        scenario=scenario,
        spec=spec,
        traffic=traffic,
        physics=Physics(scenario, traffic, k),
        noise=tuple(row.tolist() for row in noise),
        minutes=minutes,
        seed=seed,
    )


def run(made: World, policy: Policy | None = None, *, scraping: Scraping | None = None) -> Run:
    """Run it. Without a policy, the operator decides.

    With `scraping`, the world must have been made `exact`: counters are shown by replica, scraped each 15 s and cut
    into batches by the operator's own code, and every pass is decided. Without, a batch is one minute's sums.
    """
    policy = policy or Breakeven(made.spec, every_pass=scraping is not None)
    warm = made.spec.policy.switching.mode == SwitchingMode.WARM
    state = (WarmFleet if warm else FleetState)(
        scenario=made.scenario,
        spec=made.spec,
        traffic=made.traffic,
        physics=made.physics,
        noise=made.noise,
        scraping=scraping,
    )
    warmup = round(made.spec.evidence.warmup / timedelta(minutes=1))
    changes: list[Change] = []
    speculating: list[bool] = []
    holds: dict[str, int] = {}
    restarting = _restarts(made)
    for minute in range(made.minutes):
        observation = state.observation(minute)
        turn = policy.turn(observation, EPOCH + timedelta(minutes=minute))
        changes += _changes(made, turn, minute)
        if turn.hold:
            holds[turn.hold] = holds.get(turn.hold, 0) + 1
        speculating.append(turn.speculating)
        state.speculating = turn.speculating
        if isinstance(state, WarmFleet):
            state.turn(turn, minute)
        state.move(turn.placements, minute)
        for number in restarting.get(minute, ()):
            state.restart_one(number, minute)
        state.serve(minute, warmup)
        if scraping is None and turn.speculating and policy.sequential and state.suspicious(minute):
            for quarter in range(1, QUARTERS):
                at = minute + quarter / QUARTERS
                turn = policy.turn(state.observation(minute, quarter), EPOCH + timedelta(minutes=at))
                changes += _changes(made, turn, at)
    return Run(
        scenario=made.scenario,
        policy=policy.name,
        seed=made.seed,
        minutes=made.minutes,
        changes=tuple(changes),
        speculating=tuple(speculating),
        speedup=tuple(float(s) for s in made.physics.worth),
        holds=dict(sorted(holds.items())),
        restarts=max(0, state.restarts - made.spec.replicas),
        delivered=state.work / state.ideal if state.ideal else 0.0,
        in_better_state=state.better / state.served if state.served else 0.0,
        noise=_noise(made),
        switches=state.switches if isinstance(state, WarmFleet) else 0,
        knowing=state.knowing / state.ideal if state.ideal else 0.0,
        goodput=scraping.tally.goodput if scraping is not None else None,
    )


def _changes(made: World, turn: Turn, at: float) -> list[Change]:
    truth = float(made.physics.worth[int(at)])
    return [Change(minute=at, action=action, reason=reason, speedup=truth) for action, reason in turn.actions]


def scraping_of(made: World, *, record: bool = False) -> Scraping:
    """What scrapes a world; with `record` it keeps all samples for an export."""
    evidence = made.spec.evidence
    return Scraping(
        length=batch_length(evidence).total_seconds(),
        warmup=evidence.warmup.total_seconds(),
        keep=history(evidence).total_seconds(),
        k=made.physics.k,
        missed=np.random.default_rng([made.seed, 2]).random,
        scenario=made.scenario,
        samples={} if record else None,
    )


def _restarts(made: World) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for event in made.scenario.events:
        if event.rolling_restart:
            begin = round(event.at.total_seconds() / MINUTE)
            each = round(made.scenario.loading / timedelta(minutes=1)) + 1
            for number in range(made.spec.replicas):
                found.setdefault(begin + number * each, []).append(number)
    if made.scenario.restart_every is not None:
        apart = max(1, round(made.scenario.restart_every / timedelta(minutes=1)))
        for turn, minute in enumerate(range(apart, made.minutes, apart)):
            found.setdefault(minute, []).append(turn % made.spec.replicas)
    return found


def _noise(made: World) -> float:
    """How much one minute's log ratio of the arms scatters before anything happens."""
    first = min((e.at.total_seconds() / MINUTE for e in made.scenario.events), default=float(made.minutes))
    until = int(min(made.minutes, max(60.0, first)))
    traffic, noise = made.traffic, np.array([row[:until] for row in made.noise])
    on = (traffic.steps[:-1, :until] * noise[:-1]).sum(axis=0) / np.maximum(traffic.tokens[:-1, :until].sum(axis=0), 1)
    off = (traffic.tokens[-1, :until] * noise[-1]) / np.maximum(traffic.tokens[-1, :until], 1)
    both = (on > 0) & (off > 0)
    return float(np.std(np.log(off[both] / on[both]))) if both.sum() > 10 else float("nan")

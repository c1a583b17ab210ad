"""Worlds that are built to mislead: each field of a scenario does what it says, and nothing where it is not given."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.cli.main import app
from breakeven.domain.decision import Placement
from breakeven.simulation.fleet import FleetState
from breakeven.simulation.policies import AlwaysOff, AlwaysOn, Breakeven
from breakeven.simulation.run import World, run, scraping_of, world
from breakeven.simulation.scenario import Scenario, ScenarioError, load_shipped, parse, shipped
from breakeven.simulation.scores import score
from breakeven.simulation.variation import autoregressive, node_factors

BASE = {
    "title": "x",
    "days": 0.5,
    "speedup": 1.3,
    "requestsPerSecond": 5,
    "noise": 0,
    "tasks": [{"acceptance": 0.45, "spread": 0.11}],
}


def scenario(**changed: object) -> Scenario:
    return parse(json.dumps(BASE | changed), name="test")


def lag_one(values: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in values]))


def time_per_token(made: World, replica: int) -> float:
    seconds = made.traffic.tokens[replica] * made.physics.off_step * np.array(made.noise[replica])
    return float(seconds.sum() / made.traffic.tokens[replica].sum())


def test_the_sets_of_scenarios_do_not_overlap_and_are_complete() -> None:
    classic, hostile = set(shipped("classic")), set(shipped("hostile"))
    assert len(classic) == 18
    assert classic & hostile == set()
    assert classic | hostile | set(shipped("warm")) == set(shipped())
    assert not (classic | hostile) & set(shipped("warm"))
    assert all(load_shipped(name).proves for name in shipped())


def test_a_node_ten_percent_slower_makes_time_per_token_ten_percent_longer() -> None:
    made = world(scenario(nodes={"steps": [1.1]}), 1)
    assert time_per_token(made, 0) / time_per_token(made, 1) == pytest.approx(1.1, rel=1e-6)


def test_the_fast_mode_tells_replicas_apart_where_their_nodes_differ() -> None:
    for nodes, expected in (({"steps": [1.1]}, 4), ({}, 0)):
        made = world(scenario(nodes=nodes, days=0.05), 1)
        state = FleetState(
            scenario=made.scenario, spec=made.spec, traffic=made.traffic, physics=made.physics, noise=made.noise
        )
        plain = declared_variant(made.spec).baseline
        state.move([Placement(variant=plain, role=Role.STABLE, replicas=4)], 0)
        state.serve(0, 0)
        (batch,) = state.observation(1).arms[plain.name].batches
        assert len(batch.shares) == expected
        seconds = sum(share.step_seconds or 0.0 for share in batch.shares)
        assert not expected or seconds == pytest.approx(batch.totals.step_seconds)


def test_nodes_differ_by_the_spread_that_is_asked_for_and_drift_within_a_day() -> None:
    nodes = scenario(nodes={"spread": 0.04, "drift": 0.02}).nodes
    factors = node_factors(nodes, replicas=400, minutes=1440, seed=1)
    assert np.std(np.log(factors).mean(axis=1)) == pytest.approx(0.04, rel=0.15)
    swing = np.log(factors) - np.log(factors).mean(axis=1, keepdims=True)
    assert np.abs(swing).max() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("correlation", [0.3, 0.7, 0.9])
def test_drawn_minutes_hang_together_as_asked(correlation: float) -> None:
    made = world(scenario(correlation=correlation, days=4, noise=0.05), 1)
    assert lag_one(np.log(np.array(made.noise))) == pytest.approx(correlation, abs=0.03)
    assert lag_one(made.traffic.tokens) == pytest.approx(correlation, abs=0.04)
    drafts = made.traffic.steps - made.traffic.tokens / made.traffic.mean_per_step
    assert lag_one(drafts) == pytest.approx(correlation, abs=0.04)
    assert np.std(np.log(np.array(made.noise))) == pytest.approx(0.05, rel=0.1)


def test_minutes_that_hang_together_keep_their_sums_and_their_quarters() -> None:
    apart, together = world(scenario(), 1), world(scenario(correlation=0.6), 1)
    assert together.traffic.tokens.sum() == pytest.approx(apart.traffic.tokens.sum(), rel=1e-2)
    _, tokens, steps = together.traffic.quarters
    shape = (*together.traffic.tokens.shape, 4)
    assert tokens.reshape(shape).sum(axis=2)[:, 1:] == pytest.approx(together.traffic.tokens[:, 1:])
    assert steps.reshape(shape).sum(axis=2)[:, 1:] == pytest.approx(together.traffic.steps[:, 1:])


def test_long_requests_make_the_minutes_of_scraped_replicas_hang_together_as_the_fast_mode_draws_them() -> None:
    long = scenario(tasks=[{"acceptance": 0.45, "tokens": 4000}], requestsPerSecond=1, days=0.3)
    made = world(long, 1, exact=True)
    scraping = scraping_of(made)
    run(made, AlwaysOff(made.spec), scraping=scraping)
    pods = [of.pieces for of in scraping._pods.values()]
    seen = np.array([[pieces[n].totals.generation_tokens or 0.0 for n in sorted(pieces)[60:-5]] for pieces in pods])
    assert 0.4 < lag_one(seen) < 0.95
    fast = world(long.model_copy(update={"correlation": lag_one(seen)}), 1)
    assert lag_one(fast.traffic.tokens[:, 60:]) == pytest.approx(lag_one(seen), abs=0.1)


def test_sticky_traffic_gives_replicas_mixes_of_their_own_that_change_with_the_hours() -> None:
    usual, sticky = (world(scenario(days=4, **more), 1) for more in ({}, {"sticky": {"acceptance": 0.06}}))

    def by_hour(made: World) -> np.ndarray:
        tokens, steps = (of.reshape(len(of), -1, 60).sum(axis=2) for of in (made.traffic.tokens, made.traffic.steps))
        return np.asarray((tokens / steps - 1) / 3)

    assert by_hour(usual).std() < 0.01
    assert by_hour(sticky).std() == pytest.approx(0.06, rel=0.3)
    assert lag_one(by_hour(sticky)) == pytest.approx(np.exp(-0.5), abs=0.15)
    assert sticky.physics.speedup[0] == usual.physics.speedup[0]


def test_sticky_lengths_reach_the_single_requests_too() -> None:
    made = world(scenario(days=0.1, sticky={"lengths": 0.5}), 1, exact=True)
    for replica, drawn in enumerate(made.traffic.drawn):
        assert drawn.lengths.sum() == pytest.approx(made.traffic.tokens[replica].sum())
        assert np.all(drawn.steps <= drawn.lengths)


def test_heavy_tails_keep_the_mean_and_put_much_of_the_work_into_few_requests() -> None:
    def top(tail: float | None) -> float:
        task = {"acceptance": 0.45} | ({} if tail is None else {"tail": tail})
        lengths = np.sort(world(scenario(tasks=[task], days=1), 1, exact=True).traffic.drawn[0].lengths)
        assert lengths.mean() == pytest.approx(200, rel=0.15)
        return float(lengths[-len(lengths) // 100 :].sum() / lengths.sum())

    assert top(1.4) > 3 * top(None)


def test_shorter_contexts_make_both_kinds_of_step_shorter_and_leave_the_speedup() -> None:
    made = world(scenario(events=[{"at": "6h", "stepFactor": 0.85}], stepSlope=0), 1)
    for step in (made.physics.off_step, made.physics.on_step):
        assert step[400] / step[300] == pytest.approx(0.85, rel=1e-6)
    assert made.physics.speedup[400] == pytest.approx(made.physics.speedup[300], rel=1e-6)


def test_an_event_comes_again_and_grows_while_it_does() -> None:
    event = {"at": "1h", "lasts": "1h", "every": "3h", "inflationFactor": 1.3}
    speedup = world(scenario(events=[event]), 1).physics.speedup
    low = [minute // 60 for minute in range(0, 720, 60) if speedup[minute + 30] < 1.1]
    assert low == [1, 4, 7, 10]
    grown = world(scenario(events=[event | {"ramp": "40m"}]), 1).physics.speedup
    assert 1.05 < grown[80] < 1.25
    assert grown[115] == pytest.approx(speedup[115], rel=1e-3)


def test_replicas_restart_one_after_the_other_as_often_as_asked() -> None:
    made = world(scenario(restartEvery="30m"), 1)
    assert run(made, AlwaysOn(made.spec)).restarts == 23


def test_what_a_scenario_says_of_the_last_token_decides_which_state_is_better() -> None:
    made = world(scenario(events=[{"at": "0s", "worth": 0.5}]), 1)
    on, off = (run(made, kind(made.spec)) for kind in (AlwaysOn, AlwaysOff))
    assert on.delivered == pytest.approx(0.5)
    assert off.delivered == 1.0
    assert made.physics.speedup[0] > 1.2


def test_nothing_varies_that_is_not_asked_for() -> None:
    plain = world(scenario(), 1)
    named = world(scenario(correlation=0, nodes={}, sticky={}, cache=None, restartEvery=None), 1)
    assert np.array_equal(plain.traffic.tokens, named.traffic.tokens)
    assert plain.noise == named.noise


def test_one_replica_is_drawn_without_changing_what_was_drawn_before() -> None:
    drawn = np.random.default_rng(1).normal(size=(1, 50))
    before = drawn.copy()
    autoregressive(drawn, 0.5)
    assert np.array_equal(drawn, before)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"events": [{"at": "1h", "every": "1h"}]}, "lasts"),
        ({"events": [{"at": "1h", "lasts": "10s", "every": "20s"}]}, "every"),
        ({"restartEvery": "5s"}, "restartEvery"),
        ({"correlation": 1}, "correlation"),
        ({"nodes": {"steps": [0]}}, r"nodes\.steps\.0"),
        ({"cache": {"tokens": 0}}, r"cache\.tokens"),
        ({"suite": "mean"}, "suite"),
        ({"cache": {"tokens": 1000}}, "exact"),
    ],
)
def test_a_world_that_cannot_be_is_refused_by_the_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(ScenarioError, match=field):
        scenario(**changed)


def test_the_command_scrapes_where_a_scenario_needs_it_and_compares_with_leaving_it_on_or_off() -> None:
    shown = CliRunner().invoke(app, ["simulate", "-f", "starved-cache", "--days", "0.02", "-o", "json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)["scores"]
    assert [row["policy"] for row in found] == ["breakeven", "always on", "always off"]
    assert all(row["goodput"] is not None for row in found)
    listed = CliRunner().invoke(app, ["simulate"])
    assert "starved-cache" in listed.stdout.partition("built to mislead")[2]


def test_leaving_speculation_on_or_off_decides_nothing() -> None:
    made = world(scenario(days=0.1), 1)
    found = [score([run(made, kind(made.spec))]) for kind in (AlwaysOn, AlwaysOff)]
    assert [s.changes_per_day for s in found] == [0, 0]
    assert [s.delivered for s in found] == [1.0, pytest.approx(1 / 1.3, rel=0.02)]


def test_scores_count_trials_and_promotions() -> None:
    made = world(scenario(days=0.1), 1)
    found = score([run(made, Breakeven(made.spec))])
    assert (found.trials, found.promotions, found.switch_offs) == (1, 1, 0)
    assert found.goodput is None

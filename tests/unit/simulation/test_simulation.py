"""The simulator draws what the scenario says, and the operator decides in it as it should."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app
from breakeven.simulation.policies import Article, Breakeven, ThreeBadChecks
from breakeven.simulation.run import Run, run, world
from breakeven.simulation.scenario import ScenarioError, load_shipped, parse, shipped
from breakeven.simulation.scores import false_changes, losses, score


def ran(name: str, *, days: float | None = None, seed: int = 1) -> Run:
    scenario = load_shipped(name)
    if days is not None:
        scenario = scenario.model_copy(update={"days": days})
    return run(world(scenario, seed))


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_can_be_read(name: str) -> None:
    assert load_shipped(name).title


def test_the_speedup_of_a_scenario_is_what_its_counters_show() -> None:
    made = world(load_shipped("flat-gain").model_copy(update={"days": 0.5, "requests_per_second": 5.0}), 3)
    on = (made.traffic.steps * made.physics.on_step).sum() / made.traffic.tokens.sum()
    off = made.physics.off_step.mean()
    assert off / on == pytest.approx(1.3, rel=0.02)
    assert made.physics.speedup[0] == pytest.approx(1.3, rel=0.02)
    ratio = (made.traffic.tokens.sum() - made.traffic.steps.sum()) / (3 * made.traffic.steps.sum())
    assert ratio == pytest.approx(0.45, abs=0.03)


def test_the_same_seed_gives_the_same_run() -> None:
    assert ran("temperature-shift", days=1.2) == ran("temperature-shift", days=1.2)
    a, b = world(load_shipped("spike"), 1), world(load_shipped("spike"), 2)
    assert not np.array_equal(a.traffic.tokens, b.traffic.tokens)


@pytest.mark.parametrize("name", ["temperature-shift", "draft-mismatch", "high-acceptance-slow"])
def test_a_loss_is_switched_off_within_twenty_minutes(name: str) -> None:
    found = score([ran(name, days=1.3)])
    assert found.misses == 0
    assert found.median_delay is not None
    assert found.median_delay <= 20


@pytest.mark.parametrize("name", ["temperature-shift", "draft-mismatch", "bad-image"])
def test_a_large_loss_is_switched_off_within_a_few_scrapes(name: str) -> None:
    found = score([ran(name, days=1.2)])
    assert found.median_delay is not None
    assert found.median_delay <= 1.0


def test_a_loss_without_a_live_control_is_switched_off_as_soon() -> None:
    r = ran("recovery", days=1.6, seed=2)  # no new band of load in the day before the loss
    assert ("ReturnControl", "NothingNew") in [(c.action, c.reason) for c in r.changes]
    found = score([r])
    assert found.median_delay is not None
    assert found.median_delay <= 2.0


def test_across_a_daily_knee_there_is_one_switch_each_way() -> None:
    r = ran("diurnal-knee", days=2.9)
    assert [c.action for c in r.changes if c.action != "Begin"] == ["StartTrial", "Promote", "Disable"] * 3


@pytest.mark.parametrize("name", ["temperature-harmless", "quantized-target", "runaway-client", "spike", "per-token"])
def test_what_still_pays_is_left_alone(name: str) -> None:
    r = ran(name, days=2.2)
    assert [c.action for c in r.changes if c.action in ("Promote", "Disable")] == ["Promote"]


@pytest.mark.parametrize("name", ["outage", "rolling-restart"])
def test_missing_data_and_restarts_toggle_nothing(name: str) -> None:
    r = ran(name)
    assert [c.action for c in r.changes if c.action in ("Promote", "Disable")] == ["Promote"]
    assert sum(r.holds.values()) > 60


def test_speculation_that_never_pays_is_never_switched_on_and_tried_less_and_less() -> None:
    r = ran("never-pays", days=5)
    trials = [c.minute for c in r.changes if c.action == "StartTrial"]
    assert not any(c.action == "Promote" for c in r.changes)
    assert len(trials) <= 12  # seven in the first day and a half, then one every 16 h, at another hour each day
    assert trials[-1] - trials[-2] > trials[1] - trials[0]


def test_the_simple_rules_do_worse_on_the_same_requests() -> None:
    made = world(load_shipped("flat-gain").model_copy(update={"days": 4.0}), 1)
    ours, article, checks = (score([run(made, kind(made.spec))]) for kind in (Breakeven, Article, ThreeBadChecks))
    assert ours.false_per_30_days == 0
    assert article.false_per_30_days > 0
    assert ours.delivered > max(article.delivered, checks.delivered)


def test_scores_count_what_went_against_the_truth() -> None:
    r = ran("draft-mismatch", days=1.3)
    assert false_changes(r) == []
    assert losses(r) == [(1440, r.minutes)]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("title: x\nspeedup: 1.3\n", "tasks"),
        ("title: x\nspeedup: 1.3\ntasks: [{acceptance: 2}]\n", "tasks.0.acceptance"),
        ("title: x\nspeedup: 1.3\ntasks: [{acceptance: 0.4}]\nspec: {replicas: many}\n", "replicas"),
        ("[", "YAML"),
    ],
)
def test_a_bad_scenario_names_the_field(text: str, field: str) -> None:
    with pytest.raises(ScenarioError, match=field):
        parse(text, name="mine.yaml")


def test_the_command_prints_only_json_when_asked() -> None:
    result = CliRunner().invoke(app, ["simulate", "-f", "spike", "--no-compare", "-o", "json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["simulated"] is True


def test_the_command_tells_when_it_would_have_decided_what() -> None:
    shown = CliRunner().invoke(app, ["simulate", "-f", "spike", "--no-compare", "--days", "0.2"])
    assert shown.exit_code == 0
    assert re.search(r"day 0 \d\d:\d\d:\d\d  Promote +Pays", shown.stdout)


def test_every_wrong_field_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("days: 1\nfoo: 2\n")
    refused = CliRunner().invoke(app, ["simulate", "-f", str(tmp_path / "wrong.yaml")])
    assert refused.exit_code == 2
    assert "title: " in refused.stderr
    assert "foo: " in refused.stderr
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "is no text" in CliRunner().invoke(app, ["simulate", "-f", str(tmp_path / "binary")]).stderr


def test_the_command_lists_and_refuses() -> None:
    listed = CliRunner().invoke(app, ["simulate"])
    assert listed.exit_code == 0
    assert "temperature-shift" in listed.stdout
    refused = CliRunner().invoke(app, ["simulate", "-f", "nothing-there"])
    assert refused.exit_code == 2
